"""One to four runs side by side, all of the same size."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.ui.tokens import SPACE_S
from studio_plugins.rl.tile import LETTERS, RunTile
from studio_plugins.rl.tile_header import HEIGHT

_CHROME = HEIGHT + 48
"""Pixels of a tile's height that are not the world: header, the world's line, legend."""
_WORTH = 1.4
"""How much larger the worlds must become before runs are stacked rather than side by side."""


def columns_for(count: int, size: QSize, aspect: float) -> int:
    """In how many columns `count` tiles show their worlds (of width / height `aspect`) well: side by side, four in two
    rows, unless another arrangement makes the worlds much larger."""
    usual = {1: 1, 2: 2, 3: 3}.get(count, 2)

    def scale(columns: int) -> float:
        rows = -(-count // columns)
        width, height = size.width() / columns - SPACE_S, size.height() / rows - SPACE_S - _CHROME
        return max(1.0, min(width / aspect, height))

    best = max(range(1, count + 1), key=scale)
    return best if scale(best) > _WORTH * scale(usual) else usual


class RunTiles(QWidget):
    """`set_runs`, then `show_look` of each of the `tiles`. Signal: `selected` (place of the tile among those on show)."""

    selected = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tiles: list[RunTile] = []
        self._at = -1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        return QSize(900, 620)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 190)

    @property
    def tiles(self) -> tuple[RunTile, ...]:
        return tuple(self._tiles)

    @property
    def current(self) -> RunTile | None:
        """The selected tile."""
        return self._tiles[self._at] if 0 <= self._at < len(self._tiles) else None

    @property
    def index(self) -> int:
        """The place of the selected tile; -1 where there is none."""
        return self._at

    def set_runs(self, runs: Sequence[tuple[str, bool]]) -> None:
        """Title and whether on-policy of each run; tiles that are already there are used again. Raises ValueError for
        more than four."""
        if len(runs) > len(LETTERS):
            raise ValueError(f"at most {len(LETTERS)} runs are shown side by side, not {len(runs)}")
        while len(self._tiles) > len(runs):
            gone = self._tiles.pop()
            gone.hide()
            gone.deleteLater()
        for place, (title, on_policy) in enumerate(runs):
            if place < len(self._tiles):
                self._tiles[place].set_agent(title, on_policy=on_policy)
                continue
            tile = RunTile(place, title, on_policy=on_policy, parent=self)
            tile.selected.connect(lambda place=place: self.select(place))
            tile.reshaped.connect(self.arrange)
            self._tiles.append(tile)
            tile.show()
        self._at = min(self._at, len(self._tiles) - 1)
        self.arrange()
        if self._tiles:
            self.select(max(0, self._at))

    def select(self, place: int) -> None:
        """Make one tile the one that insight and controls are about."""
        if not 0 <= place < len(self._tiles):
            return
        changed = place != self._at
        self._at = place
        for k, tile in enumerate(self._tiles):
            tile.set_chosen(k == place and len(self._tiles) > 1)
        if changed:
            self.selected.emit(place)

    def arrange(self) -> None:
        """Give all tiles equal room; also when their worlds have taken another shape."""
        count = len(self._tiles)
        if not count:
            return
        columns = columns_for(count, self.size(), max(tile.aspect() for tile in self._tiles))
        rows = -(-count // columns)
        width = (self.width() - SPACE_S * (columns + 1)) // columns
        height = (self.height() - SPACE_S * (rows + 1)) // rows
        for place, tile in enumerate(self._tiles):
            r, c = divmod(place, columns)
            tile.setGeometry(QRect(SPACE_S + c * (width + SPACE_S), SPACE_S + r * (height + SPACE_S), width, height))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.arrange()
