"""Checkpoints of runs on the disk: the last one and the one before it, each in a folder of its own.

A new one is written aside and then pointed at, so that a power cut, a full disk or a damaged file never takes the last
good one away. Marks to rewind to are not kept; the place where a run is opened again becomes the first.
"""

from __future__ import annotations

import json
import os
import shutil
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl import learners
from studio.ml.rl.agents import policy_of, weights
from studio.ml.rl.errors import BadCheckpoint, BadSetting, NewerCheckpoint, RLError
from studio.ml.rl.files import FORMAT, flush, read_json, read_pair, replacing, write_pair
from studio.ml.rl.learner import Kept
from studio.ml.rl.marks import Best
from studio.ml.rl.plan import Note, Plan
from studio.ml.rl.record import Record
from studio.ml.rl.session import Make, Session

NAME = "session"
POINTER = "current.json"
Arrays = dict[str, NDArray[Any]]


class Prepared(NamedTuple):
    """A checkpoint in memory: copies, so that the run may go on while it is written."""

    data: dict[str, Any]
    arrays: Arrays


def save(session: Session, folder: Path) -> None:
    """Writes a checkpoint. Raises OSError, and RLError where a learner cannot be kept; the one before then stays."""
    write(prepare(session), folder)


def prepare(session: Session) -> Prepared:
    """All that a run's future and curves depend on. Raises RLError where a learner cannot be kept."""
    members, arrays = [], Arrays()
    for place, learner in enumerate(session.members):
        kept = None if learner is None else learner.keep()
        record, columns = session.records[place].keep()
        best = session.bests[place]
        apart = {"kept": None if kept is None else kept.arrays, "record": columns}
        apart["best"] = None if best is None or best.weights is None else best.weights.arrays
        for part, named in apart.items():
            arrays |= {f"{place}/{part}/{name}": array for name, array in (named or {}).items()}
        members.append(
            {
                "kept": None if kept is None else kept.data, "record": record, "trouble": session.troubles[place],
                "diverged": place in session.diverged,
                "best": None if best is None or best.weights is None
                else {"weights": best.weights.data, "mean": best.mean, "steps": best.steps},
            }
        )  # fmt: skip
    notes = [[note.steps, note.text] for note in session.notes]
    data = {"plan": session.plan.to_json(), "watched": session.watched, "notes": notes, "members": members}
    return Prepared(data, arrays)


