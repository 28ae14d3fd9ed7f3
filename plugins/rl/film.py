"""An episode as moving pictures: acted again from its seed and actions, a picture of every step or of every few."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.export import Animation, Exportable, ExportError, ExportService
from studio.ml.rl.learner import Episode, TableLook
from studio.ml.rl.worlds import WorldSpec
from studio_plugins.rl.drawing import FrameArtist, GridArtist, Manner, Moment, Pixels, TextArtist
from studio_plugins.rl.playing import CHANGED, differs

MOST_FRAMES = 400
MOST_BYTES = 192 * 2**20
"""Of all frames together: they are in memory at once while they are written."""
FPS, HOLD = 15.0, 1.5
"""Steps a second, and seconds that the last picture stays."""
_PIECE = 64
Running = Generator[Event | Offload, Any, Any]


@dataclass(frozen=True, eq=False)
class Reel:
    """Which episode of which world to draw, and how. table: what its agent knows, drawn under it."""

    title: str
    world: WorldSpec
    episode: Episode
    table: TableLook | None = None
    manner: Manner = field(default_factory=Manner)


@dataclass(frozen=True, eq=False)
class Film:
    """every: steps from one picture to the next. changed: whether the world is another than it was."""

    animation: Animation
    every: int
    changed: bool

    @property
    def told(self) -> str:
        """What it shows, in a sentence."""
        pictures = len(self.animation.frames)
        told = f"{pictures} pictures, one of {'each' if self.every == 1 else f'every {_ordinal(self.every)}'} step."
        return told + (f" {CHANGED}" if self.changed else "")


def filmed(reel: Reel) -> Generator[Progress, None, Film]:
    """Draws an episode, and tells on the way how far it is. Raises RLError, ExportError."""
    from studio.ml.rl.worlds import Replay
    from studio.ml.rl.worlds.known import grid_of

    again = Replay(reel.world, reel.episode.seed, reel.episode.actions)
    try:
        seen, length = again.description.seen, again.length
        if seen == "none":
            raise ExportError(f"{reel.world.title} has no picture of itself, so there is nothing to put into a film.")
        grid = reel.world.grid or (grid_of(reel.world) if seen == "grid" else None)
        moments, every = [], max(1, -(-length // (MOST_FRAMES - 1)))
        trail: list[int] = []
        room = MOST_FRAMES
        for time in range(length + 1):
            again.forward(time)
            if seen == "grid":
                trail.append(int(again.show(frame=False).observation))
            if time % every == 0 or time == length:
                shown = again.show()
                state = trail[-1] if trail else None
                moments.append(Moment(state, tuple(trail[-1000:]), shown.action, shown.frame, shown.text))
                if shown.frame is not None:
                    room = max(2, MOST_BYTES // shown.frame.nbytes)
                if len(moments) > room and time < length:  # larger pictures than can be kept: half as many
                    moments, every = moments[::2], 2 * every
                yield Progress(time, 2 * length, "acting the episode again")
            elif time % _PIECE == 0:
                yield Progress(time, 2 * length, "acting the episode again")
        if grid is not None:
            artist: Any = GridArtist(grid, reel.table, reel.manner)
        else:
            artist = FrameArtist() if seen == "rgb" else TextArtist([moment.text for moment in moments])
        frames: list[Pixels] = []
        for moment in moments:
            frames.append(artist.draw(moment))
            yield Progress(len(moments) + len(frames), 2 * len(moments), "drawing the episode")
        return Film(Animation(frames, FPS, HOLD), every, differs(again.total, reel.episode))
    finally:
        again.close()


def animation(reel: Reel) -> Animation:
    """The whole of it at once, for a thread that has the time. Raises RLError, ExportError."""
    steps = filmed(reel)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value.animation  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class FilmOrder:
    """Which episode to write to which file."""

    reel: Reel
    service: ExportService
    path: Path


@dataclass(frozen=True)
class Written:
    """A film is on the disk; `told` says what it shows."""

    path: Path
    told: str


def write_film(order: FilmOrder, ctx: JobContext) -> Running:
    """Draw an episode and write it in the format that the file's suffix names; gives what was `Written`.

    Raises RLError, ExportError, FileUnwritable.
    """
    film = yield from filmed(order.reel)
    yield Progress(1, 1, f"writing {order.path.name}")
    exportable = Exportable(order.reel.title, "animation", lambda: film.animation)
    written: Path = yield Offload(order.service.save, exportable, order.path)
    return Written(written, film.told)


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number // 10 % 10 != 1 else "th"
    return f"{number}{ending}"
