"""Importing released checkpoints: each becomes a model folder that all panels offer, or leaves nothing behind."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Log, Offload, Progress, Snapshot
from studio.host.atomic import FileUnwritable, fsync_file, fsync_folder
from studio.host.processes import is_running, process_mark
from studio.models.catalog import find_models, imported_folder
from studio.models.stepwise import Finished, Stepwise

if TYPE_CHECKING:
    from studio.ml.importing.making import Plan, Step
    from studio.ml.importing.published import Published
    from studio.ml.importing.record import Record

_UNDER_WAY = ".importing-"


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
    folder = imported_folder() / f"{_UNDER_WAY}{process_mark()}-{uuid.uuid4().hex[:8]}"
    work = Stepwise(_placed(plan, folder, known), lambda: shutil.rmtree(folder, ignore_errors=True))
    try:
        while not isinstance(step := (yield Offload(work.advance)), Finished):
            share = step.done / step.total if step.total else 1.0
            yield Progress(before + share * plan.disk, total, step.text)
        model, proof = step.value
        return Outcome(title, files, str(model), proof)
    except (WeightsError, UnknownCheckpoint, FileUnwritable) as error:
        return Outcome(title, files, problem=str(error))
    except FileNotFoundError as error:
        return Outcome(title, files, problem=f"“{error.filename}” is not there any more. Look into the folder again.")
    except OSError as error:
        return Outcome(title, files, problem=str(FileUnwritable(imported_folder(), error)))
    finally:
        work.give_up()


def _placed(
    plan: Plan, folder: Path, known: Sequence[Published]
) -> Generator[Step, None, tuple[Path, str]]:
    """Make the model in `folder`, which is then moved to its place; its value is that place and what was proved."""
    from studio.ml.importing.making import Step, make

    folder.mkdir(parents=True)
    record = yield from make(plan, folder, known)
    for file in folder.iterdir():
        fsync_file(file)
    fsync_folder(folder)
    yield Step(f"putting {plan.name} in its place", plan.disk, plan.disk)  # the last moment to give it up
    target = _free_name(folder.parent, plan.name)
    folder.rename(target)
    fsync_folder(folder.parent)
    return target, _proof(record)


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
