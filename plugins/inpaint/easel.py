"""Between the desk and what one sees: runs and versions onto the canvas, the strip and the insight column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QTimer

from studio.host.pictures import Pixels
from studio.ui.canvas.document import CanvasDocument
from studio_plugins.inpaint.controls import Controls
from studio_plugins.inpaint.desk import Desk
from studio_plugins.inpaint.insight import Insight
from studio_plugins.inpaint.looking import Looking
from studio_plugins.inpaint.methods_page import MethodsPage
from studio_plugins.inpaint.onto import CanvasOrder, Drawn, Reread
from studio_plugins.inpaint.painters import Painted
from studio_plugins.inpaint.request import InpaintRequest, MethodsRequest
from studio_plugins.inpaint.results import InpaintResult, MethodsResult
from studio_plugins.inpaint.shot import Camera
from studio_plugins.inpaint.sight import LookOrder, Seen
from studio_plugins.inpaint.stage_bar import StageBar
from studio_plugins.inpaint.strip import Strip
from studio_plugins.inpaint.versions import Version, Versions

if TYPE_CHECKING:
    from studio.ml.diffusion.views import View

_LOOK_PAUSE_MS = 40


class Easel(QObject):
    """Follows a desk. `look` asks anew what the network would see of the canvas."""

    def __init__(
        self, desk: Desk, document: CanvasDocument, versions: Versions, controls: Controls, looking: Looking,
        strip: Strip, insight: Insight, bar: StageBar, methods: MethodsPage,
    ) -> None:  # fmt: skip
        super().__init__(desk)
        self._desk, self._document, self._versions, self._controls = desk, document, versions, controls
        self._looking, self._strip, self._insight, self._bar, self._methods = looking, strip, insight, bar, methods
        self.camera = Camera(document)
        self._running: InpaintRequest | None = None
        self._view: View | None = None
        self._wanted = ""
        self._noisy = False
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_LOOK_PAUSE_MS)
        self._pause.timeout.connect(self._ask)
        for changed in (document.changed, document.resized, controls.changed):
            changed.connect(self.look)
        controls.changed.connect(self._show_formula)
        desk.seen.connect(self._show_seen)
        desk.begun.connect(self._begin)
        desk.viewed.connect(self._take_view)
        desk.previewed.connect(self._preview)
        desk.stepped.connect(self._stepped)
        desk.painted.connect(self._painted)
        desk.compared.connect(self._compared)
        desk.ended.connect(self._end)
        desk.read_back.connect(self._read_back)
        versions.chosen.connect(self._choose)
        document.moved.connect(versions.shift)
        document.layers_changed.connect(lambda: versions.follow_layers(document.layers))
        strip.timeline.moved.connect(lambda _step: self._show_step())
        bar.noisy.connect(self._set_noisy)
        bar.way.connect(looking.set_way)
        looking.way_changed.connect(bar.show_way)
        self._show_formula()

    def stop(self) -> None:
        """End timers."""
        self._pause.stop()
        self._strip.timeline.stop()
        self._looking.stop()

    # --- what the network would see ---

    def look(self, *_what: object) -> None:
        """Something changed: soon ask what the network sees now."""
        if not self._pause.isActive():
            self._pause.start()

    def _ask(self) -> None:
        request = self._controls.valid_request()
        if request is None or self._document.is_empty or not self._controls.size:
            self._insight.show_seen(None)
            return
        self._desk.look(LookOrder(request, self.camera.glance(), self._controls.size, self._controls.native))

    def _show_seen(self, seen: Seen | None) -> None:
        self._insight.show_seen(seen)

    def _show_formula(self) -> None:
        if self._running is None and self._versions.current is None:
            request = self._controls.valid_request()
            if request is not None:
                self._insight.show_request(request)

    # --- a run ---

    def _begin(self, order: CanvasOrder) -> None:
        self._running, self._view = order.request, None
        if isinstance(order.request, MethodsRequest):
            self._methods.begin(order.request)
        else:
            self._versions.choose(None)
        self._insight.show_request(order.request)

    def _take_view(self, view: View) -> None:
        self._view = view

    def _preview(self, pictures: Pixels, label: str) -> None:
        if isinstance(self._running, MethodsRequest):
            self._methods.preview(label, pictures)
        elif self._running is not None and self._view is not None and self._versions.current is None:
            self._looking.live(self._view, pictures)

    def _stepped(self, step: Painted) -> None:
        if self._running is not None:
            self._insight.show_step(self._running, step)

    def _painted(self, _order: CanvasOrder, drawn: Drawn) -> None:
        self._running = None
        self._versions.choose(self._versions.add(drawn)[0])

    def _compared(self, result: MethodsResult) -> None:
        self._running = None
        self._methods.show_result(result)

    def _end(self) -> None:
        """A run is over, however it ended: nothing of it stays on the canvas but versions."""
        self._running, self._view = None, None
        if self._versions.current is None:
            self._looking.show_version(None)

    # --- a version ---

    def _choose(self, version: Version | None) -> None:
        self._looking.show_version(version)
        self._insight.show_seam(version)
        self._show_steps(version)
        if version is None:
            self._show_formula()
        elif version.result is None and version.record_id and version.record_id != self._wanted:
            self._wanted = version.record_id
            self._desk.read(version.record_id)

    def _read_back(self, read: Reread) -> None:
        if isinstance(read.result, InpaintResult):
            self._versions.read_back(read.record_id, read.result)
            self._choose(self._versions.current)

    def _show_steps(self, version: Version | None) -> None:
        steps = version.result.filled.steps if version is not None and version.result is not None else ()
        self._strip.show_steps(0)
        self._strip.show_steps(len(steps))
        self._bar.offer(version=version is not None, steps=any(step.x_t is not None for step in steps))
        if version is None or not steps:
            return
        timeline = self._strip.timeline
        for place, step in enumerate(steps):
            if step.x0 is not None:
                timeline.set_thumbnail(place, np.ascontiguousarray(step.x0[version.index]))
        timeline.set_labels([f"t = {step.t:.0f}" for step in steps])
        timeline.set_breaks([i for i in range(1, len(steps)) if steps[i].stage != steps[i - 1].stage])
        self._insight.show_request(version.request)
        self._insight.show_step(version.request, steps[-1])
        if self._noisy:
            self._show_step()

    def _show_step(self) -> None:
        version, place = self._versions.current, self._strip.timeline.value
        if version is None or version.result is None:
            return
        steps = version.result.filled.steps
        if 0 <= place < len(steps):
            self._insight.show_step(version.request, steps[place])
            if place == len(steps) - 1 and not self._noisy:
                self._looking.show_version(version)
            else:
                self._looking.show_step(version, steps[place], noisy=self._noisy)

    def _set_noisy(self, on: bool) -> None:
        self._noisy = on
        self._show_step()
