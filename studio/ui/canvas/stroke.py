"""A stroke while it is being drawn: its opacity holds for the whole stroke, however often dabs overlap. Plain numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from studio.ui.canvas.brush import Brush, Dab, Point, along, dab
from studio.ui.canvas.ink import Ink
from studio.ui.canvas.tiles import Box, Patch, Place, Raster, clipped, common, part, tile, tile_box, tiles_in, united

_WASTE = 3.0  # dabs are laid together as long as the box around them is at most this many times as large as one


class Stroke:
    """`to` draws on, `finish` hands over what undo needs.

    `coverage` [H, W] is room of the raster's size that all strokes share: what it holds outside the tiles of this stroke
    means nothing. `painted(boxes)` is told of every change to the raster.
    """

    def __init__(
        self,
        raster: Raster,
        coverage: Raster,
        ink: Ink,
        brush: Brush,
        painted: Callable[[list[Box]], None],
        finished: Callable[[Patch], None],
    ) -> None:
        self._raster, self._coverage = raster, coverage
        self._ink, self._brush = ink, brush
        self._painted, self._finished = painted, finished
        self._before: dict[Place, Raster] = {}
        self._last: Point | None = None

    @property
    def last(self) -> Point | None:
        """Where it has got to."""
        return self._last

    def to(self, point: Point) -> None:
        """Draw on to a point, straight from the last one; points may lie outside the picture."""
        height, width = self._coverage.shape
        if self._last is None:
            dabs = iter([dab(self._brush, point)])
        else:
            dabs = (dab(self._brush, at) for at in along(self._last, point, self._brush, (width, height)))
        self._last = point
        boxes = [self._lay(group) for group in _together(dabs)]
        self._painted([box for box in boxes if box is not None])

    def stencil(self, left: int, top: int, coverage: Raster) -> None:
        """Paint through `coverage` [h, w], its upper left pixel at (left, top); what lies beyond the picture is cut."""
        box = clipped((left, top, left + coverage.shape[1], top + coverage.shape[0]), self._raster)
        if box is None:
            return
        for place in tiles_in(box):
            each = common(tile_box(place), box)
            cover = part(coverage, (each[0] - left, each[1] - top, each[2] - left, each[3] - top))
            if cover.any():
                self._touch(each)
                here = part(self._coverage, each)
                np.maximum(here, cover, out=here)
                self._ink_on(each)
        self._painted([box])

    def restart(self) -> None:
        """Take everything back that it has drawn; it goes on from the next point."""
        for place, before in self._before.items():
            tile(self._raster, place)[...] = before
        around = united(tile_box(place) for place in self._before)
        inside = clipped(around, self._raster) if around is not None else None
        self._before.clear()
        self._last = None
        self._painted([inside] if inside else [])

    def finish(self) -> None:
        """Hand over the former content of the tiles that it changed."""
        self._finished(Patch({place: before for place, before in self._before.items() if (before != tile(self._raster, place)).any()}))

    def _lay(self, dabs: Iterable[Dab]) -> Box | None:
        """Cover what the dabs cover (the most of all counts) and paint it; where that was, or None outside."""
        inside = [(each, box) for each in dabs if (box := clipped(each.box, self._raster)) is not None]
        around = united(box for _, box in inside)
        if around is None:
            return None
        self._touch(around)
        for each, box in inside:
            here = part(self._coverage, box)
            own = (box[0] - each.left, box[1] - each.top, box[2] - each.left, box[3] - each.top)
            np.maximum(here, part(each.coverage, own), out=here)
        self._ink_on(around)
        return around

    def _ink_on(self, box: Box) -> None:
        """Paint what is covered inside a box. What was there before is put together first, so that the arithmetic is few
        calls on large arrays: each call lets go of the interpreter's lock, and waits for it while the engine computes.
        """
        coverage = part(self._coverage, box)
        if self._brush.opacity < 1:
            coverage = np.rint(coverage * np.float32(self._brush.opacity)).astype(np.uint8)
        out = part(self._raster, box)
        before = np.empty(out.shape, np.uint8)
        for place in tiles_in(box):
            left, top = tile_box(place)[:2]
            here = common(tile_box(place), box)
            own = (here[0] - left, here[1] - top, here[2] - left, here[3] - top)
            part(before, (here[0] - box[0], here[1] - box[1], here[2] - box[0], here[3] - box[1]))[...] = part(self._before[place], own)
        self._ink.lay(out, before, coverage)

    def _touch(self, box: Box) -> None:
        """Remember what was there before this stroke."""
        for place in tiles_in(box):
            if place not in self._before:
                self._before[place] = tile(self._raster, place).copy()
                tile(self._coverage, place)[...] = 0


def _together(dabs: Iterator[Dab]) -> Iterator[list[Dab]]:
    """Groups of neighbouring dabs whose common box wastes little: a long diagonal is laid in pieces."""
    group: list[Dab] = []
    around: Box | None = None
    for each in dabs:
        wider = united([around, each.box]) if around is not None else each.box
        assert wider is not None
        if group and _area(wider) > _WASTE * _area(each.box):
            yield group
            group, wider = [], each.box
        group.append(each)
        around = wider
    if group:
        yield group


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
