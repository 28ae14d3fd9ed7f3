"""The Generate panel: prompt to picture, every step of it to be seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeySequence, QShortcut

from studio.engine import Event, Task
from studio.host.context import PanelContext
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.host.request import RequestError
from studio.models.catalog import DRAWS, EXTERNAL, ModelInfo
from studio.models.shelf import Shelf
from studio.ui.cards import EmptyState
from studio.ui.panel_layout import PanelLayout
from studio_plugins.generate import demo, sharing
from studio_plugins.generate.axes import AxisSyntaxError
from studio_plugins.generate.commands import register_commands
from studio_plugins.generate.controls import Controls, RunBar
from studio_plugins.generate.desk import Desk
from studio_plugins.generate.insight import Insight
from studio_plugins.generate.intake import Intake, dropped_picture
from studio_plugins.generate.mapping import from_stored
from studio_plugins.generate.opening import Opening, dropped_model
from studio_plugins.generate.outlet import Outlet
from studio_plugins.generate.prompts import PromptHistory
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.stage import Stage
from studio_plugins.generate.stage_bar import StageBar
from studio_plugins.generate.sweep import cell_request
from studio_plugins.generate.words import examples

LIVE_PAUSE_MS = 120
VARIATIONS = 9


class GeneratePanel(Panel):
    """Controls on the left, the picture in the middle, guidance in numbers on the right."""

    title = "Generate"

    def __init__(self, context: PanelContext, parent: Any = None) -> None:
        super().__init__(context, parent)
        self.setAcceptDrops(True)

    # --- life ---

    def build(self) -> Iterator[None]:
        self.shelf = Shelf(self.context.panel_dir, kinds=(*DRAWS, EXTERNAL))
        problems, forget = self.shelf.look()
        self.prompts = PromptHistory(self.context.panel_dir / "prompts.json")
        self.zones = PanelLayout(self)
        self.controls = Controls(self.zones, self.models, self.shelf.own)
        self.controls.set_history(self.prompts.prompts)
        yield
        self.stage = Stage(self._empty_state(), self.zones)
        self.insight = Insight(self.zones)
        yield
        self.opening = Opening(self, self.shelf, self.controls)
        self.desk = Desk(self.context, self.stage, self.insight, self)
        self.shown = self.desk.shown
        self.intake = Intake(self, self.controls, self.desk)
        self.outlet = Outlet(self, self.stage, self.desk)
        self.bar = StageBar(self.zones, self.stage, self)
        self.zones.set_stage(self.stage)
        self.zones.set_primary(
            "Generate", self.generate, shortcut="Ctrl+Return", tip="Draw the prompt; waits its turn if something runs"
        )
        self.run_bar = RunBar(
            [
                ("Add to the queue", "Draw after what runs and waits now", self.generate),
                ("Draw next", "Draw before everything that waits", lambda: self.generate(front=True)),
                ("Draw instead", "Cancel what runs and waits, then draw", lambda: self.generate(instead=True)),
                ("Cancel everything", "Cancel what runs and forget what waits", self.desk.cancel_all),
            ],
            self,
        )
        self.zones.add_secondary(self.run_bar)
        self._live_timer = QTimer(self)
        self._live_timer.setSingleShot(True)
        self._live_timer.setInterval(LIVE_PAUSE_MS)
        self._connect()
        register_commands(self)
        self.setFocusProxy(self.controls.form.prompt_field().focus_widget())
        self.opening.tell_problems(problems, forget=forget)

    @property
    def models(self) -> list[ModelInfo]:
        """The models offered."""
        return self.shelf.models

    def _connect(self) -> None:
        desk, controls, bar = self.desk, self.controls, self.bar
        controls.changed.connect(self._edited)
        controls.submitted.connect(self.generate)
        controls.open_asked.connect(self.opening.ask)
        controls.sweep.run.connect(self.run_sweep)
        controls.sweep.changed.connect(self.state_changed)
        self._live_timer.timeout.connect(self._draw_live)
        self.run_bar.live_toggled.connect(self._set_live)
        self.run_bar.cancelled.connect(desk.cancel)
        desk.said.connect(self.message)
        desk.busy.connect(self.run_bar.set_busy)
        desk.status.connect(bar.show_status)
        self.shown.changed.connect(self._refresh)
        desk.settings_read.connect(self.intake.picture_read)
        self.stage.step_shown.connect(lambda step: self.insight.show_step(step, self.stage.alone))
        self.stage.chosen.connect(lambda _index: self._chosen())
        bar.variations.connect(self.variations)
        bar.save.connect(self.outlet.save_as)
        bar.copy.connect(self.outlet.copy)
        bar.keep.connect(desk.keep)
        offered = [("Save as…", self.outlet.save_as), ("Use its settings", self.use_settings)]
        self.stage.set_sources(self.shown.file_of, [*offered, ("Variations", self.variations)])
        QShortcut(QKeySequence("Esc"), self).activated.connect(self._escape)

    def closing(self) -> None:
        self._live_timer.stop()
        self.stage.timeline.stop()
        self.context.commands.unregister_prefix("generate.")

    def state(self) -> dict[str, Any]:
        form = self.controls.form.valid_value()
        return {
            "request": form.to_dict() if form else {"prompt": self.controls.prompt()},
            "keep_seed": self.controls.seed.fixed,
            "sweep": self.controls.sweep.state(),
            "layout": self.zones.state(),
            "result": self.shown.record_id,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        stored = state.get("request")
        if isinstance(stored, Mapping):
            now = self.controls.model
            self.controls.show_request(from_stored(GenerateRequest.kind, stored, self.models).request)
            if self.controls.model is None and now is not None:
                self.controls.choose_model(now)  # that of last time is gone
        if isinstance(state.get("keep_seed"), bool):
            self.controls.seed.set_fixed(state["keep_seed"])
        self.controls.sweep.restore(state.get("sweep"))
        self.zones.restore(state.get("layout"))
        if isinstance(state.get("result"), str):
            self.desk.load(state["result"])

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        return self.intake.restore_request(kind, request)

    def demo(self) -> None:
        demo.show(self.shown, self.controls)

    def exportables(self) -> Sequence[Exportable]:
        return sharing.exportables(self.shown, self.stage, self.insight)

    def on_event(self, task: Task, event: Event) -> None:
        if not self.opening.on_event(task, event):
            self.desk.on_event(task, event)

    # --- drawing ---

    def generate(self, *, front: bool = False, instead: bool = False) -> None:
        """Draw what the controls say."""
        self.controls.form.advance_seeds()
        request = self._request()
        if request is None:
            return
        self.message("")
        self._remember(request.prompt)
        self.desk.generate(request, front=front, instead=instead)

    def run_sweep(self) -> None:
        """Draw the grid of the Sweep section."""
        base = self._request()
        if base is None:
            return
        try:
            request = self.controls.sweep.request(base)
        except (AxisSyntaxError, RequestError) as error:
            self.controls.sweep_section.set_expanded(True)
            self.message(f"The grid cannot be drawn. {error}", "error")
            return
        self.message("")
        self.desk.grid(request)

    def variations(self, index: int | None = None) -> None:
        """Nine pictures of the same settings with neighbouring seeds, the present one first."""
        at = self.stage.current if index is None else index
        shown = self.shown.settings_of(at) or self._request()
        if shown is None:
            return
        seed = shown.seed + (at if self.shown.sweep is None and self.shown.request is not None else 0)
        try:
            self.desk.generate(shown.replace(seed=seed, batch=VARIATIONS))
        except RequestError as error:
            self.message(f"No variations can be drawn. {error}", "error")

    def _request(self) -> GenerateRequest | None:
        """What the form says with today's weights; a message when it is not valid."""
        try:
            return self._fitting(self.controls.form.value())
        except RequestError as error:
            self.message(f"This cannot be drawn yet. {error}", "error")
            return None

    def _fitting(self, request: GenerateRequest) -> GenerateRequest:
        """Without what the model cannot take, so that what is shown and kept says so."""
        model = self.controls.model
        if model is None or model.kind in ("text2im", EXTERNAL) and model.prompted:
            return request
        request = request.without_classifier_free()
        return request if model.prompted else request.replace(prompt="")

    def _set_live(self, on: bool) -> None:
        if on:
            self._draw_live()
        else:
            self._live_timer.stop()

    def _edited(self) -> None:
        if self.run_bar.live.isChecked():
            self._live_timer.start()
        self.state_changed.emit()

    def _draw_live(self) -> None:
        request = self.controls.form.valid_value()
        if request is not None:
            self.desk.live(self._fitting(request))

    def _remember(self, prompt: str) -> None:
        try:
            self.prompts.add(prompt)
        except OSError as error:
            self.message(f"The prompt could not be added to the history on disk ({error}).", "warning")
        self.controls.set_history(self.prompts.prompts)

    def forget_prompts(self) -> None:
        """Clear the prompt history."""
        try:
            self.prompts.clear()
        except OSError as error:
            self.message(f"The prompts could not be removed from the disk ({error}).", "error")
        self.controls.set_history(self.prompts.prompts)

    def _escape(self) -> None:
        if self.stage.alone is not None:
            self.stage.show_all()
        else:
            self.desk.cancel()

    # --- what is shown ---

    def _refresh(self) -> None:
        self.bar.refresh(self.shown)
        self.state_changed.emit()

    def _chosen(self) -> None:
        if self.shown.sweep is not None:
            self.insight.show_cell(cell_request(self.shown.sweep, self.stage.current))
        elif self.stage.step is not None:
            self.insight.show_step(self.stage.step, self.stage.alone)
        self.bar.refresh(self.shown)

    def use_settings(self, index: int | None = None) -> None:
        """Put the settings of a picture shown into the controls."""
        request = self.shown.settings_of(self.stage.current if index is None else index)
        if request is not None:
            self.controls.show_request(request)

    def copy_script(self) -> None:
        """A Python script that draws the same, on the clipboard."""
        self.outlet.copy_script(self.controls.form.valid_value())

    # --- pictures and models dropped here ---

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        data = event.mimeData()
        if event.source() is None and (dropped_picture(data) or dropped_model(data)):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        picture, model = dropped_picture(event.mimeData()), dropped_model(event.mimeData())
        if picture is not None:
            self.desk.read_settings(picture)
        elif model is not None:
            self.opening.open(model)
        else:
            return
        event.acceptProposedAction()

    def _empty_state(self) -> EmptyState:
        known = examples(self.models[0])[1:4] if self.models else []
        return EmptyState(
            "Write what you want to see",
            "Ctrl+Enter draws the prompt on the left: watch the picture form step by step. Or start from one of these.",
            actions=[(text, partial(self._draw_example, text)) for text in known],
        )

    def _draw_example(self, prompt: str) -> None:
        self.controls.form.set_fields({"prompt": prompt})
        self.generate()
