"""The Guidance lab: one prompt, one noise, several ways to guide, side by side at every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QMenu

from studio.engine import Event, Task
from studio.host.context import PanelContext
from studio.host.export import Exportable
from studio.host.imagemeta import ImageMetadata
from studio.host.panel import Panel
from studio.host.request import RequestError, what_fits
from studio.models.shelf import Shelf
from studio.ui.cancel_row import CancelRow
from studio.ui.panel_layout import PanelLayout
from studio.ui.pictures import copy_picture
from studio_plugins.guidance import demo, sharing
from studio_plugins.guidance.columns import Columns
from studio_plugins.guidance.commands import register_commands
from studio_plugins.guidance.companions import Companions
from studio_plugins.guidance.controls import Controls
from studio_plugins.guidance.desk import Desk
from studio_plugins.guidance.insight import Insight
from studio_plugins.guidance.intake import NothingToRestore, dropped_picture, from_picture
from studio_plugins.guidance.request import GuidanceRequest
from studio_plugins.guidance.script import script
from studio_plugins.guidance.stage import Stage
from studio_plugins.guidance.stage_bar import StageBar
from studio_plugins.guidance.titles import titles_of


class GuidancePanel(Panel):
    """Columns of guidance on the left, their pictures and heat maps in the middle, numbers and cost on the right."""

    title = "Guidance lab"

    def __init__(self, context: PanelContext, parent: Any = None) -> None:
        super().__init__(context, parent)
        self.setAcceptDrops(True)

    # --- life ---

    def build(self) -> Iterator[None]:
        self.shelf = Shelf(self.context.panel_dir)
        problems, _ = self.shelf.look()
        self.companions = Companions(self.context.panel_dir)
        self.companions.look()
        self.columns = Columns(self)
        self.zones = PanelLayout(self)
        self.controls = Controls(self.zones, self.columns, self.shelf.models, self.companions)
        yield
        self.desk = Desk(self.context, self)
        self.shown = self.desk.shown
        self.stage = Stage(self.columns, self.shown, self.controls.missing, self.zones)
        self.insight = Insight(self.zones)
        yield
        self.bar = StageBar(self.zones, self.stage, self)
        self.zones.set_stage(self.stage)
        self.zones.set_primary(
            "Compare", self.compare, shortcut="Ctrl+Return",
            tip="Draw all columns from the same noise; what is drawn already is not drawn again",
        )  # fmt: skip
        self.run_bar = CancelRow(parent=self)
        self.zones.add_secondary(self.run_bar)
        self._connect()
        register_commands(self)
        self._look()
        self.setFocusProxy(self.controls.prompt_editor)
        if problems:
            self.message(" ".join(problems), "warning")

    def _connect(self) -> None:
        desk, controls, stage = self.desk, self.controls, self.stage
        controls.changed.connect(self._edited)
        controls.submitted.connect(self.compare)
        controls.bar.fork_asked.connect(self.fork)
        self.columns.chosen.connect(lambda _index: self._look())
        desk.said.connect(self.message)
        desk.busy.connect(self.run_bar.set_busy)
        desk.status.connect(self.bar.show_status)
        desk.added.connect(stage.added)
        stage.advanced.connect(self._look)
        desk.settings_read.connect(self._picture_read)
        self.run_bar.cancelled.connect(desk.cancel)
        self.shown.changed.connect(self._drawn)
        stage.step_moved.connect(lambda _index: self._look_at_step())
        stage.menu_asked.connect(self._menu)
        self.bar.save.connect(self.save_table)
        self.bar.picture.connect(self._look_at_picture)
        QShortcut(QKeySequence("Esc"), self).activated.connect(desk.cancel)

    def closing(self) -> None:
        self.stage.timeline.stop()
        self.context.commands.unregister_prefix("guidance.")

    def state(self) -> dict[str, Any]:
        request = self.controls.valid_request()
        return {
            "request": request.to_dict() if request else {"prompt": self.controls.prompt},
            "keep_seed": self.controls.seed.fixed,
            "column": self.columns.current,
            "rows": {name: button.isChecked() for name, button in self.bar.rows.items()},
            "layout": self.zones.state(),
            "result": self.shown.record_id,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        stored = state.get("request")
        if isinstance(stored, Mapping):
            self.controls.show_request(what_fits(GuidanceRequest, stored)[0])
        if isinstance(state.get("keep_seed"), bool):
            self.controls.seed.set_fixed(state["keep_seed"])
        if isinstance(state.get("column"), int):
            self.columns.choose(state["column"])
        rows = state.get("rows")
        for name, button in self.bar.rows.items():
            button.setChecked(not isinstance(rows, Mapping) or rows.get(name) is not False)
        self.zones.restore(state.get("layout"))
        if isinstance(state.get("result"), str):
            self.desk.load(state["result"])

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        if kind != GuidanceRequest.kind:
            return [f"the Guidance lab does not take settings of “{kind}”"]
        restored, notes = what_fits(GuidanceRequest, request)
        self.controls.show_request(restored)
        self.desk.find(kind, request)
        return notes

    def demo(self) -> None:
        demo.show(self.shown, self.controls)

    def exportables(self) -> Sequence[Exportable]:
        plots = [
            ("lengths of the terms", self.insight.norms.plot_item),
            ("cosines between the terms", self.insight.cosines.plot_item),
            ("scores", self.insight.scores.plot_item),
        ]
        return sharing.exportables(self.shown, self._on_table(), max(0, self.stage.step), plots)

    def on_event(self, task: Task, event: Event) -> None:
        self.desk.on_event(task, event)

    # --- drawing ---

    def compare(self) -> None:
        """Draw what the controls say; columns that cannot be drawn are left out."""
        if not self.controls.seed.fixed:
            self.controls.seed.advance()
        try:
            request = self.controls.request()
        except RequestError as error:
            self.message(f"This cannot be drawn yet. {error}", "error")
            return
        able = tuple(column for column in request.columns if not self.controls.missing(column.guidance))
        if not able:
            self.message(f"No column can be drawn: {self.controls.missing(request.columns[0].guidance)}.", "error")
            return
        self.message("")
        self.desk.compare(request.replace(columns=able))

    def fork(self) -> None:
        """A column that shares the chosen one's steps up to the one under the timeline's mark."""
        if self._can_fork():
            self.columns.fork(self.stage.step)
            self.message(
                f"The new column shares the first {self.stage.step + 1} steps. Guide it in another way, "
                "then press Compare: only its other steps are drawn.",
                "info",
            )

    def look_again(self) -> None:
        """Find anew which models there are."""
        problems, _ = self.shelf.look()
        self.companions.look()
        self.controls.set_models(self.shelf.models)
        self.message(" ".join(problems), "warning")

    def _can_fork(self) -> bool:
        found, step = self.stage.found(self.columns.current), self.stage.step
        return 0 <= step < len(found.steps) and self.shown.request is not None and step < self.shown.request.steps - 1

    # --- what is shown ---

    def _edited(self) -> None:
        if hasattr(self, "stage"):
            self._look()
            self.stage.refresh()
        self.state_changed.emit()

    def _drawn(self) -> None:
        request = self.shown.request
        if request is not None:
            self.bar.set_pictures(request.batch, min(self.stage.picture, request.batch - 1))
        self._look()
        self.state_changed.emit()

    def _look(self) -> None:
        """Show the chosen column's curves, and the numbers of the step looked at."""
        columns = self.columns.all
        found = [self.stage.found(c) for c in range(len(columns))]
        self.insight.show_columns(titles_of(columns), found, self.columns.current, self.stage.picture)
        self._look_at_step()

    def _look_at_step(self) -> None:
        step = self.stage.step_of(self.columns.current)
        self.insight.show_step(step, self.stage.picture, self.columns.column.guidance.terms)
        self.controls.bar.set_can_fork(self._can_fork())

    def _look_at_picture(self, index: int) -> None:
        self.stage.set_picture(index)
        self._look()

    def _on_table(self) -> sharing.OnTable:
        columns = self.columns.all
        found = tuple(self.stage.found(c) for c in range(len(columns)))
        return sharing.OnTable(tuple(titles_of(columns)), found, self.stage.terms(), self.stage.picture)

    # --- a column's menu ---

    def column_menu(self, column: int) -> QMenu:
        """What can be done with a column."""
        columns, step = self.columns, self.stage.step
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        entries: tuple[tuple[str, Callable[[], Any], bool], ...] = (
            (f"Fork from step {step + 1}", self.fork, self._can_fork() and not columns.full),
            ("Duplicate", columns.duplicate, not columns.full),
            ("Move left", lambda: columns.move(column, column - 1), column > 0),
            ("Move right", lambda: columns.move(column, column + 1), column < len(columns.all) - 1),
            ("Remove", columns.remove, len(columns.all) > 1),
            ("Copy picture", self.copy, self.stage.step_of(column) is not None),
        )
        for text, callback, enabled in entries:
            action = menu.addAction(text)
            action.triggered.connect(lambda _checked=False, call=callback: call())
            action.setEnabled(enabled)
        return menu

    def _menu(self, column: int, place: QPoint) -> None:
        self.column_menu(column).popup(place)

    # --- going out ---

    def copy(self) -> None:
        """The chosen column's picture at the step looked at, on the clipboard."""
        step = self.stage.step_of(self.columns.current)
        if step is not None:
            copy_picture(step.picture[self.stage.picture])
            self.bar.show_status("copied to the clipboard", None)

    def copy_script(self) -> None:
        """A Python script that draws what is shown, or what the controls say while nothing is, on the clipboard."""
        request = self.shown.request or self.controls.valid_request()
        if request is not None:
            QGuiApplication.clipboard().setText(script(request, self.shown.provenance))
            text = "The script is on the clipboard. It needs Glassbox Studio's Python, but no window."
            self.message(text, "success")

    def save_table(self) -> None:
        """Ask where, then write the whole table as a picture."""
        offered = next((item for item in self.exportables() if item.name == "table"), None)
        if offered is None:
            self.message("There is nothing to save yet. Press Compare first.", "warning")
            return
        service = self.context.export
        dialog = QFileDialog(self, "Save the table", service.suggest_name(offered), service.filters("image"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.fileSelected.connect(lambda name: self.desk.export(offered, Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    # --- pictures dropped here ---

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.source() is None and dropped_picture(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        picture = dropped_picture(event.mimeData())
        if picture is not None:
            self.desk.read_settings(picture)
            event.acceptProposedAction()

    def _picture_read(self, found: ImageMetadata) -> None:
        try:
            request, notes = from_picture(found)
        except NothingToRestore as error:
            self.message(str(error), "warning")
            return
        self.controls.show_request(request)
        self.desk.find(GuidanceRequest.kind, request.to_dict())
        except_for = f", except: {'; '.join(notes)}" if notes else ""
        self.message(f"Settings taken from the picture{except_for}.", "warning" if notes else "success")
