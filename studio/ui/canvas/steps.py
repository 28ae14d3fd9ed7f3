"""The undoable changes of a canvas document. Each is made before it is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.ui.canvas.compositing import Layer
from studio.ui.canvas.tiles import Box, Patch, Raster

Layers = tuple[Layer, ...]
Margins = tuple[int, int, int, int]  # pixels added left, top, right, bottom


@dataclass(frozen=True, eq=False)
class State:
    """A whole document at one moment; the arrays are the document's own, not copies."""

    width: int
    height: int
    layers: tuple[Layer, ...]
    mask: Raster
    hints: Raster

    def arrays(self) -> dict[int, Raster]:
        """What it holds, by identity."""
        return {id(array): array for array in (self.mask, self.hints, *(layer.pixels for layer in self.layers))}


class PaintStep:
    """Some tiles of one raster changed. `raster()` gives it as it is at the time, `painted(box)` is told what changed."""

    def __init__(self, text: str, patch: Patch, raster: Callable[[], Raster], painted: Callable[[Box], None]) -> None:
        self.text = text
        self._patch, self._raster, self._painted = patch, raster, painted

    @property
    def nbytes(self) -> int:
        return self._patch.nbytes

    def undo(self) -> None:
        self._patch.swap(self._raster())
        box = self._patch.box
        if box is not None:
            self._painted(box)

    redo = undo

    def pack_one(self) -> bool:
        return self._patch.pack_one()


class StateStep:
    """Everything replaced. It holds the other moment; `swap(state)` shows that and gives the present one instead.

    The present is asked for each time, not remembered: extending and its undo make new arrays of equal content.
    """

    def __init__(self, text: str, other: State, present: Callable[[], State], show: Callable[[State], None]) -> None:
        self.text = text
        self._other, self._present, self._show = other, present, show

    @property
    def nbytes(self) -> int:
        own = self._present().arrays()
        return sum(array.nbytes for key, array in self._other.arrays().items() if key not in own)

    def undo(self) -> None:
        other, self._other = self._other, self._present()
        self._show(other)

    redo = undo

    def pack_one(self) -> bool:
        return False


class LayersStep:
    """Layers added, removed, moved or changed; mask and hints are none of its business."""

    def __init__(self, text: str, other: Layers, present: Callable[[], Layers], show: Callable[[Layers], None]) -> None:
        self.text = text
        self._other, self._present, self._show = other, present, show

    @property
    def nbytes(self) -> int:
        own = {id(layer.pixels) for layer in self._present()}
        return sum(layer.pixels.nbytes for layer in self._other if id(layer.pixels) not in own)

    def undo(self) -> None:
        other, self._other = self._other, self._present()
        self._show(other)

    redo = undo

    def pack_one(self) -> bool:
        return False


class ExtendStep:
    """The canvas was made larger: undo cuts the margins off again, so nothing has to be kept."""

    nbytes = 0

    def __init__(self, text: str, margins: Margins, extend: Callable[[Margins], None], cut: Callable[[Margins], None]) -> None:
        self.text = text
        self._margins, self._extend, self._cut = margins, extend, cut

    def undo(self) -> None:
        self._cut(self._margins)

    def redo(self) -> None:
        self._extend(self._margins)

    def pack_one(self) -> bool:
        return False
