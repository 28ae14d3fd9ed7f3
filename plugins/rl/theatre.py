"""What is seen of the runs: training as it goes, a policy that plays, a person who plays, an episode again."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.ml.rl.learner import Episode
from studio_plugins.rl.agent_files import Guest
from studio_plugins.rl.desk import Desk
from studio_plugins.rl.offers import Described
from studio_plugins.rl.play_keys import PlayKeys
from studio_plugins.rl.playing import Played
from studio_plugins.rl.stage import Stage

WORDS = {
    "current": "current policy", "best": "best policy", "you": "you play", "replay": "replay", "opened": "opened agent",
}  # fmt: skip
_PLAYERS = {"current": "current", "best": "best", "human": "you", "opened": "opened"}


class Theatre(QObject):
    """Between the watch page of the stage and the desk. Signals: `said` (text, level), `new_run` (index of the run that is
    to begin anew)."""

    said = Signal(str, str)
    new_run = Signal(int)

    def __init__(self, stage: Stage, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self._stage, self._desk = stage, desk
        self._connected: set[int] = set()
        self._keys = PlayKeys(self)
        self._keys.acted.connect(lambda action: desk.dial.tell("press", action))
        self._keys.holds.connect(lambda action: setattr(desk.dial, "held", action))
        play, replay = stage.play, stage.replay
        play.set_able(False)
        play.watched.connect(self._watch)
        play.speed_changed.connect(self._set_speed)
        play.waits.connect(lambda waits: setattr(desk.dial, "patient", waits))
        replay.chosen.connect(self._replay)
        replay.moved.connect(lambda step: setattr(desk.dial, "seek", step))
        replay.closed.connect(self.watch_training)
        desk.played.connect(self._show_played)
        desk.stopped_playing.connect(self.watch_training)
        stage.overlays.changed.connect(self._show_overlays)
        stage.tools.pen_changed.connect(lambda pen: [tile.grid_view.set_pen(pen) for tile in stage.tiles.tiles])

    # --- runs ---

    def begin(self) -> None:
        """A training begins: it is what is watched."""
        self.watch_training()
        self._stage.play.set_paused(False)
        self._set_speed(self._stage.play.rate)

    def connect_tiles(self, edited: Callable[..., None]) -> None:
        """There are other tiles: edits of their worlds go to `edited`."""
        for tile in self._stage.tiles.tiles:
            if id(tile) in self._connected:
                continue
            self._connected.add(id(tile))
            tile.destroyed.connect(lambda _object=None, key=id(tile): self._connected.discard(key))
            tile.edited.connect(edited)
            tile.refused.connect(lambda why: self.said.emit(why, "warning"))
            tile.rewind.connect(lambda tile=tile: self._rewind(tile.place))
            tile.new_run.connect(lambda tile=tile: self.new_run.emit(tile.place))
            tile.grid_view.set_overlays(self._stage.overlays.overlays)
            tile.grid_view.set_pen(self._stage.tools.pen)
            tile.give_keys(self._keys)

    def set_actions(self, names: tuple[str, ...], *, turn_based: bool) -> None:
        """The actions of the present world, for the keys of whoever plays in it."""
        self._keys.set_actions(names)
        self._stage.play.set_actions(names, turn_based=turn_based)
        self._desk.dial.patient = turn_based

    def show_world(self, described: Described) -> None:
        """A world in which nobody has learnt yet."""
        for tile in self._stage.tiles.tiles:
            tile.show_world(described.spec.grid, described.first)

    def show_view(self, index: int, view: Any) -> None:
        """A run was looked at."""
        tiles = self._stage.tiles.tiles
        if index >= len(tiles):
            return
        if index != self.chosen or not self.plays():
            tiles[index].show_look(view.look, rate=view.rate)
        tiles[index].show_trouble(view.trouble)
        if index == self.chosen:
            self._stage.play.set_best_known(any(len(curve) >= 20 for curve in view.curves["return"]))
            best = [view.best] if view.best is not None else []
            self._stage.replay.set_episodes(best, tuple(reversed(view.episodes)))
            self._stage.play.set_replay(best[0].number if best else None)

    def show_moving(self, moves: bool, left: bool) -> None:
        """Whether any run moves now, and whether any has steps left to make."""
        plays = self.plays()
        self._stage.play.set_able(plays or left)
        if not plays:
            self._show_paused(left and not moves)

    def _show_paused(self, paused: bool) -> None:
        """On the bar; what the bar then says is no wish of the person."""
        blocked = self._stage.play.blockSignals(True)
        self._stage.play.set_paused(paused)
        self._stage.play.blockSignals(blocked)

    def show_mode(self, index: int, word: str) -> None:
        """What a run is doing, if not training."""
        tiles = self._stage.tiles.tiles
        if index < len(tiles) and not (self.plays() and index == self.chosen):
            tiles[index].set_mode(word)

    def choose(self, index: int) -> None:
        """Another run is chosen: who plays, plays in its world."""
        if self.plays():
            self._watch(self._stage.play.watching)

    @property
    def chosen(self) -> int:
        """Which run is looked at."""
        return max(0, self._stage.tiles.index)

    # --- who is watched ---

    def plays(self) -> bool:
        """Whether something else than training is watched."""
        return self._stage.play.watching != "training"

    def watch_training(self) -> None:
        """Back to the training itself."""
        if self.plays():
            self._stage.play.set_watching("training")
        self._watch("training")

    def invite(self, guest: Guest) -> None:
        """Let an agent out of a file play in the world of the chosen run; without a run, once there is one."""
        self._desk.guest = guest
        self._stage.play.set_guest(guest.title)
        if self._desk.seats:
            self._stage.play.set_watching("opened")
            self._watch("opened")
            self._set_speed(self._stage.play.rate)

    def _watch(self, what: str) -> None:
        seat = self._desk.seats[self.chosen] if self.chosen < len(self._desk.seats) else None
        if seat is None and what != "training":
            self.said.emit("Press Train first: who plays, plays in the world of a run.", "info")
            self._stage.play.set_watching("training")
            what = "training"
        self._keys.active = what == "human"
        self._stage.replay.setVisible(what == "replay")
        self._desk.dial.paused = False
        if seat is None or what == "training":
            self._desk.stop_playing()
            self._desk.moved.emit()
            view = self._desk.views.get(self.chosen)
            if view is not None:
                self.show_view(self.chosen, view)
            return
        self._stage.play.set_able(True)
        self._show_paused(False)
        if what == "replay":
            view = self._desk.views.get(self.chosen)
            if view is not None and view.best is not None:
                self._stage.replay.choose(view.best)
        else:
            self._desk.play(seat, _PLAYERS[what])
            if what == "human":
                self._stage.tiles.tiles[self.chosen].view.setFocus()

    def _replay(self, episode: Episode) -> None:
        if self.chosen < len(self._desk.seats):
            self._desk.replay(self._desk.seats[self.chosen], episode)

    def _show_played(self, played: Played) -> None:
        if not self.plays() or self.chosen >= len(self._stage.tiles.tiles):
            return
        tile = self._stage.tiles.tiles[self.chosen]
        tile.set_mode(WORDS[played.who])
        tile.show_look(played.look)
        if played.who == "replay":
            self._stage.replay.set_place(played.step)

    def _set_speed(self, rate: float) -> None:
        if self.plays():
            self._desk.dial.fps = min(rate, 60.0)
        else:
            self._desk.set_speed(None if rate == inf else rate)

    def _show_overlays(self, overlays: Any) -> None:
        for tile in self._stage.tiles.tiles:
            tile.grid_view.set_overlays(overlays)

    def _rewind(self, index: int) -> None:
        view = self._desk.views.get(index)
        good = [mark for mark in view.marks if mark.good] if view is not None else []
        if good:
            self._desk.rewind(self._desk.seats[index], good[-1].number)
        else:
            self.said.emit("No good mark of this run is left; begin it anew.", "warning")

    def close(self) -> None:
        """The panel closes."""
        self._stage.replay.stop()
