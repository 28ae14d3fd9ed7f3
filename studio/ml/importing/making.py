"""From published files to a model folder like those the studio ships: converted, verified, tried, described.

Nothing that is not proved is kept: every tensor is compared bit for bit with the file it came from, the folder is
opened as panels open it, and the network must give numbers.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor

from studio.ml.diffusion.checkpoint import is_mappable, is_safetensors
from studio.ml.diffusion.conversion import compare, digest, nbytes_of, write_safetensors
from studio.ml.diffusion.weights import CorruptWeights, WeightsError, WrongWeights, require_memory, shapes_in
from studio.ml.importing.card import card
from studio.ml.importing.loading import load_model
from studio.ml.importing.needs import memory_of
from studio.ml.importing.published import Published, identify
from studio.ml.importing.record import Record, Source
from studio.ml.importing.scan import Found, tensors

SPARE = 64 << 20
"""Bytes of the disk left free."""
_PASSES = 4
"""Times the bytes of a model pass by: digest of the source, writing, comparing, digest of the copy."""
_SEED, _STEP = 0, 500


class NotEnoughDisk(WeightsError):
    """Less free disk than a model needs."""


class CannotImport(WeightsError):
    """Files that make no model; the message says what is missing."""


@dataclass(frozen=True)
class Step:
    """How far an import is; done and total count bytes."""

    text: str
    done: int
    total: int


@dataclass(frozen=True)
class Plan:
    """One model to be: its files, all of which are recognised."""

    parts: tuple[Found, ...]

    @property
    def networks(self) -> tuple[Published, ...]:
        return tuple(found.network for found in self.parts if found.network is not None)

    @property
    def name(self) -> str:
        """What its folder is to be called."""
        return self.networks[0].model

    @property
    def problem(self) -> str:
        """Why it cannot be imported as it lies there; empty when it can."""
        missing = [name for network in self.networks for name in network.partners if name not in self._names]
        if missing:
            return f"Its other half is missing: put the file of {' and '.join(missing)} into the same folder."
        return next((part.vocabulary.problem for part in self.parts if part.vocabulary is not None), "")

    @property
    def disk(self) -> int:
        """Bytes it takes on the disk, about."""
        return sum(part.nbytes for part in self.parts)

    @property
    def memory(self) -> int:
        """Bytes of memory its conversion takes: those of files that cannot be mapped."""
        return sum(part.nbytes for part in self.parts if not (is_safetensors(part.path) or is_mappable(part.path)))

    @property
    def _names(self) -> set[str]:
        return {network.name for network in self.networks}


def plans(found: Sequence[Found]) -> list[Plan]:
    """The models that can be made of these files: one of each, or of the halves that lie together."""
    made: list[Plan] = []
    taken: set[Path] = set()
    for first in found:
        if first.network is None or first.path in taken:
            continue
        partners = first.network.partners
        others = [
            next((f for f in _together(first, found) if f.network is not None and f.network.name == name), None)
            for name in partners
        ]
        parts = (first, *(other for other in others if other is not None and other.path not in taken))
        taken.update(part.path for part in parts)
        made.append(Plan(parts))
    return made


def _together(first: Found, found: Sequence[Found]) -> Iterator[Found]:
    """Other files, those of the same folder first."""
    return iter(sorted((f for f in found if f is not first), key=lambda f: f.path.parent != first.path.parent))


def make(plan: Plan, folder: Path, known: Sequence[Published]) -> Generator[Step, None, Record]:
    """Write the model into `folder`, which is empty; its value is what was proved.

    Raises CannotImport, NotEnoughDisk and NotEnoughMemory before anything is written; CorruptWeights and WrongWeights
    where something does not prove true; OSError. Whatever it raises, the folder is the caller's to remove.
    """
    if plan.problem:
        raise CannotImport(plan.problem)
    if plan.memory:
        require_memory(plan.memory, f"To convert {plan.name}, its weights")
    parts = {part: tensors(part.path) for part in plan.parts}
    state = {_network(part).prefix + name: value for part, held in parts.items() for name, value in held.items()}
    need_disk(folder, nbytes_of(state), plan.name)
    weights = folder / "model.safetensors"
    meter = _Meter(sum(part.nbytes for part in plan.parts), 3 * nbytes_of(state), still=_Still(plan))
    sources = []
    for part in plan.parts:
        sha256 = yield from meter.count(f"reading {part.path.name}", digest(part.path))
        sources.append(Source(part.path.name, part.nbytes, sha256, str(part.path), part.path.stat().st_mtime_ns))
    yield from meter.count(f"writing {plan.name}", write_safetensors(state, weights))
    yield from meter.count(f"comparing {plan.name} with its source", compare(state, weights))
    _recognised(plan, weights, known)
    sha256 = yield from meter.count(f"computing the digest of {plan.name}", digest(weights))
    formats = tuple(sorted({str(value.dtype).removeprefix("torch.") for value in state.values()}))
    record = Record(tuple(sources), sha256, len(state), formats)
    _write_config(plan, folder, record)
    yield meter.step(f"trying {plan.name}")
    record = record.tried(_try(plan, folder, sha256))
    _write_config(plan, folder, record)
    (folder / "MODEL_CARD.md").write_text(card(plan.networks, record), encoding="utf-8")
    return record


def need_disk(folder: Path, nbytes: int, name: str) -> None:
    """Raise NotEnoughDisk unless `nbytes` fit onto the disk of a folder."""
    free = shutil.disk_usage(folder).free
    if nbytes + SPARE > free:
        raise NotEnoughDisk(
            f"{name} needs {nbytes / 2**30:.2f} GiB on the disk of {folder.parent}, and {free / 2**30:.2f} GiB are free. "
            "Free some space, or start the studio with --data-dir on another disk."
        )


class _Still:
    """Whether the files of a plan are still as they were: they are mapped, and the system ends a process that reads
    what is no longer there. Asked before each piece, it leaves the moment of one piece in which that can happen."""

    def __init__(self, plan: Plan) -> None:
        self._states = {part.path: _state_of(part.path) for part in plan.parts}

    def check(self) -> None:
        """Raise CorruptWeights when one of them was written to since."""
        for path, state in self._states.items():
            if _state_of(path) != state:
                raise CorruptWeights(
                    f"{path.name} was changed by another program while it was imported. Wait until that has finished "
                    "with it (a download, perhaps), then import it again."
                )


def _state_of(path: Path) -> tuple[int, int, int]:
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns


class _Meter:
    """Turns the bytes of several passes into steps of one whole."""

    def __init__(self, *passes: int, still: _Still) -> None:
        self.done, self.total = 0, sum(passes)
        self._still = still

    def step(self, text: str) -> Step:
        return Step(text, min(self.done, self.total), self.total)

    def count(self, text: str, work: Iterator[int]) -> Generator[Step, None, Any]:
        """Pass the work's steps on; its value comes out."""
        while True:
            self._still.check()
            try:
                self.done += next(work)
            except StopIteration as end:
                return end.value
            yield self.step(text)


