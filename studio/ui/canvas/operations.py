"""What takes longer than a frame on a whole picture: computed on another thread from read-only copies, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal

from studio.ml.vision import masks
from studio.ui.background import Background
from studio.ui.canvas.compositing import Layer, flatten
from studio.ui.canvas.document import CanvasDocument, Target
from studio.ui.canvas.tiles import Raster

Work = Callable[[], Raster]
Take = Callable[[Raster], None]


class Runner(Protocol):
    """Does work off the GUI thread and answers on it; `Background.run`, or a panel's own that makes it a job."""

    def __call__(self, work: Callable[[], Any], then: Callable[[Any], None], failed: Callable[[Exception], None]) -> None: ...


class WholeMask(QObject):
    """Grow, shrink, feather and flood for one document. While `busy` says what is done, the canvas takes no strokes;
    `cancel` drops the answer. An answer for a mask that has changed meanwhile is dropped too, and said.
    """

    busy_changed = Signal(str)
    failed = Signal(str)

    def __init__(self, document: CanvasDocument, parent: QObject | None = None, run: Runner | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.busy = ""
        self._run = run
        self._own: Background | None = None
        self._order = 0

    def grow(self, radius: float) -> None:
        """Enlarge the selection by `radius` pixels."""
        self._edit("Grow mask", lambda mask: masks.grow(mask, radius))

    def shrink(self, radius: float) -> None:
        """Make the selection smaller by `radius` pixels."""
        self._edit("Shrink mask", lambda mask: masks.shrink(mask, radius))

    def feather(self, sigma: float) -> None:
        """Soften the edges of the selection with a Gaussian of `sigma` pixels."""
        self._edit("Feather mask", lambda mask: masks.feather(mask, sigma))

    def flood(self, x: int, y: int, tolerance: int, contiguous: bool, hints: bool, take: Take) -> None:
        """Find where the picture (with its colour hints, if `hints`) has the colour at (x, y); `take` gets uint8 [H, W]."""
        document = self.document
        layers, width, height = list(document.layers), document.width, document.height
        painted = document.frozen(Target.HINTS) if hints else None
        if painted is not None:
            layers.append(Layer("hints", painted))

        def work() -> Raster:
            found: Raster = masks.flood(flatten(layers, width, height), (x, y), tolerance, contiguous)
            return found

        self._start("Fill by colour", work, take)

    def cancel(self) -> None:
        """Drop what is being computed."""
        if self.busy:
            self._order += 1
            self._set_busy("")

    def close(self) -> bool:
        """Wait for the thread to end; False if it does not."""
        self.cancel()
        own, self._own = self._own, None
        return own.close() if own is not None else True

    def _edit(self, text: str, edit: Callable[[Raster], Raster]) -> None:
        mask = self.document.frozen(Target.MASK)
        if mask is not None:  # growing, shrinking and feathering nothing gives nothing
            self._start(text, lambda: edit(mask), lambda made: self.document.set_mask(made, text))

    def _start(self, text: str, work: Work, take: Take) -> None:
        if self.busy:
            return
        self._order += 1
        order, revisions = self._order, self._revisions()

        def then(made: Raster) -> None:
            if order == self._order:
                self._set_busy("")
                if revisions == self._revisions():
                    take(made)
                else:
                    self.failed.emit(f"{text}: the canvas changed meanwhile, so nothing was done. Try again.")

        def failed(error: Exception) -> None:
            if order == self._order:
                self._set_busy("")
                self.failed.emit(f"{text} was not possible. {error or type(error).__name__}")

        self._set_busy(text)
        self._runner()(work, then, failed)

    def _runner(self) -> Runner:
        if self._run is not None:
            return self._run
        if self._own is None:
            self._own = Background("canvas", self)
        return self._own.run

    def _revisions(self) -> tuple[int, ...]:
        return (self.document.width, self.document.height, *(self.document.revision(target) for target in Target))

    def _set_busy(self, text: str) -> None:
        if text != self.busy:
            self.busy = text
            self.busy_changed.emit(text)
