"""The left column: the world, the agents, the settings of the chosen one, and what all share."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QLabel, QWidget

from studio.host.request import Request, RequestError
from studio.ml.rl.errors import BadSetting
from studio.ml.rl.knobs import knob_of
from studio.ml.rl.worlds import WorldSpec
from studio.ui.collapsible import Collapsible
from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from studio_plugins.rl.chosen import Base, Chosen, begun, known, own_base, refused, tuned_base, unfit
from studio_plugins.rl.knob_form import form_class
from studio_plugins.rl.offers import Described, Offer
from studio_plugins.rl.request import MOST_RUNS, RlRequest, RunFields
from studio_plugins.rl.run_list import RunList
from studio_plugins.rl.seat import LETTERS
from studio_plugins.rl.source_button import SourceButton
from studio_plugins.rl.tab_order import order_tabs
from studio_plugins.rl.world_picker import WorldPicker

LATER = "takes effect with the next training"


class Controls(QWidget):
    """Builds its parts into a PanelLayout. Signals: `changed` at every edit of what a training begins with, `tuned`
    (index of a run, its settings now) when a knob is turned, `turned` (index) when another run's settings show,
    `budget` (steps) when a hand changes them, `together` (bool), `said` (why a setting cannot be)."""

    changed = Signal()
    tuned = Signal(int, object)
    turned = Signal(int)
    budget = Signal(int)
    together = Signal(bool)
    said = Signal(str)

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the parts below, which live in the zones
        self.described: Described | None = None
        self.runs: list[Chosen] = []
        self.chosen = 0
        self.title = ""
        """What the present world is called."""
        self.world = WorldPicker(zones)
        self.list = RunList(zones)
        self.source = SourceButton(zones)
        self.form: RequestForm[RlRequest] = RequestForm(RlRequest, zones)
        self._clock = QCheckBox("One clock for all runs", zones)
        self._clock.setChecked(True)
        self._clock.setToolTip("No run gets ahead of the slowest: their worlds are seen after equally many steps")
        self._section = Collapsible("Settings", zones)
        self._shared = Collapsible("Seeds and steps", zones, expanded=False)
        self._shared.add(self.form)
        self._shared.add(self._clock)
        self._trains: tuple[bool, ...] = ()
        self._steps = 0
        self._knobs: dict[type, RequestForm[Any]] = {}
        heading = QLabel("Agents", zones)
        self._parts = (self.world, self.list, self._shared, self.source, self._section)
        for widget in (self.world, heading, *self._parts[1:]):
            zones.add_control(widget)
        self._restoring = False
        self._connect()
        self.set_shared()

    def _connect(self) -> None:
        self.world.said.connect(self.said)
        self.list.chosen.connect(self.choose)
        self.list.picked.connect(self._pick_agent)
        self.list.added.connect(self._add_run)
        self.list.removed.connect(self._remove_run)
        self.form.changed.connect(self._share)
        self.source.tuned.connect(lambda: self._begin_from(tuned_base))
        self.source.own.connect(lambda: self._begin_from(own_base))
        self._clock.toggled.connect(self.together)

    # --- the world ---

    def show_world(self, described: Described, title: str) -> None:
        """A world was opened: offer the agents that are for it; those that are not give way to one that is."""
        other = self.described is None or self.described.spec != described.spec
        self.described, self.title = described, title
        self.world.show_world(title, described.description.note)
        self.list.set_offers(described.offers)
        kept = [run for run in self.runs if not refused(run, described)]
        if not kept:
            kept = [begun(offer, title) for offer in _first(described)]
            cheap = all(described.offer(run.agent).family == "tabular" for run in kept)
            self.set_shared(seeds=10 if cheap else 1, steps=_budget(kept) or (15_000 if cheap else 100_000))
        elif other and any(run.untouched for run in kept):
            # What the studio chose for another world, it chooses anew for this one.
            kept = [begun(described.offer(run.agent), title) if run.untouched else run for run in kept]
            if steps := _budget(kept):
                self.set_shared(steps=steps)
        self.runs = [known(run, described.offer(run.agent), title) for run in kept]
        self.choose(min(self.chosen, len(kept) - 1))
        self._edited()

    # --- runs ---

    def set_runs(self, runs: Sequence[Chosen], chosen: int = 0) -> None:
        """Hold these."""
        self.runs = list(runs)
        self.choose(chosen)
        self._edited()

    def choose(self, index: int) -> None:
        """Show the settings of a run."""
        self.chosen = max(0, min(index, len(self.runs) - 1))
        self.list.set_runs([run.agent for run in self.runs], self.chosen)
        self._show_knobs()
        order_tabs(self._parts)
        self.turned.emit(self.chosen)

    def _offer(self, agent: str) -> Offer | None:
        return self.described.offer(agent) if self.described is not None else None

    def _pick_agent(self, index: int, agent: str) -> None:
        offer = self._offer(agent)
        if offer is not None:
            self.runs[index] = begun(offer, self.title)
            self.choose(index)
            self._edited()

    def _add_run(self) -> None:
        if self.described is None or len(self.runs) >= MOST_RUNS:
            return
        taken = {run.agent for run in self.runs}
        offer = next((offer for offer in self.described.fit if offer.agent not in taken), self.described.fit[0])
        self.runs.append(begun(offer, self.title))
        self.choose(len(self.runs) - 1)
        self._edited()

    def _remove_run(self, index: int) -> None:
        if len(self.runs) > 1:
            del self.runs[index]
            self.choose(self.chosen - (index <= self.chosen and self.chosen > 0))
            self._edited()

    # --- settings ---

    def put(self, index: int, run: Chosen) -> None:
        """Give a run another agent or other settings, with the budget that goes with them."""
        self.runs[index] = run
        self.choose(index)
        if run.base is not None and run.base.steps and not any(self._trains):
            self.set_shared(steps=max(run.base.steps, _budget(self.runs)))
        self.tuned.emit(index, run.settings)
        self._edited()

    def follow(self, index: int, settings: Any) -> None:
        """A run has other settings by itself: they are shown, and nobody is told that a knob was turned."""
        if settings != self.runs[index].settings:
            self.runs[index] = replace(self.runs[index], settings=settings)
            if index == self.chosen:
                self._show_knobs()
            self._edited()

    def _begin_from(self, base_of: Callable[[Offer, str, Any], Base | None]) -> None:
        run = self.runs[self.chosen] if self.runs else None
        offer = self._offer(run.agent) if run is not None else None
        base = base_of(offer, self.title, run.settings) if offer is not None and run is not None else None
        if offer is not None and base is not None:
            self.put(self.chosen, Chosen(offer.agent, base.settings, base))

    def show_training(self, trains: Sequence[bool]) -> None:
        """Which runs train: what cannot change in them is marked."""
        if self._trains != tuple(trains):
            self._trains = tuple(trains)
            self._show_notes()

    def _show_knobs(self) -> None:
        if not self.runs:
            return
        run = self.runs[self.chosen]
        offer = self._offer(run.agent)
        self._section.set_heading(f"Settings of {LETTERS[self.chosen]}, {offer.title if offer else run.agent}")
        form = self._form(type(run.settings))
        self._restoring = True
        form.set_fields(asdict(run.settings))
        self._restoring = False
        for other in self._knobs.values():
            other.setVisible(other is form)
        self._show_notes()

    def _show_notes(self) -> None:
        """Whose settings these are, and which of them wait for the next training."""
        if not self.runs:
            return
        run = self.runs[self.chosen]
        offer = self._offer(run.agent)
        known_here = offer is not None and tuned_base(offer, self.title, run.settings) is not None
        tunable = "" if known_here else f"None are known for {self.title}"
        self.source.show_source(run.words, run.base.note if run.base is not None else "", tunable=tunable)
        form, trains = self._form(type(run.settings)), self.chosen < len(self._trains) and self._trains[self.chosen]
        for setting in fields(run.settings):
            if not knob_of(setting).live:
                form.field(setting.name).set_note(LATER if trains else "")

    def _form(self, settings: type) -> RequestForm[Any]:
        if settings not in self._knobs:
            form: RequestForm[Request] = RequestForm(form_class(settings), self._section)
            form.changed.connect(lambda: self._tune(settings))
            self._section.add(form)
            self._knobs[settings] = form
        return self._knobs[settings]

    def _tune(self, settings: type) -> None:
        """A knob is turned: another settings value, unless something in the form cannot be."""
        if self._restoring or type(self.runs[self.chosen].settings) is not settings:
            return
        fields = self._knobs[settings].valid_value()
        if fields is None:
            return
        try:
            made = settings(**fields.model_dump())
        except BadSetting as error:
            self.said.emit(str(error))
            return
        if self.described is not None and (why := unfit(made, self.described)):
            self._knobs[settings].field("algorithm").set_error(why)
            self.said.emit(why)
            return
        if made != self.runs[self.chosen].settings:
            self.runs[self.chosen] = replace(self.runs[self.chosen], settings=made)
            self._show_notes()
            self.tuned.emit(self.chosen, made)
            self._edited()

    def set_shared(self, **fields: object) -> None:
        """Change seed, seeds or steps; runs that train keep theirs."""
        self._restoring = True
        self.form.set_fields(fields)
        self._restoring = False

    def _share(self) -> None:
        shared = self.form.valid_value()
        if shared is not None:
            if shared.steps != self._steps and not self._restoring:
                self.budget.emit(shared.steps)
            self._steps = shared.steps
        self._edited()

    # --- the whole ---

    def request(self) -> RlRequest:
        """What a training would begin with. Raises RequestError."""
        if self.described is None or not self.runs:
            raise RequestError("Choose a world first.")
        shared = self.form.value()
        runs = tuple(
            RunFields(
                agent=run.agent, settings=tuple(asdict(run.settings).items()), steps=self._own_steps(run, shared.steps)
            )
            for run in self.runs
        )
        return shared.replace(world=world_text(self.described.spec), runs=runs)

    def _own_steps(self, run: Chosen, steps: int) -> int:
        """The budget that goes with tuned settings, whose rates fall over it; 0 where the person has set another for all."""
        tuned = run.base.steps if run.base is not None and run.untouched else 0
        return tuned if tuned < steps == _budget(self.runs) else 0

    def set_together(self, together: bool) -> None:
        self._clock.setChecked(together)

    def _edited(self) -> None:
        self._say_shared()
        self.changed.emit()

    def _say_shared(self) -> None:
        shared = self.form.valid_value()
        if shared is not None:
            many = f"{shared.seeds} seeds" if shared.seeds > 1 else f"seed {shared.seed}"
            least = min((self._own_steps(run, shared.steps) or shared.steps for run in self.runs), default=shared.steps)
            steps = f"{shared.steps:,}" if least == shared.steps else f"{least:,} to {shared.steps:,}"
            self._shared.set_heading(f"{steps} steps, {many}")


def world_text(spec: WorldSpec) -> str:
    """A world as requests hold it."""
    return json.dumps(spec.to_json(), separators=(",", ":"), ensure_ascii=False)


def _budget(runs: Sequence[Chosen]) -> int:
    """Steps that untouched settings ask for; 0 where none do."""
    return max((run.base.steps for run in runs if run.base is not None and run.untouched), default=0)


def _first(described: Described) -> list[Offer]:
    """Which agents to begin with: one that is on-policy and one that is not, where there are both."""
    fit = described.fit
    on = next((offer for offer in fit if offer.on_policy), None)
    like = [offer for offer in fit if on is None or offer.family == on.family]
    off = next((offer for offer in like if not offer.on_policy), None)
    return [offer for offer in (on, off) if offer is not None]
