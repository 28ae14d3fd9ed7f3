"""The Tensor inspector: open a file, choose a tensor, see its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QPoint, Qt, QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import QComboBox, QFileDialog, QMenu, QProgressBar, QPushButton, QScrollArea, QToolButton, QWidget

from studio.engine import Event, Task
from studio.host.commands import Command
from studio.host.context import PanelContext
from studio.host.export import Exportable, Picture
from studio.host.panel import Panel
from studio.ui.cards import EmptyState, Facts
from studio.ui.collapsible import Collapsible
from studio.ui.elided import ElidedLabel
from studio.ui.panel_layout import PanelLayout
from studio.ui.tokens import SPACE_XL
from studio_plugins.inspector import example
from studio_plugins.inspector.axes import View, can_be_picture, first_view, fitting_view
from studio_plugins.inspector.colours import MAPS, RANGES
from studio_plugins.inspector.desk import Desk
from studio_plugins.inspector.insight import Insight
from studio_plugins.inspector.jobs import Plane
from studio_plugins.inspector.reading import SUFFIXES, Listing, TensorInfo
from studio_plugins.inspector.request import InspectRequest
from studio_plugins.inspector.slicing import Slicing
from studio_plugins.inspector.stage import Stage
from studio_plugins.inspector.stats import Statistics
from studio_plugins.inspector.tables import histogram_table, size_text, survey, values_table
from studio_plugins.inspector.tensor_list import TensorList

RECENT = 10


class InspectorPanel(Panel):
    """Tensors of a file on the left, the values in the middle, their statistics on the right."""

    title = "Tensor inspector"

    def __init__(self, context: PanelContext, parent: Any = None) -> None:
        super().__init__(context, parent)
        self.setAcceptDrops(True)
        self._recent: list[str] = []
        self._fit_later = QTimer(self)
        self._fit_later.setSingleShot(True)
        self._fit_later.setInterval(0)
        self._fit_later.timeout.connect(self._fit_list)
        self._wanted: dict[str, Any] = {}
        """What to choose once the file that is being opened is there: tensor and view."""

    # --- life ---

    def build(self) -> None:
        self.desk = Desk(self.context, self)
        self.zones = PanelLayout(self)
        self._build_controls()
        empty = EmptyState(
            "See what is inside",
            "Open an image, a .npy, .npz or .safetensors file, or drop one here. Files of any size open at once; only what is looked at is read.",
            icon="inspector", actions=[("Open a file …", self.ask), ("Look at a bundled model", self.open_example)],
        )  # fmt: skip
        self.stage = Stage(empty, self.zones)
        self.slicing = Slicing(self.zones)
        self.insight = Insight(self.zones)
        self.zones.set_stage(self.stage)
        self.zones.add_below_stage(self.slicing)
        self._build_tools()
        self._connect()
        for name, text, callback in (
            ("open", "Open a file in the inspector …", self.ask),
            ("example", "Inspect a bundled model", self.open_example),
            ("keep", "Keep the table of all tensors in History", self.desk.keep),
            ("fit", "Fit the heat map to the window", self.stage.heat.fit),
        ):
            self.context.commands.register(Command(f"inspector.{name}", text, callback, category="Inspector"))
        self._show_listing(None)

    def _build_controls(self) -> None:
        self._file_facts = Facts(self.zones)
        self._file_section = Collapsible("File", self.zones)
        self._file_section.add(self._file_facts)
        self.tensors = TensorList(self.zones)
        self._tensor_section = Collapsible("Tensors", self.zones)
        self._tensor_section.add(self.tensors)
        self.zones.add_control(self._file_section)
        self.zones.add_control(self._tensor_section)
        self.zones.set_primary("Open …", self.ask, shortcut="Ctrl+Shift+O", tip="Open an image, .npy, .npz or .safetensors file")
        self._recent_button = QPushButton("Recent files", self.zones)
        self._recent_menu = QMenu(self._recent_button)
        self._recent_menu.aboutToShow.connect(self._fill_recent)
        self._recent_button.setMenu(self._recent_menu)
        self._keep_button = QPushButton("Keep table in History", self.zones)
        self._keep_button.setToolTip("Measure every tensor of this file and keep the table as a result")
        self._keep_button.clicked.connect(lambda _checked=False: self.desk.keep())
        self.zones.add_secondary(self._recent_button)
        self.zones.add_secondary(self._keep_button)

    def _build_tools(self) -> None:
        self._picture = QToolButton(self.zones)
        self._picture.setText("As a picture")
        self._picture.setCheckable(True)
        self._picture.setToolTip("The last axis holds colours: show them, instead of one number of each")
        self._map, self._spread = QComboBox(self.zones), QComboBox(self.zones)
        for box, choices, name in ((self._map, MAPS, "Colours of the heat map"), (self._spread, RANGES, "Range of values spread over the colours")):
            box.setAccessibleName(name)
            box.setToolTip(name)
            for value, label in choices.items():
                box.addItem(label, value)
        self._progress = QProgressBar(self.zones)
        self._progress.setRange(0, 1000)
        self._progress.setTextVisible(False)
        self._progress.setFixedWidth(110)
        self._progress.setAccessibleName("Progress of the measurement")
        self._progress.hide()
        self._status = ElidedLabel(self.zones, mode=Qt.TextElideMode.ElideMiddle)
        self._status.setProperty("tone", "faint")
        for widget in (self._picture, self._map, self._spread, self._progress, self._status):
            self.zones.add_stage_tool(widget)

    def _connect(self) -> None:
        desk = self.desk
        desk.opened.connect(self._show_listing)
        desk.drawn.connect(self._show_plane)
        desk.measured.connect(self._show_measured)
        desk.status.connect(self._show_status)
        desk.said.connect(self._say)
        self.tensors.chosen.connect(self._choose)
        self.slicing.changed.connect(self._slice)
        self._picture.toggled.connect(self._set_picture)
        self._map.activated.connect(lambda _at: self._set_colours())
        self._spread.activated.connect(lambda _at: self._set_colours())

    def closing(self) -> None:
        self._fit_later.stop()
        self.context.commands.unregister_prefix("inspector.")

    def state(self) -> dict[str, Any]:
        listing, info, view = self.desk.listing, self.desk.info, self.desk.view
        return {
            "path": str(listing.path) if listing else "",
            "tensor": info.name if info else "",
            "view": {"rows": view.rows, "cols": view.cols, "index": list(view.index)} if view else None,
            "picture": self.desk.as_picture, "colours": self.desk.colours, "spread": self.desk.spread,
            "logarithmic": self.insight.histogram.logarithmic.isChecked(),
            "recent": list(self._recent), "layout": self.zones.state(),
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        recent = state.get("recent")
        if isinstance(recent, list):
            self._recent = [path for path in recent if isinstance(path, str)][:RECENT]
        for box, key in ((self._map, "colours"), (self._spread, "spread")):
            at = box.findData(state.get(key))
            if at >= 0:
                box.setCurrentIndex(at)
        self._set_colours()
        self.insight.histogram.logarithmic.setChecked(state.get("logarithmic") is True)
        self.zones.restore(state.get("layout"))
        path = state.get("path")
        if isinstance(path, str) and path:
            self.open(Path(path), {key: state.get(key) for key in ("tensor", "view", "picture")})
        self._show_recent_button()

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        if kind != InspectRequest.kind or not isinstance(request.get("path"), str):
            return [f"settings of kind “{kind}”"]
        self.open(Path(str(request["path"])), {"tensor": request.get("tensor")})
        return []

    def demo(self) -> None:
        example.show(self)

    def show_example(self, listing: Listing, chosen: TensorInfo, plane: Plane, found: Mapping[str, Statistics]) -> None:
        """Show these instead of asking the engine for them."""
        desk = self.desk
        desk.listing, desk.statistics = listing, dict(found)
        blocked = self.tensors.blockSignals(True)
        self._wanted = {"tensor": chosen.name}
        self._show_listing(listing)
        self.tensors.blockSignals(blocked)
        desk.info, desk.view, desk.as_picture, desk.plane = chosen, first_view(chosen), plane.request.picture, plane
        for name, statistics in found.items():
            self._show_measured(name, statistics)
        self._show_tools(chosen)
        self._show_slicing()
        self._show_plane(plane)

    def exportables(self) -> Sequence[Exportable]:
        desk, found = self.desk, []
        if desk.plane is not None:
            plane = desk.plane
            found.append(Exportable("Picture of the values shown", "image", lambda: Picture(plane.picture)))
            found.append(Exportable("Values shown", "table", lambda: values_table(plane.values, plane.row_step, plane.col_step)))
        statistics = self.insight.histogram.statistics()
        if statistics is not None and statistics.histogram is not None:
            found.append(Exportable("Histogram", "plot", lambda: self.insight.histogram.plot))
            found.append(Exportable("Counts of the histogram", "table", lambda: histogram_table(statistics)))
        if desk.listing is not None:
            listing = desk.listing
            found.append(Exportable("Statistics of all tensors", "table", lambda: survey(listing.tensors, desk.statistics)))
        return found

    def on_event(self, task: Task, event: Event) -> None:
        self.desk.on_event(task, event)

    # --- files ---

    def ask(self) -> None:
        """Ask for a file; the window goes on meanwhile."""
        dialog = QFileDialog(self, "Open a file in the inspector")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters([f"Tensors and pictures ({' '.join('*' + suffix for suffix in SUFFIXES)})", "All files (*)"])
        if self.desk.listing is not None:
            dialog.setDirectory(str(self.desk.listing.path.parent))
        dialog.fileSelected.connect(lambda path: self.open(Path(path)))
        dialog.open()

    def open(self, path: Path, wanted: Mapping[str, Any] | None = None) -> None:
        """Open a file; `wanted` says which tensor and view to show ({"tensor", "view", "picture"}, as in the state)."""
        self._wanted = dict(wanted or {})
        self.message("")
        self.desk.open(path)

    def open_example(self) -> None:
        """Open the weights of a bundled model, or a bundled picture where there is none."""
        self.open(example.bundled_file())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.layout() is not None:
            self._fit_later.start()  # not before `build`

    def _fit_list(self) -> None:
        """Give the list of tensors what is left of the column."""
        column: QWidget | None = self.tensors
        while column is not None and not isinstance(column, QScrollArea):
            column = column.parentWidget()
        body = column.widget() if column is not None else None
        if column is not None and body is not None:
            top = self.tensors.view.mapTo(body, QPoint(0, 0)).y()
            self.tensors.fit(column.viewport().height() - top - SPACE_XL)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = dropped(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.open(path)

    def _fill_recent(self) -> None:
        self._recent_menu.clear()
        for path in self._recent:
            action = self._recent_menu.addAction(Path(path).name, self._opener(path))
            action.setToolTip(path)
        self._recent_menu.setToolTipsVisible(True)

    def _opener(self, path: str) -> Callable[[], None]:
        return lambda: self.open(Path(path))

    def _show_recent_button(self) -> None:
        self._recent_button.setVisible(bool(self._recent))

    # --- showing ---

    def _show_listing(self, listing: Listing | None) -> None:
        self._file_section.setVisible(listing is not None)
        self._tensor_section.setVisible(listing is not None)
        self._keep_button.setVisible(listing is not None)
        self.tensors.show_listing(listing)
        self.stage.clear()
        self.slicing.hide()
        self.insight.show(None, None)
        self._show_tools(None)
        self._show_recent_button()
        if listing is None:
            return
        path = str(listing.path)
        self._recent = [path, *(other for other in self._recent if other != path)][:RECENT]
        self._show_recent_button()
        facts = {"Name": listing.path.name, "Folder": listing.path.parent.name, "Kind": listing.kind, "Size": size_text(listing.size)}
        self._file_facts.set_facts({**facts, **{name.capitalize(): text for name, text in listing.notes}}, {"Name": path, "Folder": path})
        self._fit_later.start()
        self._tensor_section.set_heading(f"{len(listing.tensors):,} tensors" if len(listing.tensors) != 1 else "1 tensor")
        first = next((info.name for info in listing.tensors if not info.problem), None)
        name = self._wanted.get("tensor")
        if not (isinstance(name, str) and self.tensors.select(name)) and first is not None:
            self.tensors.select(first)
        elif first is None:
            self.message(f"Nothing in “{listing.path.name}” can be shown. {listing.tensors[0].problem if listing.tensors else ''}", "warning")
        self.state_changed.emit()

    def _choose(self, info: TensorInfo) -> None:
        wanted, self._wanted = self._wanted, {}
        fits = wanted.get("tensor") == info.name
        self.stage.clear()
        self.desk.choose(info, fitting_view(info, wanted.get("view")) if fits else None)
        if fits and isinstance(wanted.get("picture"), bool) and can_be_picture(info) and self.desk.as_picture != wanted["picture"]:
            self.desk.as_picture = wanted["picture"]
            self.desk.draw()
        self.insight.show(info, self.desk.statistics.get(info.name))
        self._show_tools(info)
        self._show_slicing()
        self.state_changed.emit()

    def _show_slicing(self) -> None:
        if self.desk.info is not None and self.desk.view is not None:
            self.slicing.show_view(self.desk.info, self.desk.view, picture=self.desk.as_picture)
            self.slicing.setVisible(len(self.desk.info.shape) >= 2 and not self.desk.info.problem)

    def _slice(self, view: View) -> None:
        self.desk.view = view
        self.desk.draw()
        self.state_changed.emit()

    def _show_plane(self, plane: Plane) -> None:
        if self.desk.info is not None and self.desk.view is not None:
            self.stage.show_plane(plane, self.desk.info, self.desk.view)

    def _show_measured(self, name: str, found: Statistics) -> None:
        self.tensors.model.put(name, found)
        if self.desk.info is not None and self.desk.info.name == name:
            self.insight.show(self.desk.info, found)

    def _show_tools(self, info: TensorInfo | None) -> None:
        able = info is not None and can_be_picture(info)
        blocked = self._picture.blockSignals(True)
        self._picture.setChecked(able and self.desk.as_picture)
        self._picture.blockSignals(blocked)
        self._picture.setVisible(able)
        heat = info is not None and not info.problem and (len(info.shape) >= 2 or info.count == 1) and not (able and self.desk.as_picture)
        self._map.setVisible(heat)
        self._spread.setVisible(heat)

    def _set_picture(self, on: bool) -> None:
        self.desk.as_picture = on
        if self.desk.info is not None and on:
            # As a picture the colours keep the last axis for themselves.
            self.desk.view = fitting_view(self.desk.info, None)
        self._show_tools(self.desk.info)
        self._show_slicing()
        self.desk.draw()
        self.state_changed.emit()

    def _set_colours(self) -> None:
        self.desk.colours, self.desk.spread = self._map.currentData(), self._spread.currentData()
        self.desk.draw()
        self.state_changed.emit()

    def _show_status(self, text: str, share: float | None) -> None:
        self._status.setText(text)
        self._progress.setVisible(share is not None)
        if share is not None:
            self._progress.setValue(round(1000 * share))

    def _say(self, text: str, level: str, details: str) -> None:
        self.message(text, level, details)


def dropped(data: QMimeData) -> Path | None:
    """The first file among what is dragged that the inspector may know."""
    for url in data.urls():
        path = Path(url.toLocalFile())
        if url.isLocalFile() and path.suffix.lower() in SUFFIXES:
            return path
    return None
