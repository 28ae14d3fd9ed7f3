"""The Agents panel: worlds side by side in the middle, their curves below, what was learnt last on the right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QElapsedTimer
from PySide6.QtGui import QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import QPushButton

from studio.engine import Event, Task, TaskState
from studio.host.commands import Command
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.host.request import RequestError, what_fits
from studio.ml.rl.worlds import WorldSpec
from studio.ui.elided import ElidedLabel
from studio.ui.panel_layout import PanelLayout
from studio_plugins.rl import catalogue, demo, sharing
from studio_plugins.rl.chosen import Chosen
from studio_plugins.rl.controls import Controls
from studio_plugins.rl.desk import Desk
from studio_plugins.rl.editing import Editing
from studio_plugins.rl.insight import Insight
from studio_plugins.rl.invitation import Invitation
from studio_plugins.rl.keeping import request_of
from studio_plugins.rl.laboratory import Laboratory
from studio_plugins.rl.leftovers import LeftOver
from studio_plugins.rl.lines import Lines
from studio_plugins.rl.offers import Described
from studio_plugins.rl.outlet import Outlet
from studio_plugins.rl.plans import agent_title, is_on_policy, plans, settings_of, world_of
from studio_plugins.rl.request import RlRequest
from studio_plugins.rl.resuming import Resuming
from studio_plugins.rl.score_words import Names
from studio_plugins.rl.script import script
from studio_plugins.rl.seat import LETTERS
from studio_plugins.rl.stage import Stage
from studio_plugins.rl.sweeper import Sweeper
from studio_plugins.rl.theatre import Theatre
from studio_plugins.rl.tuner import Tuner

INSIGHT_EVERY = 100
"""Milliseconds: numbers that change more often cannot be read."""


class RlPanel(Panel):
    """Controls on the left begin a training; the stage shows it; whatever is turned while it runs goes to the desk."""

    title = "Agents"

    # --- life ---

    def build(self) -> Iterator[None]:
        self.zones = PanelLayout(self)
        self.controls = Controls(self.zones)
        self.stage = Stage(self.zones)
        yield from self.stage.build(Invitation(self._begin_in))
        self.desk = Desk(self.context, self)
        self.insight = Insight(self.zones)
        self.zones.set_stage(self.stage)
        yield
        self.theatre = Theatre(self.stage, self.desk, self)
        self.lines = Lines(self.stage.curves, self.desk, self)
        self.outlet = Outlet(self)
        self.laboratory = Laboratory(self.stage, self.desk, self)
        self.resuming = Resuming(self.desk, self)
        self.tuner = Tuner(self.controls, self.desk, self)
        self.sweeper = Sweeper(self.stage.sweep, self.controls, self.desk, self)
        self.editing = Editing(self.stage, self.desk, self)
        self._wanted: RlRequest | None = None
        """Stored settings whose world is being opened, or could not be when the session came back."""
        self._from_session = False
        self._begin_when_open: WorldSpec | None = None
        self._insight_due = QElapsedTimer()
        self._insight_due.start()
        self.zones.set_primary(
            "Train", self.press, shortcut="Ctrl+Return", tip="Begin, pause, go on: all runs on the same seeds"
        )
        self._build_tools()
        self._connect()
        self._register_commands()
        self.controls.world.set_entries(catalogue.own_grids())
        self.desk.list_worlds()
        self.desk.find_left_over()
        self.desk.describe(world_of(RlRequest()))

    def _build_tools(self) -> None:
        self._new, self._copy = QPushButton("New training", self.zones), QPushButton("Copy as Python", self.zones)
        self._new.setToolTip("Begin anew with the settings on the left; what trained so far is kept in the History")
        self._new.clicked.connect(lambda _checked=False: self.begin())
        self._copy.setToolTip("The same training as a script on the clipboard")
        self._copy.clicked.connect(lambda _checked=False: self.copy_script())
        self.zones.add_secondary(self._new)
        self.zones.add_secondary(self._copy)
        self._status = ElidedLabel(self.zones)
        self._status.setProperty("tone", "muted")
        self.zones.add_stage_tool(self.stage.tabs)
        self.zones.add_stage_tool(self._status, right=True)
        self._new.setEnabled(False)

    def _connect(self) -> None:
        desk, controls, stage = self.desk, self.controls, self.stage
        controls.world.picked.connect(desk.describe)
        controls.world.file_named.connect(desk.open_file)
        controls.changed.connect(self._edited)
        controls.turned.connect(stage.tiles.select)
        controls.together.connect(self._set_together)
        controls.said.connect(lambda text: self.message(text, "warning"))
        desk.listed.connect(lambda found: controls.world.set_entries(found.entries))
        desk.described.connect(self._open_world)
        desk.undescribed.connect(self._keep_world)
        desk.distrusted.connect(controls.world.ask_trust)
        desk.viewed.connect(self._show_view)
        desk.seated.connect(self._show_seats)
        desk.moved.connect(self._show_moving)
        self.resuming.said.connect(self.message)
        self.resuming.taken.connect(self._take_up)
        desk.said.connect(self.message)
        desk.status.connect(lambda text, _share: self._status.setText(text))
        stage.tiles.selected.connect(self._select)
        self.editing.edited.connect(self._show_edited)
        stage.tools.refused.connect(lambda why: self.message(why, "warning"))
        stage.play.paused.connect(self._pause)
        stage.play.stepped.connect(self._step)
        for part in (self.theatre, self.tuner, self.sweeper):
            part.said.connect(self.message)
        self.theatre.new_run.connect(self._begin_again)
        self.lines.rewound.connect(self._offer_rewind)

    def _register_commands(self) -> None:
        states = self.editing.states

        def some() -> bool:
            return bool(self.desk.seats)

        def moving() -> bool:
            return self.theatre.plays() or self.desk.goes_on()

        for name, text, callback, enabled in (
            ("train", "Train, pause or go on", self.press, None),
            ("new", "Begin the training anew", self.begin, None),
            ("step", "One step of every run", self._step, moving),
            ("keep", "Keep these runs in the History", self.desk.keep, some),
            ("checkpoint", "Write checkpoints of these runs", self.desk.checkpoint, some),
            ("script", "Copy as Python", self.copy_script, None),
            ("undo", "Undo the edit of the world", states.undo, states.canUndo),
            ("redo", "Redo the edit of the world", states.redo, states.canRedo),
        ):
            self.context.commands.register(Command(f"rl.{name}", text, callback, category="Agents", enabled=enabled))

    def closing(self) -> None:
        self.context.commands.unregister_prefix("rl.")
        self.theatre.close()
        self.lines.close()
        self.desk.close()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.desk.watch(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.desk.watch(False)

    def state(self) -> dict[str, Any]:
        try:
            request: Any = (self._wanted or self.controls.request()).to_dict()
        except RequestError:
            request = None
        return {
            "request": request, "page": self.stage.page, "layout": self.zones.state(), "stage": self.stage.state(),
            "together": self.desk.together,
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        self.zones.restore(state.get("layout"))
        self.stage.restore(state.get("stage"))
        self.stage.show_page(state.get("page"))
        self.controls.set_together(state.get("together") is not False)
        stored = state.get("request")
        if isinstance(stored, Mapping):
            self._from_session = not self._take(stored)

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        if kind != RlRequest.kind:
            return [f"settings of kind “{kind}”"]
        return self._take(request)

    def _take(self, stored: Mapping[str, Any]) -> list[str]:
        """Put stored settings into the controls, once their world is open. Returns, in words, what could not be."""
        request, notes = what_fits(RlRequest, stored)
        try:
            world = world_of(request)
            for run in request.runs:
                settings_of(run)
        except RequestError as error:
            return [*notes, str(error)]
        self._wanted, self._from_session = request, False
        self.desk.describe(world)
        return notes

    def demo(self) -> None:
        demo.show(self)

    def exportables(self) -> Sequence[Exportable]:
        return sharing.exportables(self)

    def on_event(self, task: Task, event: Event) -> None:
        for part in (self.laboratory, self.outlet, self.tuner, self.sweeper, self.desk):
            part.on_event(task, event)

    # --- training ---

    def press(self) -> None:
        """The one button: train, pause, go on."""
        if self.desk.trains():
            self._pause(True)
        elif self.desk.seats and self.desk.goes_on():
            self._pause(False)
        else:
            self.begin()

    def begin(self) -> None:
        """Train from the beginning with the settings on the left."""
        if self.desk.opens():
            return
        try:
            made = plans(self.controls.request())
        except RequestError as error:
            self.message(str(error), "warning")
            return
        self._wanted = None
        self.message("")
        self.stage.begin()
        self.stage.show_page("watch")
        self.desk.begin(made)
        self.theatre.begin()

    def _begin_again(self, index: int) -> None:
        """One run from its beginning, in its world as it is now, with the settings on the left."""
        plan = self.desk.seats[index].now
        if index < len(self.controls.runs) and self.controls.runs[index].agent == plan.kind:
            plan = replace(plan, settings=self.controls.runs[index].settings)
        self.desk.begin_again(index, plan)

    def _pause(self, paused: bool) -> None:
        if self.theatre.plays():
            self.desk.dial.paused = paused
        elif paused:
            self.desk.pause()
        else:
            self.desk.resume()

    def _step(self) -> None:
        if self.theatre.plays():
            self.desk.dial.tell("step")
        else:
            self.desk.step()

    def _edited(self) -> None:
        self.state_changed.emit()
        if not self.desk.seats:
            self._preview()

    def _preview(self) -> None:
        """Before anything is trained: the agents to be, in the world as it is."""
        described = self.controls.described
        if described is None:
            return
        offers = [described.offer(run.agent) for run in self.controls.runs]
        self.stage.tiles.set_runs([(offer.title, offer.on_policy is not False) for offer in offers])
        self.theatre.connect_tiles(self.editing.edit)
        self.theatre.show_world(described)

    def _set_together(self, together: bool) -> None:
        self.desk.set_together(together)
        self.state_changed.emit()

    # --- worlds ---

    def _open_world(self, described: Described) -> None:
        begins = self._begin_when_open is not None and self._begin_when_open == described.spec
        wanted, self._wanted, self._begin_when_open = self._wanted, None, None
        if begins:
            self.controls.runs = []
        elif wanted is not None and world_of(wanted) == described.spec:
            self.controls.set_shared(seed=wanted.seed, seeds=wanted.seeds, steps=wanted.steps)
            self.controls.runs = [Chosen(run.agent, settings_of(run)) for run in wanted.runs]
        self.controls.show_world(described, catalogue.title_of(described.spec))
        self.stage.show_world(described)
        self.laboratory.set_world(described)
        self.lines.set_world(described)
        self.theatre.set_actions(described.description.names, turn_based=described.description.observation == "discrete")
        self.editing.begin(described)
        self.desk.make_ready(described.spec, [run.agent for run in self.controls.runs])
        self.state_changed.emit()
        if begins:
            self.begin()

    def _keep_world(self, _asked: object) -> None:
        """A world could not be opened: the one before stays."""
        self._begin_when_open = None
        if not self._from_session:
            self._wanted = None
        if self.controls.described is not None:
            self.controls.world.show_world(self.controls.title, self.controls.described.description.note)

    def _show_edited(self, described: Described) -> None:
        """The same world, edited."""
        self.controls.show_world(described, catalogue.title_of(described.spec))
        self.stage.show_world(described)
        self.laboratory.set_world(described)

    def _take_up(self, runs: Sequence[LeftOver]) -> None:
        """Go on with a training that was broken off; it waits for “Go on”."""
        self._take(request_of(*(run.plan for run in runs)).to_dict())
        self.stage.begin()
        self.desk.reopen(runs)
        self.theatre.begin()

    def _offer_rewind(self, index: int, mark: int) -> None:
        """Go back to a mark; a run that branches off there is one press away."""
        if index >= len(self.desk.seats):
            return
        seat = self.desk.seats[index]
        self.desk.rewind(seat, mark)
        self.message(
            f"{seat.letter} is back at an earlier mark, paused. Change something and go on, or compare both ways.",
            "info", "", [("Branch off here", lambda: self.desk.branch(seat, mark))],
        )  # fmt: skip

    # --- showing ---

    def _select(self, index: int) -> None:
        if index < len(self.controls.runs) and index != self.controls.chosen:
            self.controls.choose(index)
        self.theatre.choose(index)
        view = self.desk.views.get(index)
        if view is not None:
            self._show_insight(index, view)

    def _show_seats(self) -> None:
        titles = [(agent_title(seat.plan), is_on_policy(seat.plan)) for seat in self.desk.seats]
        self.stage.tiles.set_runs(titles)
        self.theatre.connect_tiles(self.editing.edit)
        self.lines.set_seats(self.desk.seats)
        self.laboratory.set_seats(self.desk.seats)
        if not self.desk.seats:
            self.insight.clear()
            self._preview()
            if not self.lines.compared:
                self.stage.invite()

    def _show_view(self, index: int, view: Any) -> None:
        self.theatre.show_view(index, view)
        self.lines.show_view(index, view)
        if index == max(0, self.stage.tiles.index) and (view.finished or self._insight_due.hasExpired(INSIGHT_EVERY)):
            self._show_insight(index, view)

    def _show_insight(self, index: int, view: Any) -> None:
        self._insight_due.restart()
        described = self.controls.described
        names = Names.of(view.look.grid, described.description.names if described is not None else ())
        seed = f", seed {view.plan.seed + view.watched}" if view.plan.seeds > 1 else ""
        self.insight.show_look(
            f"{LETTERS[index]}: {agent_title(view.plan)}{seed}", view.plan.kind, view.look, view.plan.settings, names,
            on_policy=is_on_policy(view.plan),
        )  # fmt: skip

    def _show_moving(self) -> None:
        """Runs have started, stopped or ended."""
        moves, left = self.desk.trains(), self.desk.goes_on()
        if self.zones.primary is not None:
            self.zones.primary.setText("Pause" if moves else "Go on" if left else "Train")
        self._new.setEnabled(bool(self.desk.seats))
        self.theatre.show_moving(moves, left)
        for index, seat in enumerate(self.desk.seats):
            task = self.desk.task_of(seat)
            still = task is None and not self.desk.finished(seat) or task is not None and task.state is TaskState.PAUSED
            self.theatre.show_mode(index, "paused" if still else "finished" if task is None else "")
        if not moves:
            self.lines.draw_whole()

    def copy_script(self) -> None:
        """Put the training as a script on the clipboard."""
        try:
            QGuiApplication.clipboard().setText(script(self.controls.request()))
        except RequestError as error:
            self.message(str(error), "warning")
            return
        self.message("The script is on the clipboard.", "success")

    def _begin_in(self, spec: WorldSpec) -> None:
        """Open a world, and train what it begins with."""
        self._begin_when_open = spec
        self.desk.describe(spec)

