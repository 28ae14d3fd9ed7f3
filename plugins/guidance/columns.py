"""The columns a person is putting together, and which of them is being looked at."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from studio_plugins.guidance.request import DEFAULT_COLUMNS, MAX_COLUMNS, Column, Guidance


class Columns(QObject):
    """An ordered list of columns, at least one. Signals: `changed` (any of them), `chosen` (index)."""

    changed = Signal()
    chosen = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: list[Column] = list(DEFAULT_COLUMNS)
        self._current = 0

    @property
    def all(self) -> tuple[Column, ...]:
        return tuple(self._all)

    @property
    def current(self) -> int:
        return self._current

    @property
    def column(self) -> Column:
        """The one being looked at."""
        return self._all[self._current]

    @property
    def full(self) -> bool:
        """Whether there is no room for another."""
        return len(self._all) >= MAX_COLUMNS

    def set_all(self, columns: Sequence[Column]) -> None:
        """Replace them; the place looked at stays where it can."""
        self._all = list(columns) or [Column()]
        self._show(min(self._current, len(self._all) - 1))

    def choose(self, index: int) -> None:
        """Look at another one."""
        if 0 <= index < len(self._all) and index != self._current:
            self._current = index
            self.chosen.emit(index)

    def set_guidance(self, guidance: Guidance) -> None:
        """Guide the one looked at in another way."""
        if guidance != self.column.guidance:
            self._all[self._current] = self.column.model_copy(update={"guidance": guidance})
            self.changed.emit()

    def rename(self, name: str) -> None:
        """Call the one looked at by another name; an empty one leaves it to its guidance."""
        if name != self.column.name:
            self._all[self._current] = self.column.model_copy(update={"name": name})
            self.changed.emit()

    def add(self, column: Column | None = None) -> None:
        """Another column at the right end, looked at; nothing where there is no room."""
        if not self.full:
            self._all.append(column or Column())
            self._show(len(self._all) - 1)

    def duplicate(self) -> None:
        """The one looked at once more, beside it."""
        self._insert(self.column.model_copy(update={"name": ""}))

    def fork(self, step: int) -> None:
        """A column beside the one looked at that shares its steps 0..step."""
        self._insert(self.column.fork(step))

    def remove(self) -> None:
        """Away with the one looked at, unless it is the last."""
        if len(self._all) > 1:
            del self._all[self._current]
            self._show(min(self._current, len(self._all) - 1))

    def move(self, source: int, target: int) -> None:
        """Put a column elsewhere; it is then looked at."""
        if 0 <= source < len(self._all) and 0 <= target < len(self._all) and source != target:
            self._all.insert(target, self._all.pop(source))
            self._show(target)

    def _insert(self, column: Column) -> None:
        if not self.full:
            self._all.insert(self._current + 1, column)
            self._show(self._current + 1)

    def _show(self, index: int) -> None:
        self._current = index
        self.changed.emit()
        self.chosen.emit(index)
