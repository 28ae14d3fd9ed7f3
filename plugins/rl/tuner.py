"""What is turned in the controls while runs train: what can change in them does, the rest waits."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QInputDialog, QWidget

from studio.engine import Done, Event, Task
from studio.ml.rl.errors import BadSetting
from studio.ml.rl.knobs import live_part
from studio.ml.rl.presets import Preset
from studio_plugins.rl import preset_file
from studio_plugins.rl.chosen import Base, Chosen, unfit
from studio_plugins.rl.controls import Controls
from studio_plugins.rl.desk import Desk
from studio_plugins.rl.preset_file import FileOrder, FileRead
from studio_plugins.rl.training import Looked


class Tuner(QObject):
    """Between the controls and the desk. Signal: `said` (text, level, details, actions)."""

    said = Signal(str, str, str, object)

    def __init__(self, controls: Controls, desk: Desk, window: QWidget) -> None:
        super().__init__(window)
        self._controls, self._desk, self._window = controls, desk, window
        self._apart = False
        """Whether a row was taken away since the runs began: then rows and runs are no longer the same ones."""
        controls.tuned.connect(self.tune)
        controls.list.removed.connect(self._part)
        controls.budget.connect(self.extend)
        controls.source.file.connect(self.ask_file)
        desk.moved.connect(self.show_training)
        desk.seated.connect(self.show_training)

    def tune(self, index: int, settings: Any) -> None:
        """A knob was turned: a run of this agent that goes on takes up at once what can change in a run."""
        if index < len(self._desk.seats) and not self._apart:
            seat = self._desk.seats[index]
            if type(seat.plan.settings) is type(settings):
                self._desk.do(seat, partial(_change, settings=settings), key="settings")

    def _part(self, _index: int) -> None:
        self._apart = bool(self._desk.seats)

    def extend(self, steps: int) -> None:
        """Another budget: runs that have a smaller one go on until then."""
        for seat in self._desk.seats:
            self._desk.do(seat, partial(_extend, steps=steps), key="budget")

    def show_training(self) -> None:
        """Mark what cannot change in the runs that train."""
        kinds = [seat.plan.kind for seat in self._desk.seats]
        if kinds == [run.agent for run in self._controls.runs]:
            self._apart = False
        self._controls.show_training([self._desk.task_of(seat) is not None for seat in self._desk.seats])

    def _follow(self, looked: Looked) -> None:
        """A run is back where it may have had other settings: the controls show those."""
        if looked.seat not in self._desk.seats or self._apart:
            return
        index = self._desk.seats.index(looked.seat)
        if index >= len(self._controls.runs):
            return
        before, then = self._controls.runs[index].settings, looked.view.plan.settings
        if type(before) is type(then):
            with suppress(BadSetting):  # what waits for the next training does not go with what was
                self._controls.follow(index, live_part(before, then))

    # --- settings from a file ---

    def ask_file(self) -> None:
        """Ask for a file of settings; the window goes on meanwhile."""
        dialog = QFileDialog(self._window, "Settings from a file")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters(["Settings (*.yml *.yaml *.json)", "All files (*)"])
        dialog.fileSelected.connect(lambda path: self.read(Path(path)))
        dialog.open()

    def read(self, path: Path) -> None:
        """Read settings for the chosen run."""
        index = self._controls.chosen
        run = self._controls.runs[index]
        order = FileOrder(path, index, run.agent, run.settings)
        self._desk.submit(preset_file.read, order, f"reading {path.name}", replace="presets", lane="quick")

    def on_event(self, _task: Task, event: Event) -> None:
        """Hear of a file that was read, and of a run that went back."""
        if isinstance(event, Done) and isinstance(event.result, FileRead):
            self.take(event.result)
        elif isinstance(event, Done) and isinstance(event.result, Looked) and event.result.back:
            self._follow(event.result)

    def take(self, read: FileRead) -> None:
        """Use what is for the present world; where nothing is, ask which of the others to use."""
        described, name = self._controls.described, read.order.path.name
        if described is None:
            return
        found, refusals = read.found, preset_file.refusals(read.found)
        mine = preset_file.for_world(found, described.spec)
        if mine is not None:
            self.use(read.order, mine)
        elif not found.presets:
            self.said.emit(f"{name} holds no settings that can be used; see why.", "error", refusals, ())
        else:
            titles = [preset.world.id for preset in found.presets]
            dialog = QInputDialog(self._window)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.setWindowTitle("Settings for another world")
            here = self._controls.title
            why = found.refused.get(described.spec.id, "")
            reason = f"{name} cannot be used for {here}: {why}" if why else f"{name} has no settings for {here}."
            dialog.setLabelText(f"{reason}\nTake those for another world:")
            dialog.setComboBoxItems(titles)
            dialog.textValueSelected.connect(lambda title: self.use(read.order, found.presets[titles.index(title)]))
            dialog.open()

    def use(self, order: FileOrder, preset: Preset) -> None:
        """Put settings from a file into the run that they were read for."""
        controls = self._controls
        described = controls.described
        if described is None or order.index >= len(controls.runs):
            return
        why = described.offer(preset.kind).refused or unfit(preset.settings, described)
        if why:
            self.said.emit(f"The settings of {order.path.name} cannot be used here. {why}", "warning", "", ())
            return
        words = f"{preset.world.id} of {order.path.name}"
        base = Base(words, preset.settings, preset_file.told(order, preset), preset.steps)
        controls.put(order.index, Chosen(preset.kind, preset.settings, base))
        level = "warning" if preset.left_out else "success"
        self.said.emit(preset_file.told(order, preset), level, "", ())


def _change(session: Any, settings: Any) -> None:
    now = live_part(session.plan.settings, settings)
    if now != session.plan.settings:
        session.change(now)


def _extend(session: Any, steps: int) -> None:
    if steps > session.plan.steps:
        session.extend(steps)
