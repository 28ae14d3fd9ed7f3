"""What goes out to files and comes in from them: episodes, agents, TensorBoard files; asked where, done by jobs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QMenu

from studio.engine import Cancelled, Done, Event, Failed, Priority, Task
from studio.host.commands import Command
from studio.host.export import Exportable
from studio.ml.rl.learner import Episode
from studio_plugins.rl import agent_files, event_files, film
from studio_plugins.rl.agent_files import Guest, OpenOrder, SavedAgent, SaveOrder, Which, is_sb3
from studio_plugins.rl.catalogue import title_of
from studio_plugins.rl.comparing import Comparing
from studio_plugins.rl.event_files import EventFiles, EventOrder
from studio_plugins.rl.film import FilmOrder, Written
from studio_plugins.rl.plans import agent_title
from studio_plugins.rl.seat import Seat
from studio_plugins.rl.sharing import reel_of

if TYPE_CHECKING:
    from studio_plugins.rl.panel import RlPanel

_NO_RUN = "There is no run yet: press Train first."


class Outlet(QObject):
    """Between the panel, file dialogs and the desk; the choice of kept runs to compare with is part of it."""

    def __init__(self, panel: RlPanel) -> None:
        super().__init__(panel)
        self._panel, self._desk = panel, panel.desk
        self._film: Task | None = None
        self.comparing = Comparing(panel.stage.curves, panel.lines, panel.desk, self)
        panel.stage.replay.exported.connect(self.save_episode)
        self._register(panel)

    def _register(self, panel: RlPanel) -> None:
        """The commands, and the menu in the play bar that offers them."""
        menu = QMenu("Agents as files", panel.stage.play)
        menu.setToolTipsVisible(True)

        def some() -> bool:
            return bool(self._desk.seats)

        def best() -> bool:
            seat = self._seat()
            return seat is not None and not is_sb3(seat) and panel.stage.play.is_best_known

        for name, text, callback, enabled in (
            ("save_agent", "Save agent as it is now…", partial(self.save_agent, "current"), some),
            ("save_best", "Save agent with its best policy…", partial(self.save_agent, "best"), best),
            ("open_agent", "Let an agent from a file play…", self.open_agent, None),
            ("film", "Save the watched or best episode as a film…", self.save_episode, lambda: bool(reel_of(panel))),
            ("tensorboard", "Write TensorBoard files…", self.write_events, some),
        ):  # fmt: skip
            panel.context.commands.register(Command(f"rl.{name}", text, callback, category="Agents", enabled=enabled))
            action = menu.addAction(text, callback)
            if enabled is not None:
                menu.aboutToShow.connect(lambda action=action, able=enabled: action.setEnabled(able()))
            if name == "open_agent":
                menu.addSeparator()
        compare, ask = "Compare with kept runs…", self.comparing.ask
        panel.context.commands.register(Command("rl.compare", compare, ask, category="Agents", enabled=some))
        panel.stage.play.files.setMenu(menu)

    def _seat(self) -> Seat | None:
        """The chosen run."""
        index = self._panel.theatre.chosen
        return self._desk.seats[index] if index < len(self._desk.seats) else None

    def _ask(self, heading: str, name: str, filters: str, chosen: Callable[[Path], object]) -> QFileDialog:
        """A dialog for a file to write; it does not hold up the window."""
        dialog = QFileDialog(self._panel, heading, name, filters)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        return _opened(dialog, chosen)

    # --- an episode ---

    def save_episode(self, episode: Episode | None = None) -> None:
        """Ask where, then write an episode of the chosen run as a film; without one, the watched or the best."""
        reel = reel_of(self._panel, episode)
        if reel is None:
            self._panel.message("No episode of this run has ended yet.", "warning")
            return
        service = self._panel.context.export
        name = service.suggest_name(Exportable(reel.title, "animation", lambda: None))
        self._ask("Save the episode", name, service.filters("animation"), partial(self.write_episode, reel))

    def write_episode(self, reel: film.Reel, path: Path) -> None:
        """Write a film, which can be cancelled on the way."""
        order = FilmOrder(reel, self._panel.context.export, path)
        heading, priority = f"saving {reel.title}", Priority.FOREGROUND
        self._film = task = self._desk.submit(film.write_film, order, heading, replace="film", priority=priority)
        if task is not None:
            self._panel.message(f"Saving {reel.title} as {path.name} …", "info", "", [("Cancel", task.cancel)])

    # --- agents ---

    def save_agent(self, which: Which) -> None:
        """Ask where, then write what the chosen run has learnt."""
        seat = self._seat()
        if seat is None:
            self._panel.message(_NO_RUN, "warning")
            return
        sb3 = is_sb3(seat)
        told = f"{agent_title(seat.plan)} {title_of(seat.plan.world)} {which}".lower()
        name = "-".join("".join(c if c.isalnum() else " " for c in told).split())
        filters = "Stable-Baselines3 (*.zip)" if sb3 else "A new folder (*)"
        heading = "Save agent" if sb3 else "Save agent: name a folder for agent.safetensors and agent.json"
        self._ask(heading, name + (agent_files.ZIP if sb3 else ""), filters, partial(self.write_agent, seat, which))

    def write_agent(self, seat: Seat, which: Which, path: Path) -> None:
        """Write what a run has learnt."""
        order, heading = SaveOrder(seat, which, path), f"saving agent {seat.letter}"
        self._desk.submit(agent_files.save_agent, order, heading, priority=Priority.INTERACTIVE)

    def open_agent(self) -> None:
        """Ask which, then let an agent out of a file play beside the training."""
        filters = "Agents (agent.json *.zip)"
        dialog = QFileDialog(self._panel, "An agent: agent.json, or a zip of Stable-Baselines3", "", filters)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        _opened(dialog, self.read_agent)

    def read_agent(self, path: Path) -> None:
        """Open an agent for the world of the chosen run, or the one to be trained in."""
        seat, described = self._seat(), self._panel.controls.described
        world = seat.plan.world if seat is not None else described.spec if described is not None else None
        self._desk.submit(agent_files.open_agent, OpenOrder(path, world), f"opening {path.name}", lane="quick")

    # --- TensorBoard ---

    def write_events(self) -> None:
        """Ask for a folder, then write the curves of all runs as TensorBoard reads them."""
        if not self._desk.views:
            self._panel.message(_NO_RUN, "warning")
            return
        dialog = QFileDialog(self._panel, "A folder for TensorBoard files")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        _opened(dialog, self.write_events_into)

    def write_events_into(self, folder: Path) -> None:
        """Write the curves as they stand."""
        order = EventOrder(folder, tuple(self._desk.seats))
        self._desk.submit(event_files.write_events, order, "writing TensorBoard files", priority=Priority.INTERACTIVE)

    # --- hearing ---

    def on_event(self, task: Task, event: Event) -> None:
        """Hear what became of it."""
        self.comparing.on_event(task, event)
        if task is self._film and isinstance(event, (Done, Failed, Cancelled)):
            self._film = None
            if isinstance(event, Cancelled):
                self._panel.message("The episode was not saved.", "info")
        if isinstance(event, Done):
            self._done(event.result)

    def _done(self, result: object) -> None:
        say = self._panel.message
        if isinstance(result, (Written, SavedAgent, EventFiles)):
            self._desk.status.emit("", None)
        if isinstance(result, Written):
            say(f"Saved as {result.path}. {result.told}", "success")
        elif isinstance(result, SavedAgent):
            say(f"Saved in {result.path}: {result.text}.", "success")
        elif isinstance(result, EventFiles):
            say(f"{result.files} files for TensorBoard are in {result.folder}.", "success")
        elif isinstance(result, Guest):
            self._panel.theatre.invite(result)
            waits = "" if self._desk.seats else " Press Train, then choose it below the world."
            say(f"{result.title}: {result.told}{waits}", "info")


def _opened(dialog: QFileDialog, chosen: Callable[[Path], object]) -> QFileDialog:
    """Show a dialog; what is chosen goes to `chosen`."""
    dialog.fileSelected.connect(lambda name: chosen(Path(name)))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    return dialog
