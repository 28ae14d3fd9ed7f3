"""The Inpaint panel: paint over what should change, say what should be there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QPushButton, QStackedWidget

from studio.engine import Event, Task
from studio.host.context import PanelContext
from studio.host.documents import DocumentContent
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.host.request import what_fits
from studio.ui.cancel_row import CancelRow
from studio.ui.canvas.document import CanvasDocument
from studio.ui.canvas.settings import CanvasSettings
from studio.ui.canvas.stage import CanvasStage
from studio.ui.cards import EmptyState
from studio.ui.panel_layout import PanelLayout
from studio_plugins.inpaint import demo
from studio_plugins.inpaint.commands import register_commands
from studio_plugins.inpaint.controls import Controls
from studio_plugins.inpaint.desk import Desk
from studio_plugins.inpaint.easel import Easel
from studio_plugins.inpaint.filing import Filing
from studio_plugins.inpaint.insight import Insight
from studio_plugins.inpaint.intake import Intake, dropped
from studio_plugins.inpaint.looking import Looking
from studio_plugins.inpaint.methods_page import MethodsPage
from studio_plugins.inpaint.onto import CanvasOrder
from studio_plugins.inpaint.outlet import Outlet
from studio_plugins.inpaint.painting import Painting
from studio_plugins.inpaint.request import InpaintRequest, MethodsRequest
from studio_plugins.inpaint.stage_bar import StageBar
from studio_plugins.inpaint.strip import Strip
from studio_plugins.inpaint.versions import Version, Versions


class InpaintPanel(Panel):
    """Settings on the left, the canvas in the middle with the versions below it, what the network sees on the right."""

    title = "Inpaint"

    def __init__(self, context: PanelContext, parent: Any = None) -> None:
        super().__init__(context, parent)
        self.setAcceptDrops(True)

    # --- life ---

    def build(self) -> Iterator[None]:
        self.zones = PanelLayout(self)  # the first child: its widgets go before what they show
        self.document = CanvasDocument(self)
        self.settings = CanvasSettings(self)
        self.versions = Versions(self)
        self.controls = Controls(self.zones)
        yield
        self.desk = Desk(self.context, self)
        self.canvas = CanvasStage(self.document, self.settings, self.zones)
        yield
        self.looking = Looking(self.canvas, self)
        self.methods = MethodsPage(self.zones)
        self.strip = Strip(self.versions, self.zones)
        self.insight = Insight(self.zones, self.document)
        self.filing = Filing(
            self.desk, self.document, self.versions, self._request_state, self._view_state,
            lambda: self.canvas.view.busy,
        )  # fmt: skip
        self.intake = Intake(self, self.desk, self.filing, self.document, self.versions, self.controls)
        self.bar = StageBar(self.zones, self._document_menu(), self)
        self.easel = Easel(
            self.desk, self.document, self.versions, self.controls, self.looking, self.strip, self.insight, self.bar,
            self.methods,
        )  # fmt: skip
        self.outlet = Outlet(
            self, self.desk, self.filing, self.versions, self.controls, self.methods, self.easel.camera.flat
        )
        self.painting = Painting(
            self, self.document, self.versions, self.controls, self.desk, self.easel.camera, self.intake.ask
        )
        self._build_stage()
        self._connect()
        register_commands(self)
        self._start = QTimer(self)
        self._start.setSingleShot(True)
        self._start.timeout.connect(self.filing.look_for_others)
        self._start.start(0)  # the state of the last session comes first; what that opens is not offered

    def _build_stage(self) -> None:
        self.stack = QStackedWidget(self.zones)
        self.empty = self._empty_state()
        for page in (self.empty, self.canvas, self.methods):
            self.stack.addWidget(page)
        self.zones.set_stage(self.stack)
        self.zones.add_below_stage(self.strip)
        self.zones.set_primary("Paint", self.painting.paint, shortcut="Ctrl+Return", tip="Draw into the selection")
        self.compare_button = QPushButton("Compare methods", self.zones)
        self.compare_button.setToolTip("Fill the selection by every method the model knows, from the same noise")
        self.compare_button.clicked.connect(lambda _checked=False: self.painting.compare_methods())
        self.compare_button.setProperty("role", "link")
        self.run_bar = CancelRow(parent=self)
        self.run_bar.layout().insertWidget(0, self.compare_button)  # type: ignore[union-attr]
        self.zones.add_secondary(self.run_bar)
        self._show_page(self.empty)
        self._show_document()

    def _empty_state(self) -> EmptyState:
        return EmptyState(
            "Open a picture, and paint over what should change",
            "Drop a photo here, or paste one (Ctrl+V). Nothing leaves this computer, and outside your selection not a "
            "single pixel changes.",
            icon="inpaint",
            actions=[
                ("Open a picture…", self.intake.ask), ("Try the example", self.intake.example),
                ("New blank picture", self.intake.blank),
            ],
        )  # fmt: skip

    def _document_menu(self) -> list[tuple[str, Callable[[], object]] | None]:
        return [
            ("New blank picture", lambda: self.intake.blank()), ("Open the example", lambda: self.intake.example()),
            ("Paste (Ctrl+V)", lambda: self.intake.paste()), None,
            ("Save as… (Ctrl+Shift+S)", lambda: self.outlet.save_as()),
            ("Export the picture…", lambda: self.outlet.export_picture()),
            ("Export layers (.ora)…", lambda: self.outlet.export_layers()), None,
            ("Copy as Python", lambda: self.outlet.copy_script()),
        ]  # fmt: skip

    def _connect(self) -> None:
        desk, bar, filing = self.desk, self.bar, self.filing
        self.controls.changed.connect(self._edited)
        self.controls.submitted.connect(self.painting.paint)
        desk.said.connect(self.message)
        desk.status.connect(bar.show_status)
        desk.busy.connect(self.run_bar.set_busy)
        desk.relieved.connect(self.painting.relieve)
        desk.begun.connect(self._begun)
        self.run_bar.cancelled.connect(desk.cancel)
        self.methods.closed.connect(lambda: self._show_page(self.canvas))
        self.methods.taken.connect(lambda method: self.controls.form.set_fields({"method": method}))
        self.methods.taken.connect(lambda _method: self._show_page(self.canvas))
        self.canvas.view.failed.connect(lambda text: self.message(text, "warning"))
        self.strip.apply.connect(self.painting.apply)
        self.strip.again.connect(self.painting.paint_again)
        self.versions.chosen.connect(self._chosen)
        self.versions.changed.connect(lambda: self._show_page(self.stack.currentWidget()))
        self.document.resized.connect(self._resized)
        self.document.moved.connect(self._moved)
        self.settings.changed.connect(self.state_changed)
        filing.changed.connect(self._show_document)
        filing.shown.connect(self._show_content)
        filing.said.connect(lambda text, level: self.message(text, level))
        bar.open.connect(self.intake.ask)
        bar.save.connect(self.outlet.save)
        for keys, action in (
            ("Ctrl+S", self.outlet.save), ("Ctrl+Shift+S", self.outlet.save_as), ("Ctrl+V", self.intake.paste),
            ("Esc", self._escape), ("Alt+Left", lambda: self.versions.step(-1)),
            ("Alt+Right", lambda: self.versions.step(1)),
        ):  # fmt: skip
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(action)

    def closing(self) -> None:
        self._start.stop()
        self.filing.close()
        self.easel.stop()
        self.canvas.stop()
        self.context.commands.unregister_prefix("inpaint.")

    def state(self) -> dict[str, Any]:
        return {
            "request": self._request_state(),
            "keep_seed": self.controls.seed.fixed,
            "canvas": self.settings.state(),
            "layout": self.zones.state(),
            "document": self.filing.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        stored, canvas, document = (state.get(name) for name in ("request", "canvas", "document"))
        if isinstance(stored, Mapping):
            self.controls.form.set_value(what_fits(InpaintRequest, stored)[0])
        if isinstance(state.get("keep_seed"), bool):
            self.controls.seed.set_fixed(state["keep_seed"])
        if isinstance(canvas, Mapping):
            self.settings.restore(canvas)
        self.zones.restore(state.get("layout"))
        if isinstance(document, Mapping) and self.filing.reopen(document):
            self._start.stop()

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        return self.intake.restore_request(kind, request)

    def exportables(self) -> Sequence[Exportable]:
        return self.outlet.exportables()

    def demo(self) -> None:
        demo.show(self)

    def on_event(self, task: Task, event: Event) -> None:
        self.desk.on_event(task, event)

    # --- what is shown ---

    def _show_page(self, page: Any) -> None:
        if page is self.canvas and self.document.is_empty:
            page = self.empty
        self.stack.setCurrentWidget(page)
        self.strip.setVisible(page is self.canvas and bool(self.versions.all))
        self.compare_button.setEnabled(not self.document.is_empty)

    def _resized(self) -> None:
        self._show_page(self.canvas)
        self.canvas.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _moved(self, left: int, top: int) -> None:
        if min(left, top) >= 0 and self.controls.form.value().mode in ("replace", "remove"):
            self.controls.form.set_fields({"mode": "extend"})
            self.message("The new area is selected, besides what was: Paint draws it.", "info")

    def _begun(self, order: CanvasOrder) -> None:
        self._show_page(self.methods if isinstance(order.request, MethodsRequest) else self.canvas)

    def _chosen(self, version: Version | None) -> None:
        if version is not None:
            self._show_page(self.canvas)

    def _show_document(self) -> None:
        path = self.filing.path
        where = str(path) if path is not None else "not saved as a file yet" if self.filing.title else ""
        tip = f"{self.filing.title}: {where}{', with changes that are not saved' if self.filing.unsaved else ''}"
        self.bar.show_document(self.filing.name, tip, unsaved=self.filing.unsaved)
        self.state_changed.emit()

    def _show_content(self, content: DocumentContent) -> None:
        """A document was opened: its settings and its zoom are part of it."""
        if content.request is not None:
            self.controls.form.set_value(what_fits(InpaintRequest, content.request)[0])
        zoom = content.view.get("zoom")
        if isinstance(zoom, Mapping):
            self.canvas.view.restore_view(zoom)

    def _edited(self) -> None:
        self.filing.touch()
        self.state_changed.emit()

    def _escape(self) -> None:
        if self.stack.currentWidget() is self.methods:
            self._show_page(self.canvas)
        elif self.desk.pending():
            self.desk.cancel()
        else:
            self.versions.choose(None)

    def _request_state(self) -> dict[str, Any]:
        request = self.controls.valid_request()
        return request.to_dict() if request is not None else {}

    def _view_state(self) -> dict[str, Any]:
        return {"zoom": self.canvas.view.view_state()}

    def look_for_models(self) -> None:
        """Find what models came since, and say which cannot be used."""
        problems = self.controls.look_again()
        self.message(" ".join(problems) or "The lists of models are up to date.", "warning" if problems else "success")

    # --- what is dropped here ---

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path: Path | None = dropped(event.mimeData())
        if path is not None:
            self.intake.open(path)
            event.acceptProposedAction()
