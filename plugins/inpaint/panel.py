"""The Inpaint panel: paint over what should change, say what should be there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QProgressBar, QStackedWidget

from studio.engine import Event, Task
from studio.host.context import PanelContext
from studio.host.panel import Panel
from studio.host.photos import SUFFIXES
from studio.host.pictures import Pixels
from studio.host.request import RequestError, what_fits
from studio.ui.cancel_row import CancelRow
from studio.ui.canvas.document import CanvasDocument, Target
from studio.ui.canvas.settings import CanvasSettings
from studio.ui.canvas.stage import CanvasStage
from studio.ui.cards import EmptyState
from studio.ui.elided import ElidedLabel
from studio.ui.icons import IconButton
from studio.ui.panel_layout import PanelLayout
from studio_plugins.inpaint.controls import Controls
from studio_plugins.inpaint.desk import Desk
from studio_plugins.inpaint.inputs import InpaintInputs
from studio_plugins.inpaint.jobs import InpaintOrder
from studio_plugins.inpaint.opening import Opened
from studio_plugins.inpaint.request import InpaintRequest
from studio_plugins.inpaint.results import InpaintResult
from studio_plugins.inpaint.strip import Strip
from studio_plugins.inpaint.versions import Version, Versions


class InpaintPanel(Panel):
    """Settings on the left, the canvas in the middle with the versions below it, what the network sees on the right."""

    title = "Inpaint"

    def __init__(self, context: PanelContext, parent: Any = None) -> None:
        super().__init__(context, parent)
        self.setAcceptDrops(True)

    # --- life ---

    def build(self) -> None:
        self.zones = PanelLayout(self)  # the first child: its widgets go before what they show
        self.document = CanvasDocument(self)
        self.settings = CanvasSettings(self)
        self.versions = Versions(self)
        self.controls = Controls(self.zones)
        self.desk = Desk(self.context, self)
        self.canvas = CanvasStage(self.document, self.settings, self.zones)
        self.stack = QStackedWidget(self.zones)
        self.stack.addWidget(self._empty_state())
        self.stack.addWidget(self.canvas)
        self.zones.set_stage(self.stack)
        self.strip = Strip(self.versions, self.zones)
        self.zones.add_below_stage(self.strip)
        self.zones.set_primary("Paint", self.paint, shortcut="Ctrl+Return", tip="Draw into the selection")
        self.run_bar = CancelRow(parent=self)
        self.zones.add_secondary(self.run_bar)
        self._add_tools()
        self._connect()

    def _empty_state(self) -> EmptyState:
        return EmptyState(
            "Open a picture, and paint over what should change",
            "Drop a photo here, or paste one. Nothing leaves this computer, and outside your selection not a single "
            "pixel changes.",
            icon="inpaint",
            actions=[("Open a picture…", self.ask_for_picture), ("Try the example", self.open_example)],
        )

    def _add_tools(self) -> None:
        opens = IconButton("open", "Open a picture… (Ctrl+O)", self.zones)
        opens.clicked.connect(lambda _checked=False: self.ask_for_picture())
        self.progress = QProgressBar(self.zones)
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(90)
        self.progress.setAccessibleName("Progress of the drawing")
        self.progress.hide()
        self.status = ElidedLabel(self.zones)
        self.status.setProperty("tone", "muted")
        for widget in (opens, self.progress, self.status):
            self.zones.add_stage_tool(widget)

    def _connect(self) -> None:
        desk = self.desk
        self.controls.changed.connect(self.state_changed)
        self.controls.submitted.connect(self.paint)
        desk.said.connect(self.message)
        desk.status.connect(self._show_status)
        desk.busy.connect(self.run_bar.set_busy)
        desk.opened.connect(self._opened)
        desk.painted.connect(self._painted)
        self.run_bar.cancelled.connect(desk.cancel)
        self.canvas.view.failed.connect(lambda text: self.message(text, "warning"))
        self.strip.apply.connect(self.apply)
        self.strip.discard.connect(self.versions.discard)
        QShortcut(QKeySequence("Ctrl+O"), self).activated.connect(self.ask_for_picture)

    def closing(self) -> None:
        self.canvas.stop()
        self.context.commands.unregister_prefix("inpaint.")

    def state(self) -> dict[str, Any]:
        request = self.controls.valid_request()
        return {
            "request": request.to_dict() if request else {},
            "canvas": self.settings.state(),
            "layout": self.zones.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        stored, canvas = state.get("request"), state.get("canvas")
        if isinstance(stored, Mapping):
            self.controls.form.set_value(what_fits(InpaintRequest, stored)[0])
        if isinstance(canvas, Mapping):
            self.settings.restore(canvas)
        self.zones.restore(state.get("layout"))

    def on_event(self, task: Task, event: Event) -> None:
        self.desk.on_event(task, event)

    # --- pictures coming in ---

    def ask_for_picture(self) -> None:
        """Choose a picture file."""
        names = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        dialog = QFileDialog(self, "Open a picture", "", f"Pictures ({names});;All files (*)")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self.desk.open_file(Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def open_example(self) -> None:
        """A scene that the bundled model knows, and words for it."""
        self.controls.form.set_fields({"prompt": "a cat left of a dog on a blue background", "whole": True})
        self.desk.open_example()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.source() is None and _dropped(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = _dropped(event)
        if path is not None:
            self.desk.open_file(path)
            event.acceptProposedAction()

    def _opened(self, opened: Opened) -> None:
        if opened.pixels is None:
            self._offer_smaller(opened)
            return
        self.versions.clear()
        self.document.set_picture(opened.pixels, opened.name)
        self.stack.setCurrentWidget(self.canvas)
        self.canvas.view.setFocus(Qt.FocusReason.OtherFocusReason)
        self.message(" ".join(opened.notes), "info")

    def _offer_smaller(self, opened: Opened) -> None:
        actions = []
        if opened.smaller is not None and opened.path is not None:
            width, height = opened.smaller
            path = opened.path
            actions.append((f"Open at {width} × {height}", lambda: self.desk.open_file(path, shrink=True)))
        self.message(opened.notes[0], "error", actions=actions)

    # --- painting ---

    def paint(self) -> None:
        """Draw into the selection."""
        if self.document.is_empty:
            self.message("Open a picture first.", "warning", actions=[("Open a picture…", self.ask_for_picture)])
            return
        if not self.controls.seed.fixed:
            self.controls.seed.advance()
        try:
            request = self.controls.request()
        except RequestError as error:
            self.message(f"This cannot be drawn yet. {error}", "error")
            return
        inputs = self._inputs()
        if not inputs.selection(request.mode).any():
            self.message("Nothing is selected yet: paint over what should change.", "warning")
            return
        self.message("")
        self.desk.paint(InpaintOrder(request, inputs))

    def apply(self, version: Version) -> None:
        """Lay a version over the picture as a layer of its own."""
        patch, left, top = version.layer()
        height, width = patch.shape[:2]
        pixels = np.zeros((self.document.height, self.document.width, 4), np.uint8)
        pixels[top : top + height, left : left + width] = patch
        self.document.add_layer(f"{version.result.request.condition or version.result.request.mode} ({version.seed})", pixels)
        version.applied = True

    def _inputs(self) -> InpaintInputs:
        mask: Pixels | None = self.document.frozen(Target.MASK)
        if mask is None:
            mask = np.zeros((self.document.height, self.document.width), np.uint8)
        return InpaintInputs(self.document.flattened(), mask, self.document.frozen(Target.HINTS))

    def _painted(self, order: InpaintOrder, result: InpaintResult) -> None:
        self.versions.choose(self.versions.add(result)[0])

    def _show_status(self, text: str, share: float | None) -> None:
        self.progress.setVisible(share is not None)
        self.progress.setValue(round(1000 * (share or 0.0)))
        self.status.setText(text)


def _dropped(event: QDropEvent) -> Path | None:
    """The first picture file among what is dragged."""
    paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
    return next((path for path in paths if path.suffix.lower() in SUFFIXES), None)
