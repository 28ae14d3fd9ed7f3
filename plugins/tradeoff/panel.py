"""The Trade-off panel: what each guidance buys in quality and costs in diversity, at every scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QProgressBar

from studio.engine import Event, Task
from studio.host.commands import Command
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.host.request import RequestError
from studio.ml.evaluation.points import Measured
from studio.ui.cards import EmptyState
from studio.ui.elided import ElidedLabel
from studio.ui.icons import IconButton
from studio.ui.panel_layout import PanelLayout
from studio_plugins.tradeoff import demo, sharing
from studio_plugins.tradeoff.controls import Controls
from studio_plugins.tradeoff.desk import Desk
from studio_plugins.tradeoff.insight import Insight
from studio_plugins.tradeoff.request import TradeoffRequest
from studio_plugins.tradeoff.stage import QUALITIES, Stage
from studio_plugins.tradeoff.words import words


class TradeoffPanel(Panel):
    """Controls on the left, plots and pictures in the middle, what they mean on the right."""

    title = "Trade-off"

    # --- life ---

    def build(self) -> None:
        self.zones = PanelLayout(self)
        self.controls = Controls(self.zones)
        self.stage = Stage(self._empty_state(), self.zones)
        self.insight = Insight(self.zones)
        self.desk = Desk(self.context, self)
        self.zones.set_stage(self.stage)
        self.zones.set_primary(
            "Draw the sweep", self.draw, shortcut="Ctrl+Return", tip="Draw and measure every point; may take minutes"
        )
        self.zones.add_secondary(self.controls.row)
        self._build_bar()
        self._connect()
        self._register_commands()
        for problem in self.controls.problems:
            self.message(problem, "warning")

    def _build_bar(self) -> None:
        zones = self.zones
        self._back = IconButton("chevron-left", "The point before", zones)
        self._on = IconButton("chevron-right", "The next point", zones)
        self._name = ElidedLabel(zones)
        self._progress = QProgressBar(zones)
        self._progress.setRange(0, 1000)
        self._progress.setTextVisible(False)
        self._progress.setFixedWidth(120)
        self._progress.setAccessibleName("Progress of the sweep")
        self._progress.hide()
        self._status = ElidedLabel(zones)
        self._status.setProperty("tone", "muted")
        for widget in (self._back, self._on, self._name, self._progress, self._status):
            zones.add_stage_tool(widget)
        self._quality = QComboBox(zones)
        self._quality.setAccessibleName("Quality")
        self._quality.setToolTip("What stands upwards in the first plot")
        for name, title in QUALITIES.items():
            self._quality.addItem(title, name)
        zones.add_stage_tool(self._quality, right=True)
        self._show_choice(-1)

    def _connect(self) -> None:
        desk, stage = self.desk, self.stage
        self.controls.changed.connect(self.state_changed)
        self.controls.row.cancelled.connect(desk.cancel)
        desk.begun.connect(self._begin)
        desk.added.connect(self._add)
        desk.preview.connect(stage.preview)
        desk.shown.connect(self._show)
        desk.busy.connect(self._set_busy)
        desk.status.connect(self._show_status)
        desk.said.connect(self.message)
        stage.chosen.connect(self._show_choice)
        stage.told.connect(lambda text: self._show_status(text, None))
        self._back.clicked.connect(lambda _checked=False: self._step(-1))
        self._on.clicked.connect(lambda _checked=False: self._step(1))
        self._quality.currentIndexChanged.connect(self._set_quality)
        QShortcut(QKeySequence("Esc"), self).activated.connect(desk.cancel)

    def _register_commands(self) -> None:
        offered = (
            ("run", "Draw the sweep of guidance scales", self.draw, lambda: not self.desk.running),
            ("cancel", "Cancel the sweep", self.desk.cancel, lambda: self.desk.running),
            ("next", "Show the next point of the trade-off", lambda: self._step(1), lambda: bool(self.stage.points)),
            ("previous", "Show the point before", lambda: self._step(-1), lambda: bool(self.stage.points)),
        )
        for name, text, callback, enabled in offered:
            self.context.commands.register(
                Command(f"tradeoff.{name}", text, callback, category="Trade-off", enabled=enabled)
            )

    def closing(self) -> None:
        self.context.commands.unregister_prefix("tradeoff.")

    def state(self) -> dict[str, Any]:
        form = self.controls.form.valid_value()
        result = self.desk.result
        return {
            "request": form.to_dict() if form else None,
            "quality": self.stage.quality,
            "layout": self.zones.state(),
            "result": result.record_id if result else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        stored = state.get("request")
        if isinstance(stored, Mapping):
            self._restore_form(stored)
        at = self._quality.findData(state.get("quality"))
        if at >= 0:
            self._quality.setCurrentIndex(at)
        self.zones.restore(state.get("layout"))
        if isinstance(state.get("result"), str):
            self.desk.load(state["result"])

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        if kind != TradeoffRequest.kind:
            return [f"settings of kind “{kind}”"]
        notes = self._restore_form(request)
        self.desk.find(kind, request)
        return notes

    def _restore_form(self, fields: Mapping[str, Any]) -> list[str]:
        """Put stored settings into the form. Returns, in words, what could not be."""
        try:
            self.controls.form.set_value(TradeoffRequest.from_json(fields))
        except RequestError as error:
            return [str(error)]
        return []

    def demo(self) -> None:
        found = demo.read()
        if found is not None:
            self.controls.form.set_value(found.request)
            self.desk.show(found)
            self.stage.choose(len(found.measured) - 1)  # the strongest CLIP guidance: what goes wrong is seen best there

    def exportables(self) -> Sequence[Exportable]:
        return sharing.exportables(self.desk.result, self.stage)

    def on_event(self, task: Task, event: Event) -> None:
        self.desk.on_event(task, event)

    # --- doing ---

    def draw(self) -> None:
        """Draw what the controls say; one sweep at a time."""
        if self.desk.running:
            return
        self.controls.form.advance_seeds()
        try:
            request = self.controls.form.value()
        except RequestError as error:
            self.message(f"This cannot be drawn yet. {error}", "error")
            return
        self.message("")
        self.desk.draw(request)

    def _step(self, by: int) -> None:
        count = len(self.stage.points)
        if count:
            self.stage.choose((max(self.stage.current, 0 if by < 0 else -1) + by) % count)

    def _set_quality(self) -> None:
        self.stage.set_quality(self._quality.currentData())
        self.state_changed.emit()

    # --- showing ---

    def _begin(self) -> None:
        assert self.desk.result is not None
        self.stage.begin(self.desk.result.texts, self.desk.result.request.per_prompt)
        self.insight.show_points([], 0.0)

    def _add(self, measured: Measured) -> None:
        self.stage.add(measured)
        self.insight.show_points(self.stage.points, 0.0)

    def _show(self) -> None:
        result = self.desk.result
        assert result is not None
        self.stage.show_all(result.texts, result.request.per_prompt, result.measured)
        self.insight.show_points(result.points, result.seconds)
        self.state_changed.emit()

    def _set_busy(self, busy: bool) -> None:
        self.controls.row.set_busy(int(busy))
        if self.zones.primary is not None:
            self.zones.primary.setEnabled(not busy)

    def _show_choice(self, index: int) -> None:
        points = self.stage.points
        if index >= 0:
            self.insight.show_point(points[index], len(self.stage.measured[index].pictures))
        else:
            self.insight.show_point(None)
        self._name.setText(words(points[index]) if index >= 0 else "")
        for button in (self._back, self._on):
            button.setEnabled(bool(points))

    def _show_status(self, text: str, share: float | None) -> None:
        self._status.setText(text)
        self._progress.setVisible(share is not None)
        if share is not None:
            self._progress.setValue(round(1000 * share))

    def _empty_state(self) -> EmptyState:
        actions = [("Draw the sweep", self.draw)]
        if demo.available():
            actions.append(("Look at an example", lambda: self.desk.load_example()))
        return EmptyState(
            "What does guidance cost?",
            "Guidance makes pictures fit the prompt better, and often more alike. Draw the same prompts from the same "
            "noise at many scales, and see where each curve leads.",
            icon="tradeoff",
            actions=actions,
        )
