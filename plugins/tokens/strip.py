"""All maps side by side, in as few rows as there is width for."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from studio.host.pictures import Pixels
from studio.ui.image_grid import EDGE, GAP, ImageGrid

LEAST = 64


class Strip(ImageGrid):
    """An ImageGrid whose cells stand in rows of at least LEAST pixels a cell; `show_maps` fills it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._maps: tuple[Sequence[Pixels], Sequence[str]] = ((), ())
        self.setAccessibleName("Maps of all words")

    def show_maps(self, maps: Sequence[Pixels], names: Sequence[str]) -> None:
        """Show these maps, each over its name."""
        self._maps = (maps, names)
        columns = min(len(maps), max(1, (self.viewport().width() - 2 * EDGE + GAP) // (LEAST + GAP)))
        if (len(maps), columns) != (self.count(), self._fixed_columns):
            self.set_count(len(maps), columns=columns)
        for index, (map_, name) in enumerate(zip(maps, names, strict=True)):
            self.set_cell(index, map_, name)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.show_maps(*self._maps)
        super().resizeEvent(event)
        self._scroll_to(self.current)
