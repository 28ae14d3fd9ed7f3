"""The Elastic net panel: what L1 and L2 penalties do to the coefficients of a linear model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QComboBox, QFileDialog, QPushButton

from studio.engine import Event, Task
from studio.host.commands import Command
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.host.request import RequestError, what_fits
from studio.ui.cards import EmptyState
from studio.ui.elided import ElidedLabel
from studio.ui.panel_layout import PanelLayout
from studio_plugins.elastic_net import demo, sharing
from studio_plugins.elastic_net.controls import Controls
from studio_plugins.elastic_net.desk import Desk
from studio_plugins.elastic_net.insight import Insight
from studio_plugins.elastic_net.jobs import TableRead
from studio_plugins.elastic_net.request import ElasticNetRequest
from studio_plugins.elastic_net.results import Answer, Validated
from studio_plugins.elastic_net.script import script
from studio_plugins.elastic_net.stage import Stage
from studio_plugins.elastic_net.table import SUFFIXES

HINT = "Hover a curve to read it, click it to choose it, drag to change λ."


class ElasticNetPanel(Panel):
    """Data and penalty on the left, paths and pictures in the middle, the numbers on the right."""

    title = "Elastic net"

    # --- life ---

    def build(self) -> Iterator[None]:
        self.setAcceptDrops(True)
        self.zones = PanelLayout(self)
        self.controls = Controls(self.zones)
        yield
        self.stage = Stage(self._empty_state(), self.zones)
        yield
        self.insight = Insight(self.zones)
        self.desk = Desk(self.context, self)
        self._live = False
        """Whether there is anything to fit yet: the panel begins with an invitation."""
        self._unable = self._restoring = False
        self.zones.set_stage(self.stage)
        self.zones.set_primary(
            "Keep this fit", self.desk.keep, shortcut="Ctrl+Return", tip="Keep the fit with its settings in the History"
        )
        self._copy = QPushButton("Copy as Python", self.zones)
        self._copy.setToolTip("The same fit with scikit-learn alone, as a script on the clipboard")
        self._copy.clicked.connect(lambda _checked=False: self.copy_script())
        self.zones.add_secondary(self._copy)
        self._build_bar()
        self._connect()
        self._register_commands()
        self._enable(False)

    def _build_bar(self) -> None:
        self._status = ElidedLabel(self.zones)
        self._status.setProperty("tone", "muted")
        self._class = QComboBox(self.zones)
        self._class.setAccessibleName("Class whose coefficients are shown")
        self._class.setToolTip("Class whose coefficients are shown")
        self._class.hide()
        self.zones.add_stage_tool(self.stage.tabs)
        self.zones.add_stage_tool(self._status)
        self.zones.add_stage_tool(self._class, right=True)

    def _connect(self) -> None:
        desk, stage, controls = self.desk, self.stage, self.controls
        controls.changed.connect(self._edited)
        controls.opening.connect(self.open_table)
        controls.pasting.connect(self.paste_table)
        desk.answered.connect(self._show_answer)
        desk.validated.connect(self._show_validated)
        desk.table.connect(self._show_table)
        desk.unable.connect(self._say_unable)
        desk.unvalidated.connect(stage.validation.show_problem)
        desk.said.connect(self.message)
        desk.status.connect(lambda text, _share: self._status.setText(text or self._hint()))
        stage.turned.connect(lambda _page: self._ask())
        stage.path.strength.connect(self._pull_strength)
        stage.path.chosen.connect(self.insight.show_feature)
        stage.path.hovered.connect(lambda text: self._status.setText(text or self._hint()))
        stage.validation.strength.connect(self._pull_strength)
        stage.validation.taken.connect(self._pull_strength)
        stage.ball.changed.connect(
            lambda first, second, others: controls.set(first=first, second=second, others=others)
        )
        self._class.activated.connect(lambda at: controls.set(output=at))

    def _register_commands(self) -> None:
        def shown() -> bool:
            return self.desk.answer is not None

        for name, text, callback, enabled in (
            ("keep", "Keep this elastic net in the History", self.desk.keep, shown),
            ("script", "Copy as Python", self.copy_script, shown),
            ("open", "Open a table for the elastic net…", self.open_table, None),
            ("paste", "Paste a table for the elastic net", self.paste_table, None),
            ("example", "Look at the diabetes data", self.begin, None),
        ):
            self.context.commands.register(
                Command(f"elastic_net.{name}", text, callback, category="Elastic net", enabled=enabled)
            )

    def closing(self) -> None:
        self.context.commands.unregister_prefix("elastic_net.")
        self.stage.steps.timeline.stop()

    def state(self) -> dict[str, Any]:
        request = self.controls.form.valid_value()
        return {
            "request": request.to_dict() if request else None, "page": self.stage.page, "live": self._live,
            "layout": self.zones.state(),
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        self.zones.restore(state.get("layout"))
        self.stage.show_page(state.get("page"))
        self._live = state.get("live") is True
        stored = state.get("request")
        if isinstance(stored, Mapping):
            self._take(stored)

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        if kind != ElasticNetRequest.kind:
            return [f"settings of kind “{kind}”"]
        self._live = True
        return self._take(request)

    def _take(self, stored: Mapping[str, Any]) -> list[str]:
        """Put stored settings into the form. Returns, in words, what could not be."""
        request, notes = what_fits(ElasticNetRequest, stored)
        if request.data == "own" and request.table:
            self.desk.open_table(Path(request.table), choose=False)
        self._restoring = True
        self.controls.form.set_value(request)
        self._restoring = False
        return notes

    def demo(self) -> None:
        demo.show(self)

    def exportables(self) -> Sequence[Exportable]:
        return sharing.exportables(self.desk.answer, self.desk.curve, self.stage)

    def on_event(self, task: Task, event: Event) -> None:
        self.desk.on_event(task, event)

    # --- doing ---

    def begin(self) -> None:
        """Fit what the form says, the diabetes data at first."""
        self._live = True
        self._ask()

    def open_table(self) -> None:
        """Ask for a file; the window goes on meanwhile."""
        dialog = QFileDialog(self, "Open a table")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters([f"Tables ({' '.join('*' + suffix for suffix in SUFFIXES)})", "All files (*)"])
        dialog.fileSelected.connect(lambda path: self.desk.open_table(Path(path), choose=True))
        dialog.open()

    def paste_table(self) -> None:
        """Take the cells on the clipboard as the data."""
        text = QGuiApplication.clipboard().text()
        if not text.strip():
            self.message(
                "There are no cells on the clipboard. Copy a table with its header in a spreadsheet first.", "warning"
            )
            return
        self.desk.paste_table(text)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = _dropped(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.desk.open_table(path, choose=True)

    def copy_script(self) -> None:
        """Put the fit as a script on the clipboard."""
        if self.desk.answer is not None:
            QGuiApplication.clipboard().setText(script(self.desk.answer))
            self.message("The script is on the clipboard.", "success")

    def _edited(self) -> None:
        self._live = self._live or not self._restoring
        self.state_changed.emit()
        self._ask()

    def _ask(self) -> None:
        if not self._live:
            return
        try:
            request = self.controls.form.value()
        except RequestError:  # said below the field
            return
        self.desk.ask(request, self.stage.page)
        if self.stage.page == "validation":
            self.desk.crossvalidate(request)

    def _pull_strength(self, strength: float) -> None:
        """The line in a plot is dragged, or a λ taken over: the form follows, and everything with it."""
        if self.desk.answer is not None:
            share = strength / float(self.desk.answer.known.path.strengths[0])
            self.controls.set(strength=float(f"{min(1.0, max(1e-4, share)):.4g}"))  # as many digits as the field shows

    # --- showing ---

    def _show_answer(self, answer: Answer) -> None:
        if self._unable:
            self._unable = False
            self.message("")
        self._enable(True)
        self._show_classes(answer)
        self.stage.show_answer(answer, self.desk.curve)
        self.insight.show_answer(answer, self.stage.path.choice)

    def _show_classes(self, answer: Answer) -> None:
        classes = answer.problem.classes if answer.problem.outputs > 1 else ()
        if [self._class.itemText(i) for i in range(self._class.count())] != list(classes):
            self._class.clear()
            self._class.addItems(list(classes))
        self._class.setVisible(bool(classes))
        if classes:
            self._class.setCurrentIndex(answer.output)

    def _show_validated(self, validated: Validated | None) -> None:
        self.stage.show_validated(validated)

    def _show_table(self, read: TableRead, choose: bool) -> None:
        self._live = self._live or choose
        self.controls.show_table(read, choose=choose)

    def _say_unable(self, why: str) -> None:
        self._unable = True
        self.message(why, "warning")

    def _hint(self) -> str:
        if self.stage.page != "path" or self.desk.answer is None:
            return ""
        return HINT if self.desk.answer.known.truth is None else f"★ is the truth. {HINT}"

    def _enable(self, there: bool) -> None:
        self._copy.setEnabled(there)
        if self.zones.primary is not None:
            self.zones.primary.setEnabled(there)

    def _empty_state(self) -> EmptyState:
        return EmptyState(
            "What does a penalty do to coefficients?",
            "Fit a linear model, pull the strength of the penalty, and watch coefficients shrink and vanish. Begin "
            "with the diabetes data, or bring a table of your own.",
            icon="elastic-net",
            actions=[
                ("Look at the diabetes data", lambda: self.begin()),
                ("Open a table…", lambda: self.open_table()),
                ("Paste a table", lambda: self.paste_table()),
            ],
        )


def _dropped(data: QMimeData) -> Path | None:
    """The first table among the files that are dragged."""
    paths = (Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile())
    return next((path for path in paths if path.suffix.lower() in SUFFIXES), None)
