"""The canvas at one moment, for jobs: nothing is flattened or looked at on the window's thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from studio.host.pictures import Pixels
from studio.ml.diffusion.regions import Mask
from studio.ui.canvas.compositing import Layer, flatten
from studio.ui.canvas.document import CanvasDocument, Target
from studio_plugins.inpaint.inputs import InpaintInputs, without_idle_alpha


class Flat:
    """Layers seen from above, flattened when first asked for and kept as long as the layers are the same."""

    def __init__(self, layers: Sequence[Layer], width: int, height: int) -> None:
        self._layers, self._size = layers, (width, height)
        self._picture: Pixels | None = None
        self._lock = threading.Lock()

    def picture(self) -> Pixels:
        """[H, W, 3] where it is opaque, else [H, W, 4]. Any thread."""
        with self._lock:
            if self._picture is None:
                self._picture = without_idle_alpha(flatten(self._layers, *self._size))
            return self._picture


class Shot:
    """What a run needs of the canvas. `release` it when the run is over: ended tasks are remembered."""

    def __init__(self, flat: Flat, mask: Mask | None, hints: Pixels | None, size: tuple[int, int]) -> None:
        self._parts: tuple[Flat, Mask | None, Pixels | None] | None = (flat, mask, hints)
        self._size = size

    def inputs(self) -> InpaintInputs:
        """The pixels; in a job, which may begin again when memory runs out. Raises RuntimeError once released."""
        if self._parts is None:
            raise RuntimeError("This picture of the canvas was released; take another.")
        flat, mask, hints = self._parts
        width, height = self._size
        empty = np.zeros((height, width), np.uint8)
        return InpaintInputs(flat.picture(), empty if mask is None else mask.copy(), hints)

    def release(self) -> None:
        """Let go of the pixels."""
        self._parts = None


class Camera:
    """Takes shots of a document; shots of the same layers share what they look like from above."""

    def __init__(self, document: CanvasDocument) -> None:
        self._document = document
        self._flat: tuple[Sequence[Layer], Flat] | None = None

    def flat(self) -> Flat:
        """The layers as they are now."""
        document = self._document
        if self._flat is None or self._flat[0] is not document.layers:
            self._flat = (document.layers, Flat(document.layers, document.width, document.height))
        return self._flat[1]

    def glance(self) -> Shot:
        """For a look while one paints, at no cost: mask and hints are read by the job, perhaps in mid-stroke."""
        document = self._document
        painted = {target: document.raster(target) if document.is_painted(target) else None for target in Target}
        return Shot(self.flat(), painted[Target.MASK], painted[Target.HINTS], (document.width, document.height))

    def shot(self) -> Shot:
        """The document as it is now."""
        document = self._document
        mask, hints = document.frozen(Target.MASK), document.frozen(Target.HINTS)
        return Shot(self.flat(), mask, hints, (document.width, document.height))