def write(prepared: Prepared, folder: Path) -> None:
    """Writes what `prepare` took; may be called from any thread, for one folder from one at a time. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = _numbers(folder)
    new, number = folder / f".{uuid4().hex[:12]}", max(numbers, default=0) + 1
    try:
        write_pair(new, NAME, prepared.data, prepared.arrays)
        os.replace(new, folder / str(number))
        flush(folder)
        with replacing(folder / POINTER) as path:
            path.write_text(json.dumps({"format": FORMAT, "latest": number}), encoding="utf-8")
    finally:
        shutil.rmtree(new, ignore_errors=True)
    for old in sorted(numbers)[:-1]:
        shutil.rmtree(folder / str(old), ignore_errors=True)


def open_session(folder: Path, make: Make = learners.make, *, earlier: bool = False) -> Session:
    """Goes on where `save` was called; `earlier`: the time before. Raises BadCheckpoint, or what its world lacks."""
    latest = _latest(folder)
    older = [number for number in _numbers(folder) if number < latest]
    if earlier and not older:
        raise BadCheckpoint(f"There is no earlier checkpoint in “{folder}”.")
    try:
        return _session(*read_pair(folder / str(max(older) if earlier else latest), NAME), make)
    except BadCheckpoint as error:
        hint = " The checkpoint before it is still there and may be opened instead." if older and not earlier else ""
        raise type(error)(f"{error}{hint}") from error


def glance(folder: Path) -> tuple[Plan, int]:
    """Which run the last checkpoint of a folder is, and the steps its watched seed has made; where that one is damaged, of
    the one before it. Raises BadCheckpoint."""
    latest = _latest(folder)
    try:
        return _glance(folder / str(latest))
    except NewerCheckpoint:
        raise
    except BadCheckpoint:
        older = [number for number in _numbers(folder) if number < latest]
        if not older:
            raise
        return _glance(folder / str(max(older)))


def _glance(folder: Path) -> tuple[Plan, int]:
    data = read_json(folder / f"{NAME}.json")
    try:
        kept = data["members"][data["watched"]]["kept"]
        return _plan(data["plan"]), 0 if kept is None else int(kept["steps"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, RLError):
            raise
        raise BadCheckpoint(f"The checkpoint in “{folder}” is not one of a run ({error!r}).") from error


def is_empty(folder: Path) -> bool:
    """Whether a folder holds no checkpoint at all, not even a damaged one. Raises OSError."""
    return not (folder / POINTER).exists() and not _numbers(folder)


def _latest(folder: Path) -> int:
    """The number of the last checkpoint; where what points to it is damaged, the highest. Raises BadCheckpoint."""
    numbers = _numbers(folder)
    try:
        latest = read_json(folder / POINTER).get("latest")
        if isinstance(latest, int):
            return latest
    except NewerCheckpoint:
        raise
    except BadCheckpoint:
        if not numbers:
            raise
    if not numbers:
        raise BadCheckpoint(f"“{folder / POINTER}” points to no checkpoint; choose another folder.")
    return max(numbers)


def _numbers(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    return [int(path.name) for path in folder.iterdir() if path.name.isdigit() and path.is_dir()]


def _session(data: dict[str, Any], arrays: Arrays, make: Make) -> Session:
    session = None
    try:
        session = Session(_plan(data["plan"]), make)
        if len(data["members"]) != session.plan.seeds:
            raise BadCheckpoint("The checkpoint does not hold every seed of its run; take an earlier one.")
        for place, member in enumerate(data["members"]):
            _put_back(session, place, member, _under(arrays, place))
        session.notes = [Note(int(steps), str(text)) for steps, text in data["notes"]]
        session.watch(int(data["watched"]))
        return session
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        if session is not None:
            session.close()
        if isinstance(error, RLError):
            raise
        raise BadCheckpoint(f"The checkpoint cannot be read ({error!r}); take an earlier one.") from error


def _plan(told: dict[str, Any]) -> Plan:
    try:
        return Plan.from_json(told)
    except BadSetting as error:
        raise BadCheckpoint(f"The checkpoint's plan cannot be read: {error} Take an earlier one.") from error


def _put_back(session: Session, place: int, member: dict[str, Any], parts: dict[str, Arrays]) -> None:
    if member["kept"] is not None:
        learner, kept = session.member(place), parts["kept"]
        learner.put_back(Kept(member["kept"], kept))
        now = weights(learner)
        if now is not None and not all(np.isfinite(array).all() for array in now.arrays.values()):
            raise BadCheckpoint("The checkpoint holds weights that are no finite numbers; take an earlier one.")
        session.taken[place] = learner.steps
    session.records[place] = Record.of(member["record"], parts["record"])
    session.troubles[place] = str(member["trouble"])
    if member["diverged"]:
        session.diverged.add(place)
    if (best := member["best"]) is not None:
        held, mean = Kept(best["weights"], parts["best"]), float(best["mean"])
        if not isfinite(mean):
            raise BadCheckpoint("The checkpoint's best policy has no finite return; take an earlier one.")
        session.bests[place] = Best(policy_of(session.plan, held), held, mean, int(best["steps"]))


def _under(arrays: Arrays, place: int) -> dict[str, Arrays]:
    parts: dict[str, Arrays] = {"kept": {}, "record": {}, "best": {}}
    for name, array in arrays.items():
        seed, part, own = name.split("/", 2)
        if int(seed) == place:
            parts[part][own] = array
    return parts
