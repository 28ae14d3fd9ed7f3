"""Curves as TensorBoard reads them: a folder for each run, a file for each of its seeds."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.atomic import FileUnwritable
from studio_plugins.rl.keeping import title
from studio_plugins.rl.seat import Seat
from studio_plugins.rl.yard import in_yard

Running = Generator[Event | Offload, Any, Any]


@dataclass(frozen=True, eq=False)
class EventOrder:
    """Which runs to write under which folder."""

    folder: Path
    seats: tuple[Seat, ...]


@dataclass(frozen=True)
class EventFiles:
    """How many files were written, and where."""

    folder: Path
    files: int


@in_yard
def write_events(order: EventOrder, ctx: JobContext) -> Running:
    """Write their curves as they stand, seed after seed. Raises FileUnwritable; seeds written before stay; AnnexEnded."""
    from studio.ml.rl.tensorboard import write

    files, now = 0, time.time()
    views = [(seat.letter, seat.opened().view()) for seat in order.seats if seat.has_begun]
    whole = sum(view.plan.seeds for _, view in views)
    for letter, view in views:
        folder = order.folder / _plain(f"{letter} {title(view.plan)}")
        for place in range(view.plan.seeds):
            yield Progress(files, whole, f"writing the curves of {letter}, seed {view.plan.seed + place}")
            own = {measure: (seeds[place],) for measure, seeds in view.curves.items()}
            try:
                yield Offload(write, folder, own, [view.plan.seed + place], now - view.seconds)
            except OSError as error:
                raise FileUnwritable(folder, error) from error
            files += 1
    return EventFiles(order.folder, files)


def _plain(name: str) -> str:
    """A folder's name: letters, digits, spaces and a few signs."""
    kept = "".join(c if c.isalnum() or c in "-_(), " else " " for c in name)
    return " ".join(kept.split()) or "run"
