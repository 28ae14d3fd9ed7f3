"""The document on the canvas: layers, a paint layer for colour hints and the mask, each change undoable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum

import numpy as np
from PySide6.QtCore import QObject, QRect, Signal

from studio.host.documents.content import DocumentContent, check_size
from studio.ui.canvas.brush import Brush
from studio.ui.canvas.compositing import Layer, as_rgba, flatten
from studio.ui.canvas.history import LIMIT_BYTES, History
from studio.ui.canvas.ink import Ink
from studio.ui.canvas.steps import ExtendStep, Layers, LayersStep, Margins, PaintStep, State, StateStep
from studio.ui.canvas.stroke import Stroke
from studio.ui.canvas.tiles import Box, Patch, Place, Raster, changed_tiles, clipped, part, tile, tiles_in, used_tiles
from studio.ui.canvas.warming import Warmer


class Target(StrEnum):
    """What is painted on."""

    MASK = "mask"
    HINTS = "hints"


class CanvasDocument(QObject):
    """`layers` bottom first, `hints` uint8 [H, W, 4] (straight alpha), `mask` uint8 [H, W] (255 = draw here, 0 = keep).

    The arrays it shows are read-only; change them with the actions, which can all be undone with `undo`. What undo holds
    stays under `undo_bytes`: the oldest steps are forgotten first. `changed` names the rectangle in which mask, hints or
    layers look different, `painted` which raster it was; `resized` comes after the size and everything else changed.
    """

    changed = Signal(QRect)
    painted = Signal(object, QRect)
    """(Target, rectangle)"""
    moved = Signal(int, int)
    """Extended, or that undone: what lay at (0, 0) lies at these places now; `resized` follows."""
    resized = Signal()
    layers_changed = Signal()

    def __init__(self, parent: QObject | None = None, *, undo_bytes: int = LIMIT_BYTES) -> None:
        super().__init__(parent)
        self.undo = History(self, undo_bytes)
        self._layers: Layers = ()
        self._rasters: dict[Target, Raster] = {Target.MASK: np.zeros((0, 0), np.uint8), Target.HINTS: np.zeros((0, 0, 4), np.uint8)}
        self._coverage = np.zeros((0, 0), np.uint8)
        self._warmer = Warmer(self)
        self._used: dict[Target, set[Place]] = {target: set() for target in Target}
        self._frozen: dict[Target, Raster | None] = {}
        self._revisions = dict.fromkeys(Target, 0)

    # -- what it holds --

    @property
    def width(self) -> int:
        return self._rasters[Target.MASK].shape[1]

    @property
    def height(self) -> int:
        return self._rasters[Target.MASK].shape[0]

    @property
    def is_empty(self) -> bool:
        """Whether no picture was opened yet."""
        return self.width == 0

    @property
    def layers(self) -> Sequence[Layer]:
        return self._layers

    @property
    def mask(self) -> Raster:
        return self.raster(Target.MASK)

    @property
    def hints(self) -> Raster:
        return self.raster(Target.HINTS)

    def raster(self, target: Target) -> Raster:
        """A read-only view of what is painted on."""
        view = self._rasters[target].view()
        view.setflags(write=False)
        return view

    def revision(self, target: Target) -> int:
        """Goes up with every change of a raster."""
        return self._revisions[target]

    def frozen(self, target: Target) -> Raster | None:
        """A read-only copy of a raster, or None when nothing is painted on it; the last one while it holds.

        Only tiles that were ever painted on are looked at and copied: the rest of a large picture costs neither time nor
        memory, since numpy's zeros are not there before they are written.
        """
        if target not in self._frozen:
            raster = self._rasters[target]
            painted = [place for place in self._used[target] if tile(raster, place).any()]
            copy = np.zeros(raster.shape, np.uint8) if painted else None
            if copy is not None:
                for place in painted:
                    tile(copy, place)[...] = tile(raster, place)
                copy.setflags(write=False)
            self._frozen[target] = copy
        return self._frozen[target]

    def is_painted(self, target: Target) -> bool:
        """Whether anything may be on a raster; False is certain."""
        return bool(self._used[target])

    def flattened(self) -> Raster:
        """The layers as one picture, uint8 [H, W, 3] where it is opaque, else [H, W, 4]; without hints.

        Tenths of a second for several layers of 4096 × 4096: a job calls `compositing.flatten(layers, ...)` instead.
        """
        return flatten(self._layers, self.width, self.height)

    # -- painting --

    def begin_stroke(self, target: Target, ink: Ink, brush: Brush, text: str) -> Stroke:
        """A stroke on a raster: `to` the points of the path, then `finish` (one undoable step) or `restart` (nothing)."""
        def painted(boxes: list[Box]) -> None:
            for box in boxes:
                self._tell_painted(target, box)

        raster = self._rasters[target]
        return Stroke(raster, self._coverage, ink, brush, painted, lambda patch: self._record_paint(target, patch, text))

    def prepare(self, target: Target) -> None:
        """Get ready for painting on a raster: its memory is taken in the next moments, not under the first strokes."""
        self._warmer.warm([self._coverage, self._rasters[target]])

    @property
    def prepared(self) -> bool:
        """Whether nothing of that is left to do."""
        return self._warmer.done

    def cover(self, target: Target, left: int, top: int, coverage: Raster, ink: Ink, text: str) -> None:
        """Paint through `coverage` [h, w] uint8, its upper left pixel at (left, top); one undoable step."""
        stroke = self.begin_stroke(target, ink, Brush(), text)
        stroke.stencil(left, top, coverage)
        stroke.finish()

    def edit_mask(self, edit: Callable[[Raster], Raster], text: str = "Edit mask") -> None:
        """Replace the mask by `edit(mask)`, at once: for what takes milliseconds. What takes longer at this size (grow,
        feather, flood) is computed elsewhere from a copy (`operations.WholeMask`) and given to `set_mask`.
        """
        self.set_mask(edit(self.mask), text)

    def set_mask(self, mask: Raster, text: str = "Change mask") -> None:
        """Replace the mask. Raises ValueError when its shape or type is another."""
        self._replace(Target.MASK, mask, text)

    def set_hints(self, hints: Raster, text: str = "Change colour hints") -> None:
        """Replace the colour hints. Raises ValueError when their shape or type is another."""
        self._replace(Target.HINTS, hints, text)

    def clear_mask(self) -> None:
        """Select nothing."""
        self._replace(Target.MASK, np.zeros(self.mask.shape, np.uint8), "Clear mask")

    def clear_hints(self) -> None:
        """Take all colour hints away."""
        self._replace(Target.HINTS, np.zeros(self.hints.shape, np.uint8), "Clear colour hints")

    # -- layers and size --

    def set_picture(self, picture: Raster, name: str = "Picture") -> None:
        """Begin with a picture, uint8 [H, W], [H, W, 3] or [H, W, 4]; mask and hints are empty. Raises ValueError."""
        pixels = as_rgba(picture)
        height, width = pixels.shape[:2]
        check_size(width, height)
        self._become(_blank(width, height, (Layer(name, pixels),)), "Open picture")

    def add_layer(self, name: str, pixels: Raster) -> None:
        """Put a layer of the document's size on top. Raises ValueError for another size."""
        made = Layer(name, as_rgba(pixels))
        if made.pixels.shape[:2] != (self.height, self.width):
            raise ValueError(f"a layer here is {self.width} × {self.height} pixels, not {made.pixels.shape[1]} × {made.pixels.shape[0]}")
        self._set_layers((*self._layers, made), f"Add layer “{name}”")

    def remove_layer(self, index: int) -> None:
        """Take a layer away. Raises IndexError."""
        gone = self._layers[index]
        self._set_layers(tuple(layer for layer in self._layers if layer is not gone), f"Remove layer “{gone.name}”")

    def move_layer(self, index: int, to: int) -> None:
        """Put a layer between others: `to` is its index afterwards. Raises IndexError."""
        layers = list(self._layers)
        layers.insert(to, layers.pop(index))
        self._set_layers(tuple(layers), "Move layer")

    def change_layer(
        self, index: int, *, name: str | None = None, visible: bool | None = None, opacity: float | None = None
    ) -> None:
        """Rename, show, hide or fade a layer. Raises IndexError, or ValueError for an opacity outside 0 to 1."""
        given = {"name": name, "visible": visible, "opacity": opacity}
        layers = list(self._layers)
        layers[index] = replace(layers[index], **{key: value for key, value in given.items() if value is not None})
        self._set_layers(tuple(layers), "Change layer")

    def extend(self, left: int, top: int, right: int, bottom: int) -> None:
        """Make the canvas larger by so many pixels on each side: the new area is transparent and selected in the mask.

        Raises ValueError for negative margins or a size beyond the limit.
        """
        margins = (left, top, right, bottom)
        if min(margins) < 0:
            raise ValueError("the canvas is only made larger here: give margins of 0 or more pixels")
        check_size(self.width + left + right, self.height + top + bottom)
        if any(margins):
            self._extend(margins)
            self.undo.record(ExtendStep("Extend canvas", margins, self._extend, self._cut))

    # -- as a value --

    def content(self) -> DocumentContent:
        """The document as a value for the archive: arrays that are not written to any more, and the same objects as last
        time where nothing changed. Versions, request and view are the panel's to add. Raises ValueError while empty.
        """
        mask, hints = self.frozen(Target.MASK), self.frozen(Target.HINTS)
        return DocumentContent(self.width, self.height, self._layers, hints, mask)

    def restore(self, content: DocumentContent) -> None:
        """Become what was kept; there is nothing to undo then."""
        layers = tuple(replace(layer, pixels=as_rgba(layer.pixels)) for layer in content.layers)
        state = _blank(content.width, content.height, layers)
        for raster, kept in ((state.mask, content.mask), (state.hints, content.hints)):
            if kept is not None:
                raster[...] = kept
        self.undo.clear()
        self._show(state)

    # -- behind the actions --

    def _state(self) -> State:
        return State(self.width, self.height, self._layers, self._rasters[Target.MASK], self._rasters[Target.HINTS])

    def _become(self, state: State, text: str) -> None:
        before = self._state()
        self._show(state)
        self.undo.record(StateStep(text, before, self._state, self._show))

    def _show(self, state: State) -> None:
        self._rasters = {Target.MASK: state.mask, Target.HINTS: state.hints}
        self._coverage = np.zeros((state.height, state.width), np.uint8)
        self._layers = state.layers
        for target, raster in self._rasters.items():
            self._used[target] = set(used_tiles(raster))
            self._raster_changed(target)
        self.resized.emit()
        self._show_layers(state.layers)

    def _set_layers(self, layers: Layers, text: str) -> None:
        before = self._layers
        self._show_layers(layers)
        self.undo.record(LayersStep(text, before, lambda: self._layers, self._show_layers))

    def _show_layers(self, layers: Layers) -> None:
        self._layers = layers
        self.layers_changed.emit()
        self.changed.emit(QRect(0, 0, self.width, self.height))

    def _extend(self, margins: Margins) -> None:
        left, top, right, bottom = margins
        inside = (left, top, left + self.width, top + self.height)
        state = _blank(self.width + left + right, self.height + top + bottom, ())
        state.mask[...] = 255
        for target, raster in ((Target.MASK, state.mask), (Target.HINTS, state.hints)):
            part(raster, inside)[...] = self._rasters[target]
        layers = []
        for layer in self._layers:
            pixels = np.zeros((state.height, state.width, 4), np.uint8)
            part(pixels, inside)[...] = layer.pixels
            pixels.setflags(write=False)
            layers.append(replace(layer, pixels=pixels))
        self.moved.emit(left, top)
        self._show(replace(state, layers=tuple(layers)))

    def _cut(self, margins: Margins) -> None:
        left, top, right, bottom = margins
        inside = (left, top, self.width - right, self.height - bottom)
        layers = tuple(replace(layer, pixels=as_rgba(part(layer.pixels, inside))) for layer in self._layers)
        mask, hints = (part(self._rasters[target], inside).copy() for target in (Target.MASK, Target.HINTS))
        self.moved.emit(-left, -top)
        self._show(State(inside[2] - left, inside[3] - top, layers, mask, hints))

    def _replace(self, target: Target, wanted: Raster, text: str) -> None:
        raster = self._rasters[target]
        if wanted.dtype != np.uint8 or wanted.shape != raster.shape:
            raise ValueError(f"the {target} is uint8 {list(raster.shape)}, not {wanted.dtype} {list(wanted.shape)}")
        whole = clipped((0, 0, self.width, self.height), raster)
        places = changed_tiles(raster, wanted, tiles_in(whole)) if whole else []
        patch = Patch({place: tile(raster, place) for place in places})
        for place in places:
            tile(raster, place)[...] = tile(wanted, place)
        self._record_paint(target, patch, text)
        if patch.box is not None:
            self._tell_painted(target, patch.box)

    def _record_paint(self, target: Target, patch: Patch, text: str) -> None:
        if patch:
            self.undo.record(
                PaintStep(text, patch, lambda: self._rasters[target], lambda box: self._tell_painted(target, box))
            )

    def _tell_painted(self, target: Target, box: Box) -> None:
        inside = clipped(box, self._rasters[target])
        if inside is not None:
            self._used[target].update(tiles_in(inside))
            self._raster_changed(target)
            rect = QRect(inside[0], inside[1], inside[2] - inside[0], inside[3] - inside[1])
            self.painted.emit(target, rect)
            self.changed.emit(rect)

    def _raster_changed(self, target: Target) -> None:
        self._revisions[target] += 1
        self._frozen.pop(target, None)


def _blank(width: int, height: int, layers: Layers) -> State:
    return State(width, height, layers, np.zeros((height, width), np.uint8), np.zeros((height, width, 4), np.uint8))
