"""Importing released checkpoints: each becomes a model folder that all panels offer, or leaves nothing behind."""

from __future__ import annotations

import shutil
import threading
import time
import uuid
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Log, Offload, Progress, Snapshot
from studio.host.atomic import FileUnwritable, fsync_file, fsync_folder
from studio.host.processes import is_running, process_mark
from studio.models.catalog import find_models, imported_folder

if TYPE_CHECKING:
    from studio.ml.importing.making import Plan, Step
    from studio.ml.importing.published import Published
    from studio.ml.importing.record import Record

_UNDER_WAY = ".importing-"
_STRIDE = 0.1
"""Seconds of work between two signs of progress: most tensors are small."""


class NothingToImport(ValueError):
    """None of the files chosen can be imported; the message says what to choose."""


class NotImported(ValueError):
    """A model that is not the studio's to remove."""


@dataclass(frozen=True)
class Outcome:
    """What became of one model: `model` is its folder, "" where `problem` says why there is none.

    files: names of the files it was made of; proof: what was verified, in words.
    """

    title: str
    files: tuple[Path, ...]
    model: str = ""
    proof: str = ""
    problem: str = ""


def import_checkpoints(
    folder: Path, files: Sequence[Path], ctx: JobContext
) -> Generator[Event | Offload, Any, tuple[Outcome, ...]]:
    """Import `files` of `folder` (all that can be, when none is named), one model after another.

    Yields a Snapshot "model <i>" with the Outcome of each. What is wrong with one does not keep the others from being
    imported. Raises NothingToImport, and OSError where the data folder takes nothing.
    """
    yield Progress(0, 1, "looking at the files")
    known: list[Published] = yield Offload(_published)
    plans: list[Plan] = yield Offload(_plans, folder, tuple(files), known)
    yield Offload(sweep, imported_folder())
    done: list[Outcome] = []
    before, total = 0, sum(plan.disk for plan in plans)
    for i, plan in enumerate(plans):
        outcome = yield from _import_one(plan, known, before, total)
        done.append(outcome)
        yield Snapshot(f"model {i}", outcome)
        if outcome.problem:
            yield Log(f"{outcome.title} was not imported. {outcome.problem}", "warning")
        before += plan.disk
    return tuple(done)


def remove_model(model: str, ctx: JobContext) -> Generator[Event | Offload, Any, str]:
    """Remove an imported model from the disk; the files it was made of stay where they are. Raises NotImported."""
    yield Progress(0, 1, "removing the model")
    removed: str = yield Offload(_remove, Path(model))
    return removed


def sweep(parent: Path) -> None:
    """Remove what imports that were killed have left behind."""
    if not parent.is_dir():
        return
    for folder in parent.iterdir():
        mark = folder.name.removeprefix(_UNDER_WAY).rpartition("-")[0]
        if folder.name.startswith(_UNDER_WAY) and not is_running(mark):
            shutil.rmtree(folder, ignore_errors=True)


def _import_one(
    plan: Plan, known: Sequence[Published], before: int, total: int
) -> Generator[Event | Offload, Any, Outcome]:
    from studio.ml.diffusion.released import UnknownCheckpoint
    from studio.ml.diffusion.weights import WeightsError
    from studio.ml.importing.card import title_of

    title, files = title_of(plan.networks), tuple(part.path for part in plan.parts)
    work: _Work = yield Offload(_Work, plan, known)
    try:
        while not isinstance(step := (yield Offload(work.advance)), Path):
            share = step.done / step.total if step.total else 1.0
            yield Progress(before + share * plan.disk, total, step.text)
        return Outcome(title, files, str(step), work.proof)
    except (WeightsError, UnknownCheckpoint, FileUnwritable) as error:
        return Outcome(title, files, problem=str(error))
    except FileNotFoundError as error:
        return Outcome(title, files, problem=f"“{error.filename}” is not there any more. Look into the folder again.")
    except OSError as error:
        return Outcome(title, files, problem=str(FileUnwritable(imported_folder(), error)))
    finally:
        work.give_up()


class _Work:
    """One import under way in a folder of its own. Steps run on worker threads, one at a time.

    `give_up` may come from another thread while a step runs, which no thread can be kept from finishing; whoever is
    last removes the folder. After success there is nothing to remove.
    """

    def __init__(self, plan: Plan, known: Sequence[Published]) -> None:
        from studio.ml.importing.making import make

        self.proof = ""
        self._parent = imported_folder()
        self._folder = self._parent / f"{_UNDER_WAY}{process_mark()}-{uuid.uuid4().hex[:8]}"
        self._plan = plan
        self._steps: Generator[Step, None, Record] = make(plan, self._folder, known)
        self._lock = threading.Lock()
        self._given_up = False

    def advance(self) -> Step | Path:
        """The next step; the model's folder, in its place, after the last one. Raises what `make` raises, OSError."""
        try:
            with self._lock:
                return self._advance()
        finally:
            if self._given_up:
                self.give_up()

    def give_up(self) -> None:
        """Let go of the files and remove what is not in its place."""
        self._given_up = True
        if self._lock.acquire(blocking=False):
            try:
                self._steps.close()
                shutil.rmtree(self._folder, ignore_errors=True)
            finally:
                self._lock.release()

    def _advance(self) -> Step | Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + _STRIDE
        try:
            step = next(self._steps)
            while time.monotonic() < until:
                step = next(self._steps)
            return step
        except StopIteration as end:
            self.proof = _proof(end.value)
            return self._folder if self._given_up else self._place()

    def _place(self) -> Path:
        for file in self._folder.iterdir():
            fsync_file(file)
        fsync_folder(self._folder)
        target = _free_name(self._parent, self._plan.name)
        self._folder.rename(target)
        fsync_folder(self._parent)
        return target


def _published() -> list[Published]:
    from studio.ml.importing.published import published

    return published()


def _plans(folder: Path, files: tuple[Path, ...], known: Sequence[Published]) -> list[Plan]:
    from studio.ml.importing.making import plans
    from studio.ml.importing.scan import Vocabularies, candidates, inspect

    vocabularies = Vocabularies(folder)
    found = [inspect(path, known, vocabularies) for path in files or candidates(folder)]
    made = plans(found)
    if not files:
        made = [plan for plan in made if not plan.problem]
    if not made:
        problem = next((f"{one.path.name}: {one.problem}" for one in found if one.problem), "")
        raise NothingToImport(
            f"There is nothing to import in “{folder}”. {problem or 'Choose a folder with .pt or .safetensors files.'}"
        )
    return made


def _proof(record: Record) -> str:
    tried = f"not evaluated: {record.untried}" if record.untried else "evaluated once, every number finite"
    return f"{record.tensors:,} tensors equal bit for bit; {tried}"


def _free_name(parent: Path, name: str) -> Path:
    """`name`, or `name`-2, `name`-3 ... where there is a model of that name already."""
    target, i = parent / name, 2
    while target.exists():
        target, i = parent / f"{name}-{i}", i + 1
    return target


def _remove(folder: Path) -> str:
    if folder.parent != imported_folder() or folder not in {info.folder for info in find_models(kinds=None)[0]}:
        raise NotImported(f"“{folder.name}” was not imported by this studio; remove it where it lies.")
    trash = folder.with_name(f"{_UNDER_WAY}0.0-{uuid.uuid4().hex[:8]}")
    folder.rename(trash)  # gone at once for every panel; what a crash leaves of it is swept away later
    shutil.rmtree(trash, ignore_errors=True)
    return folder.name
