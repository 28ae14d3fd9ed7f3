"""What a folder of released checkpoints holds, in plain words and numbers for a table."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from studio.engine import Event, JobContext, Offload, Progress
from studio.models.catalog import DRAWS, find_models, imported_folder

if TYPE_CHECKING:
    from studio.ml.importing.making import Plan
    from studio.ml.importing.published import Published
    from studio.ml.importing.scan import Found


class FolderUnreadable(ValueError):
    """A folder that cannot be looked through; the message says why and what to do."""


@dataclass(frozen=True)
class Need:
    """What a checkpoint needs beside it. required: without it nothing is imported."""

    text: str
    here: bool
    required: bool


@dataclass(frozen=True)
class Row:
    """A file found. `problem` says why it cannot be imported, "" when it can; sizes are bytes.

    model: files of one model have the same; title, task: of the published network, "" when it is none; single, half:
    memory to run in single and half precision; converting: memory to convert; imported: the folder of the model made
    of this file before.
    """

    path: Path
    nbytes: int
    model: int = -1
    title: str = ""
    task: str = ""
    formats: tuple[str, ...] = ()
    parameters: int = 0
    single: int = 0
    half: int = 0
    converting: int = 0
    needs: tuple[Need, ...] = ()
    problem: str = ""
    imported: str = ""

    @property
    def importable(self) -> bool:
        return bool(self.title) and not self.problem


@dataclass(frozen=True)
class Survey:
    """A folder and what was found in it; free_disk is that of the data folder, free_memory the machine's, in bytes."""

    folder: Path
    rows: tuple[Row, ...]
    free_disk: int
    free_memory: int


def survey(folder: Path, ctx: JobContext) -> Generator[Event | Offload, Any, Survey]:
    """Look through a folder and one level below. Reads names and shapes only. Raises FolderUnreadable."""
    yield Progress(0, 1, f"looking into {folder.name or folder}")
    paths: list[Path] = yield Offload(_candidates, folder)
    steps: _Scan = yield Offload(_Scan, folder)
    for i, path in enumerate(paths):
        yield Progress(i, len(paths), f"reading {path.name}")
        yield Offload(steps.look, path)
    found: Survey = yield Offload(steps.survey)
    return found


def free_disk(folder: Path) -> int:
    """Bytes free on the disk of a folder that may not exist yet."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(there).free


def _candidates(folder: Path) -> list[Path]:
    from studio.ml.importing.scan import candidates

    try:
        return candidates(folder)
    except FileNotFoundError as error:
        raise FolderUnreadable(f"“{folder}” is not there any more. Choose another folder.") from error
    except NotADirectoryError as error:
        raise FolderUnreadable(f"“{folder}” is no folder. Choose the folder the files are in.") from error
    except OSError as error:
        raise FolderUnreadable(f"“{folder}” cannot be read ({error.strerror}). Change its permissions.") from error


class _Scan:
    """A survey under way; made and used on worker threads, one call at a time."""

    def __init__(self, folder: Path) -> None:
        from studio.ml.importing.published import published
        from studio.ml.importing.scan import Vocabularies

        self.folder = folder
        self._known = published()
        self._vocabularies = Vocabularies(folder)
        self._memory: dict[str, tuple[int, int]] = {}
        self._found: list[Found] = []

    def look(self, path: Path) -> None:
        from studio.ml.importing.needs import memory_of
        from studio.ml.importing.scan import inspect

        found = inspect(path, self._known, self._vocabularies)
        self._found.append(found)
        if found.network is not None and found.network.name not in self._memory:
            memory = memory_of(found.network)
            self._memory[found.network.name] = memory.single, memory.half

    def survey(self) -> Survey:
        from studio.ml.importing.making import plans

        made = plans(self._found)
        plan_of = {part.path: i for i, plan in enumerate(made) for part in plan.parts}
        before = _imported_before()
        sizes = _drawn_sizes(self._found)
        rows = tuple(
            self._row(found, plan_of[found.path], made[plan_of[found.path]], before, sizes)
            if found.path in plan_of
            else Row(found.path, found.nbytes, problem=found.problem)
            for found in self._found
        )
        return Survey(self.folder, rows, free_disk(imported_folder()), psutil.virtual_memory().available)

    def _row(
        self, found: Found, model: int, plan: Plan, before: dict[tuple[str, int, int], str], sizes: set[int]
    ) -> Row:
        network = found.network
        assert network is not None  # plans are made of recognised files
        single, half = self._memory[network.name]
        return Row(
            path=found.path,
            nbytes=found.nbytes,
            model=model,
            title=network.title,
            task=network.task,
            formats=found.formats,
            parameters=network.parameters,
            single=single,
            half=half,
            converting=plan.memory,
            needs=tuple(_needs(found, network, plan, sizes)),
            problem=plan.problem,
            imported=before.get((str(found.path), found.nbytes, found.path.stat().st_mtime_ns), ""),
        )


def _needs(found: Found, network: Published, plan: Plan, sizes: set[int]) -> Iterator[Need]:
    from studio.ml.diffusion.upsampling import FACTOR

    if found.vocabulary is not None:
        whose = {"gpt2": "GPT-2's vocabulary", "clip": "CLIP's vocabulary"}[network.vocabulary]
        yield Need(whose, not found.vocabulary.problem, required=True)
    for partner in network.partners:
        yield Need(f"its other half, {partner}", len(plan.parts) > len(network.partners), required=True)
    if network.kind.startswith("upsample"):
        small = network.image_size // FACTOR
        yield Need(f"a model that draws {small}×{small} pixels", small in sizes, required=False)
    elif network.guides:
        size = network.image_size
        yield Need(f"a model that draws {size}×{size} pixels, to guide", size in sizes, required=False)


def _drawn_sizes(found: Sequence[Found]) -> set[int]:
    """Sizes of the pictures that models on this machine, or in the folder looked at, draw."""
    here = {f.network.image_size for f in found if f.network is not None and f.network.kind in DRAWS}
    return here | {info.size for info in find_models()[0]}


def _imported_before() -> dict[tuple[str, int, int], str]:
    """Path, size and time of the files that imported models were made of -> the model's folder."""
    made: dict[tuple[str, int, int], str] = {}
    for info in find_models(kinds=None)[0]:
        try:
            config = json.loads((info.folder / "config.json").read_bytes())
            sources = config.get("imported", {}).get("sources", [])
            made |= {(s["path"], s["nbytes"], s["modified_ns"]): info.id for s in sources}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # a model without this record, which is only a hint
    return made