def _network(part: Found) -> Published:
    assert part.network is not None  # a Plan holds recognised files only
    return part.network


def _recognised(plan: Plan, weights: Path, known: Sequence[Published]) -> None:
    """Recognise what was written, as a fresh file. Raises UnknownCheckpoint or WrongWeights."""
    written = shapes_in([weights])
    for network in plan.networks:
        own = {
            name.removeprefix(network.prefix): shape
            for name, shape in written.items()
            if name.startswith(network.prefix)
        }
        if identify(own, known).name != network.name:
            raise WrongWeights(f"{weights.name} is no longer recognised as {network.title}. Import it again.")


def _write_config(plan: Plan, folder: Path, record: Record) -> None:
    """config.json, and the vocabulary beside it."""
    config: dict[str, Any] = {}
    for network in plan.networks:
        config |= network.config()
    files = [file for part in plan.parts if part.vocabulary is not None for file in part.vocabulary.files]
    for file in files:
        shutil.copyfile(file, folder / file.name)
    imported = {**asdict(record), "networks": [network.name for network in plan.networks]}
    text = json.dumps({**config, "imported": imported}, ensure_ascii=False, indent=1)
    (folder / "config.json").write_text(text, encoding="utf-8")


def _try(plan: Plan, folder: Path, sha256: str) -> str:
    """Open the folder as panels do and evaluate each network once, on noise; returns why not, "" when it was tried.

    Raises CorruptWeights when the result is no number, WeightsError when the folder does not open.
    """
    needed = sum(memory_of(network, size=network.smallest).single for network in plan.networks)
    free = psutil.virtual_memory().available
    if needed > free:
        return f"it needs {needed / 2**30:.2f} GiB of memory in single precision, and {free / 2**30:.2f} GiB were free"
    model = load_model(folder)
    if model.sha256 != sha256:
        raise CorruptWeights(f"The digest of {plan.name} changed while it was imported. Import it again.")
    noise = torch.Generator().manual_seed(_SEED)
    for network in plan.networks:
        x = torch.randn(1, 3, network.smallest, network.smallest, generator=noise)
        if not _finite(network, network.part_of(model), x):
            raise CorruptWeights(
                f"{network.title} opens, but what it computes is not a number: its file is damaged, or its weights were "
                "not stored as published. Get it again from where it came."
            )
    return ""


@torch.no_grad()
def _finite(network: Published, net: torch.nn.Module, x: Tensor) -> bool:
    return bool(network.evaluate(net, x, torch.full((1,), _STEP)).isfinite().all())
