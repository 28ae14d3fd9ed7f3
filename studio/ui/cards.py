"""Small things for the insight column and for empty places: formula cards, facts, empty states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from string import Template
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from studio.ui.theme import theme
from studio.ui.tokens import SPACE_L, SPACE_M, SPACE_S

_MATH = "font-family: 'STIX Two Text', 'Cambria Math', 'Latin Modern Math', 'DejaVu Serif', serif;"


class FormulaCard(QFrame):
    """A formula, and below it the same formula with today's numbers in it.

    `symbols` and `numbers` are rich text (`<sub>`, `<sup>`, `<i>`); in `numbers` each `$name` is replaced by the value
    given to `set_numbers`, in the accent colour.
    """

    def __init__(self, symbols: str, numbers: str = "", note: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "card")
        self._symbols_html = symbols
        self._template = Template(numbers)
        self._values: dict[str, str] = {}
        self._symbols, self._numbers, self._note = _text(self), _text(self), _text(self)
        self._note.setProperty("tone", "faint")
        self._note.setText(note)
        self._note.setVisible(bool(note))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_M)
        layout.setSpacing(SPACE_S)
        for label in (self._symbols, self._numbers, self._note):
            layout.addWidget(label)
        theme().changed.connect(self._render)
        self._render()

    def set_formula(self, symbols: str, numbers: str = "") -> None:
        """Another formula; its numbers are still to come."""
        self._symbols_html, self._template, self._values = symbols, Template(numbers), {}
        self._render()

    def set_numbers(self, values: Mapping[str, float | int | str]) -> None:
        """Today's numbers by name; floats are shown with four significant digits."""
        self._values = {name: f"{v:.4g}" if isinstance(v, float) else str(v) for name, v in values.items()}
        self._render()

    def set_note(self, text: str) -> None:
        """A quiet remark below (what is an approximation says so here)."""
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def text(self) -> str:
        """The line with the numbers, as rich text."""
        return self._numbers.text()

    def _render(self) -> None:
        colour = theme().tokens["accent"]
        self._symbols.setText(f'<div style="{_MATH} font-size: 15px;">{self._symbols_html}</div>')
        shown = {name: f'<span style="color:{colour}; font-weight:600;">{value}</span>' for name, value in self._values.items()}
        self._numbers.setText(f'<div style="{_MATH} font-size: 14px;">{self._template.safe_substitute(shown)}</div>')
        self._numbers.setVisible(bool(self._values) and bool(self._template.template))


_LEAST_VALUE = 60


class _Value(QLabel):
    """A value that wraps; a single word too long for its column is cut in the middle, and whole in the tooltip."""

    def heightForWidth(self, width: int) -> int:
        # A path would be given the lines it breaks into, of which one is drawn.
        return self.fontMetrics().height() if len(self.text().split()) == 1 else super().heightForWidth(width)

    def paintEvent(self, event: QPaintEvent) -> None:
        text, box = self.text(), self.contentsRect()
        if len(text.split()) != 1 or self.fontMetrics().horizontalAdvance(text) <= box.width():
            super().paintEvent(event)
            return
        shown = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, box.width())
        QPainter(self).drawText(box, self.alignment(), shown)


class Facts(QWidget):
    """Name and value pairs in two columns; a value that changes is replaced in place."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(SPACE_M)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self._rows: dict[str, tuple[QLabel, QLabel]] = {}

    def set_facts(self, facts: Mapping[str, str], tips: Mapping[str, str] | None = None) -> None:
        """Show these and no others, in this order; `tips` explain names (formula, unit)."""
        if list(facts) != list(self._rows):
            self._rebuild(list(facts))
        for name, value in facts.items():
            label, shown = self._rows[name]
            shown.setText(value)
            tip = (tips or {}).get(name, "")
            label.setToolTip(tip)
            shown.setToolTip(tip or value)

    def fact(self, name: str) -> str:
        """The value shown for a name. Raises KeyError."""
        return self._rows[name][1].text()

    def _rebuild(self, names: list[str]) -> None:
        for pair in self._rows.values():
            for label in pair:
                self._grid.removeWidget(label)
                label.hide()  # deletion waits for the event loop; until then it would show through
                label.deleteLater()
        self._rows = {}
        for row, name in enumerate(names):
            label, shown = QLabel(name, self), _Value(self)
            label.setProperty("tone", "muted")
            shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            shown.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            shown.setWordWrap(True)
            shown.setMinimumWidth(_LEAST_VALUE)  # a long word must not widen the column and cut every other value
            self._grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(shown, row, 1, Qt.AlignmentFlag.AlignTop)
            self._rows[name] = (label, shown)


class EmptyState(QWidget):
    """What an empty place says: a heading, what to do first, and the button that does it."""

    def __init__(
        self,
        heading: str,
        text: str,
        *,
        icon: str = "sparkle",
        actions: list[tuple[str, Callable[[], Any]]] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._icon_name = icon
        self._icon = QLabel(self)
        self._heading, self._text = QLabel(heading, self), QLabel(text, self)
        self._heading.setProperty("tone", "title")
        self._text.setProperty("tone", "muted")
        centre = Qt.AlignmentFlag.AlignHCenter
        for label in (self._heading, self._text):
            label.setWordWrap(True)
            label.setAlignment(centre)
            label.setMaximumWidth(420)
        self._text.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.MinimumExpanding)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_M)
        layout.addStretch(2)
        layout.addWidget(self._icon, 0, centre)
        for label in (self._heading, self._text):
            row = QHBoxLayout()
            row.addStretch(1)
            row.addWidget(label, 20)
            row.addStretch(1)
            layout.addLayout(row)
        self.buttons: list[QPushButton] = []
        for label_text, callback in actions or []:
            button = QPushButton(label_text, self)
            button.clicked.connect(partial(_call, callback))
            layout.addWidget(button, 0, centre)
            self.buttons.append(button)
        layout.addStretch(3)
        theme().changed.connect(self._paint_icon)
        self._paint_icon()

    def set_text(self, heading: str, text: str) -> None:
        """Say something else."""
        self._heading.setText(heading)
        self._text.setText(text)

    def _paint_icon(self) -> None:
        self._icon.setPixmap(theme().icon(self._icon_name, "border_strong").pixmap(48, 48))


def _call(callback: Callable[[], Any], _checked: bool = False) -> None:
    callback()


def _text(parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
