"""Trainings that were broken off, when the window was closed or killed: what is left of them, and taking them up."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.engine import JobContext, Log, Offload, Progress
from studio.host.processes import is_running, process_mark
from studio.ml.rl.errors import BadCheckpoint, NewerCheckpoint, RLError
from studio_plugins.rl.seat import LETTERS, Seat, hold, is_held, let_go
from studio_plugins.rl.training import Running, load
from studio_plugins.rl.yard import in_yard

if TYPE_CHECKING:
    from studio.ml.rl.plan import Plan

log = logging.getLogger("studio.rl")


@dataclass(frozen=True, eq=False)
class LeftOver:
    """A run whose training was broken off, by its last checkpoint. trained: the mark of the process that trained it."""

    folder: Path
    plan: Plan
    steps: int
    trained: str = ""


@dataclass(frozen=True, eq=False)
class Damaged:
    """A checkpoint that cannot be opened here, and why not. newer: a newer version of the studio can."""

    folder: Path
    why: str
    newer: bool = False


@dataclass(frozen=True, eq=False)
class LeftOvers:
    """All of them. runs: those of one training, which go on together. later: of other trainings. lost: why the process that
    trained has ended, where it has just done so."""

    runs: tuple[LeftOver, ...] = ()
    damaged: tuple[Damaged, ...] = ()
    later: tuple[LeftOver, ...] = ()
    lost: str = ""


def find_left_over(folder: Path, ctx: JobContext) -> Running:
    """Runs whose training was broken off; those that another window or panel trains now are left alone."""
    yield Progress(0, 1, "looking for broken-off trainings")
    found: LeftOvers = yield Offload(_left_over, folder)
    return found


def _left_over(folder: Path) -> LeftOvers:
    from studio.ml.rl import store

    found, damaged = [], []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        mark = mark_of(path)
        if not path.is_dir() or (is_held(path) if mark == process_mark() else is_running(mark)):
            continue
        try:
            if store.is_empty(path):  # killed before its first checkpoint was whole
                shutil.rmtree(path, ignore_errors=True)
                continue
            plan, steps = store.glance(path)
            found.append((path.stat().st_mtime, LeftOver(path, plan, steps, mark)))
        except (OSError, RLError) as error:
            log.warning("The checkpoint in %s cannot be used: %s", path, error)
            damaged.append(Damaged(path, str(error), isinstance(error, NewerCheckpoint)))
    runs = [run for _, run in sorted(found, key=lambda pair: (-pair[0], pair[1].folder.name))]
    first = together(runs)
    return LeftOvers(first, tuple(damaged), tuple(run for run in runs if run not in first))


def mark_of(folder: Path) -> str:
    """The mark of the process that trained the run of a folder; folders are named LETTER-MARK-NUMBER."""
    return folder.name.partition("-")[2].partition("-")[0]


def together(runs: Sequence[LeftOver]) -> tuple[LeftOver, ...]:
    """The newest run with those that trained beside it: in one process, in one world, on the same seeds."""

    def training(run: LeftOver) -> object:
        grid = run.plan.world.grid
        shape = None if grid is None else (grid.rows, grid.columns)
        return run.trained, run.plan.world.id, shape, run.plan.seed, run.plan.seeds

    beside: dict[str, LeftOver] = {}
    for run in runs:
        if training(run) == training(runs[0]):
            beside.setdefault(run.folder.name[:1], run)
    return tuple(beside[letter] for letter in sorted(beside))[: len(LETTERS)]


@dataclass(frozen=True, eq=False)
class ReopenOrder:
    """Which seat takes up the run of a folder; its own folder is the new name of that one."""

    seat: Seat
    folder: Path


@dataclass(frozen=True, eq=False)
class Reopened:
    """A run that was broken off, ready to go on."""

    seat: Seat
    view: Any


@in_yard
def reopen(order: ReopenOrder, ctx: JobContext) -> Running:
    """Open a run from its last checkpoint, or from the one before it. Raises BadCheckpoint and other RLErrors."""
    from studio.ml.rl import store

    seat, whole = order.seat, False
    assert seat.folder is not None
    yield Progress(0, 1, f"opening run {seat.letter}")
    yield Offload(_claim, order)
    try:
        yield Offload(load, seat.plan)
        try:
            seat.session = store.open_session(seat.folder)
        except NewerCheckpoint:
            raise
        except BadCheckpoint as error:
            try:
                seat.session = store.open_session(seat.folder, earlier=True)
            except BadCheckpoint:
                raise error from None
            yield Log(f"The last checkpoint of {seat.letter} cannot be used; it goes on from the one before. {error}", "warning")
        whole = True
    finally:
        if not whole:
            _give_back(order)
    return Reopened(seat, seat.session.view(frame=True))


def _claim(order: ReopenOrder) -> None:
    """Name the folder after this process, so that no other takes the run up as well."""
    assert order.seat.folder is not None
    hold(order.seat.folder)
    try:
        order.folder.rename(order.seat.folder)
    except OSError as error:
        let_go(order.seat.folder)
        order.seat.folder = None
        why = "another window has taken it up or removed it" if not order.folder.exists() else error.strerror or str(error)
        raise BadCheckpoint(f"Run {order.seat.letter} cannot be taken up: {why}.") from error


def _give_back(order: ReopenOrder) -> None:
    """It could not be opened: another time, or another version, may open it."""
    folder, order.seat.folder = order.seat.folder, None
    if folder is None:
        return
    let_go(folder)
    try:
        folder.rename(order.folder)
    except OSError as error:
        log.warning("The checkpoint in %s could not be named as before: %s", folder, error)


def discard(folder: Path, ctx: JobContext) -> Running:
    """Remove a checkpoint that is not wanted."""
    yield Progress(0, 1, "removing a checkpoint")
    yield Offload(shutil.rmtree, folder, True)
