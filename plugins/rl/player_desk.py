"""Between the window and the engine, for players: a policy, a person, an episode again, beside the training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import ErrorInfo, Event, Priority, Snapshot, Task
from studio.host.context import PanelContext
from studio_plugins.rl import playing
from studio_plugins.rl.agent_files import Guest
from studio_plugins.rl.playing import Dial, PlayOrder, ReplayOrder
from studio_plugins.rl.seat import Seat
from studio_plugins.rl.world_desk import WorldDesk


class PlayerDesk(WorldDesk):
    """Signals, beside those of worlds: `played` (Played), `stopped_playing`."""

    played = Signal(object)
    stopped_playing = Signal()

    def __init__(self, context: PanelContext, parent: QObject) -> None:
        super().__init__(context, parent)
        self.dial = Dial()
        self.dial.annex = self._annex
        self.guest: Guest | None = None
        """An agent out of a file, that may play."""
        self._player: Task | None = None

    def play(self, seat: Seat, who: str) -> None:
        """Let a policy, the person, or the agent out of a file play in a run's world beside its training."""
        guest = self.guest if who == "opened" else None
        self._perform(playing.play, PlayOrder(seat, self.dial, who, guest), f"playing {seat.letter}")  # type: ignore[arg-type]

    def replay(self, seat: Seat, episode: Any) -> None:
        """Show an episode of a run again."""
        self._perform(playing.replay, ReplayOrder(seat, self.dial, episode), f"replaying {seat.letter}")

    def _perform(self, job: Callable[..., Any], order: Any, title: str) -> None:
        self.dial.tell("begin")
        self._player = self.submit(job, order, title, replace="player", priority=Priority.FOREGROUND)

    def stop_playing(self) -> None:
        """Back to the training itself."""
        player, self._player = self._player, None
        if player is not None:
            player.cancel()

    def on_event(self, task: Task, event: Event) -> None:
        if isinstance(event, Snapshot) and event.name == "play":
            if task is self._player:
                self.played.emit(event.data)
        else:
            super().on_event(task, event)

    def _cancelled(self, task: Task) -> None:
        if task is self._player:
            self._over()
        else:
            super()._cancelled(task)

    def _failed(self, task: Task, error: ErrorInfo) -> None:
        super()._failed(task, error)
        if task is self._player:
            self._over()

    def _over(self) -> None:
        self._player = None
        self.stopped_playing.emit()
