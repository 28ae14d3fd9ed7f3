"""A head's map as pictures of several sizes, coloured a band at a time, so that no frame waits for the largest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage

from studio_plugins.attention import painting
from studio_plugins.attention.painting import Shading
from studio_plugins.attention.results import Level

AT_ONCE = 600_000
"""Cells that are coloured in one go: some 10 ms."""


class Pyramid:
    """Pictures of the levels of one map. `work` colours another band of what is not coloured yet."""

    def __init__(self, levels: tuple[Level, ...], shading: Shading, *, square: bool) -> None:
        self.levels, self._shading, self._square = levels, shading, square
        self._table = painting.table(painting.ground())
        self._pixels: list[NDArray[np.uint32]] = [np.zeros(level.values.shape, np.uint32) for level in levels]
        self._images: list[QImage | None] = [None] * len(levels)
        self._top = 0.0
        self._todo = [(i, start) for i in reversed(range(len(levels))) for start in range(0, len(levels[i].values), self._band(i))]
        while self._todo and levels[self._todo[0][0]].values.size <= AT_ONCE:
            self.work()
        if self._images[-1] is None:
            self._finish(len(levels) - 1)

    @property
    def ready(self) -> bool:
        """Whether every level has its colours."""
        return not self._todo

    def work(self) -> bool:
        """Colour one band; True when there is more to do."""
        if not self._todo:
            return False
        index, start = self._todo.pop(0)
        level = self.levels[index]
        stop = start + self._band(index)
        seen = painting.shown(level.values[start:stop], self._shading, factor=level.factor, top=start, square=self._square)
        top = painting.tops(seen, self._shading) if self._shading.scale != "map" else self._brightest()
        self._pixels[index][start:stop] = self._table[painting.indices(seen, self._shading, top)]
        if not self._todo or self._todo[0][0] != index:
            self._finish(index)
        return bool(self._todo)

    def level_for(self, scale: float) -> int:
        """The finest level whose cells are at least a pixel where one cell of the map is `scale` pixels; one that is
        coloured already."""
        wanted = next((i for i, level in enumerate(self.levels) if level.factor * scale >= 0.999), len(self.levels) - 1)
        return next(i for i in range(wanted, len(self.levels)) if self._images[i] is not None)

    def image(self, index: int) -> QImage:
        """The picture of a level that is ready."""
        image = self._images[index]
        assert image is not None
        return image

    def source(self, index: int, cells: QRectF) -> QRectF:
        """Cells of the map as a place on the picture of a level."""
        factor = self.levels[index].factor
        return QRectF(cells.x() / factor, cells.y() / factor, cells.width() / factor, cells.height() / factor)

    def brightest(self) -> NDArray[np.float32]:
        """What "map" scales by, for rectangles fetched later."""
        return self._brightest()

    def _brightest(self) -> NDArray[np.float32]:
        # The maximum of maxima: the coarsest level knows it, except for what is hidden in the finer ones.
        if not self._top:
            finest = self.levels[0]
            hides = not (self._shading.sink and self._shading.diagonal)
            level = finest if hides and finest.values.size <= AT_ONCE else self.levels[-1]
            seen = painting.shown(level.values, self._shading, factor=level.factor, square=self._square)
            self._top = float(painting.tops(seen, Shading("map"))[0, 0])
        return np.full((1, 1), self._top, np.float32)

    def _band(self, index: int) -> int:
        return max(1, AT_ONCE // max(1, self.levels[index].values.shape[1]))

    def _finish(self, index: int) -> None:
        pixels = self._pixels[index]
        height, width = pixels.shape
        self._images[index] = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
