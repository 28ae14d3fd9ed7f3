"""What the person has drawn: fill the selection, compare the methods on it, lay a version over the picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PySide6.QtCore import QObject

from studio.host.panel import Panel
from studio.host.request import RequestError
from studio.ui.canvas.document import CanvasDocument, Target
from studio_plugins.inpaint.controls import Controls
from studio_plugins.inpaint.desk import Desk
from studio_plugins.inpaint.onto import CanvasOrder
from studio_plugins.inpaint.request import InpaintRequest, MethodsRequest
from studio_plugins.inpaint.shot import Camera
from studio_plugins.inpaint.versions import Version, Versions


class Painting(QObject):
    """Asks the desk for runs, and applies what came of them, when the person says so."""

    def __init__(
        self, panel: Panel, document: CanvasDocument, versions: Versions, controls: Controls, desk: Desk,
        camera: Camera, ask_for_picture: Callable[[], None],
    ) -> None:  # fmt: skip
        super().__init__(panel)
        self._panel, self._document, self._versions, self._controls = panel, document, versions, controls
        self._desk, self._camera, self._ask_for_picture = desk, camera, ask_for_picture

    def paint(self) -> None:
        """Draw into the selection."""
        if not self._controls.seed.fixed:
            self._controls.seed.advance()
        self._submit(InpaintRequest)

    def compare_methods(self) -> None:
        """Draw into the selection by every method."""
        self._submit(MethodsRequest)

    def paint_again(self, version: Version) -> None:
        """Apply a version, and draw into the same selection of the result."""
        self.apply(version)
        self.paint()

    def apply(self, version: Version) -> None:
        """Lay a version over the picture as a layer of its own."""
        if version.applied:
            self._panel.message("This version is a layer already: Ctrl+Z takes it away, the Layers list hides it.")
            return
        patch = version.patch
        pixels = np.zeros((self._document.height, self._document.width, 4), np.uint8)
        top, left = max(0, patch.top), max(0, patch.left)
        there = pixels[top:, left:]  # the picture may be smaller than when it was drawn, the extension undone
        part = patch.pixels[top - patch.top :, left - patch.left :][: there.shape[0], : there.shape[1]]
        there[: part.shape[0], : part.shape[1]] = part
        pixels.setflags(write=False)  # the document need not copy it then
        self._document.add_layer(version.name, pixels)
        version.layer, version.applied = pixels, True
        self._versions.choose(None)
        self._versions.changed.emit()

    def _submit(self, kind: type[InpaintRequest]) -> None:
        if self._document.is_empty:
            actions = [("Open a picture…", self._ask_for_picture)]
            self._panel.message("Open a picture first.", "warning", actions=actions)
            return
        try:
            request = self._controls.request()
        except RequestError as error:
            self._panel.message(f"This cannot be drawn yet. {error}", "error")
            return
        if not self._selected(request.mode):
            self._panel.message("Nothing is selected yet: paint over what should change.", "warning")
            return
        self._panel.message("")
        if request.mode != "refine" and self._document.is_painted(Target.HINTS):
            actions = [("Refine", self._refine)]
            self._panel.message("Colour hints count in the mode Refine only.", "info", actions=actions)
        asked = request if kind is InpaintRequest else kind.checked(**request.to_dict())
        self._desk.paint(CanvasOrder(asked, self._camera.shot()))

    def _selected(self, mode: str) -> bool:
        """Whether there may be something to draw; a job looks more closely."""
        hints = mode == "refine" and self._document.is_painted(Target.HINTS)
        return mode == "extend" or hints or self._document.frozen(Target.MASK) is not None

    def _refine(self) -> None:
        self._controls.form.set_fields({"mode": "refine"})
        self.paint()

    def relieve(self, changes: Mapping[str, Any]) -> None:
        """Change the settings as an error offered, and try again."""
        self._controls.form.set_fields(changes)
        self._submit(InpaintRequest)
