"""SHA-256 of a model's weight files, with progress, and whether it is the one the hub published."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.models.stepwise import Finished, Stepwise

_DIGEST = re.compile(r"[0-9a-f]{64}")
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True)
class Digest:
    """The SHA-256 of a file. published: the one under which the hub's cache keeps it, "" where it does not say."""

    file: Path
    nbytes: int
    sha256: str
    published: str = ""

    @property
    def verdict(self) -> str:
        """What the comparison says, in words; empty where there is none."""
        if not self.published:
            return ""
        return "as published" if self.published == self.sha256 else "NOT as published: the file is damaged"


def checksums(place: Path, ctx: JobContext) -> Generator[Event | Offload, Any, tuple[Digest, ...]]:
    """The digests of all weight files of a model, a folder or one file. Raises OSError."""
    yield Progress(0, 1, "looking for the weights")
    files: tuple[Path, ...] = yield Offload(weight_files_below, place)
    sizes = {file: file.stat().st_size for file in files}
    before, total, made = 0, sum(sizes.values()), []
    for file in files:
        made.append((yield from _one(file, sizes[file], before, total)))
        before += sizes[file]
    return tuple(made)


def weight_files_below(place: Path) -> tuple[Path, ...]:
    """A weight file itself, or those in a folder and one level below."""
    if place.is_file():
        return (place,)
    found: Sequence[Path] = [*place.glob("*"), *place.glob("*/*")]
    return tuple(sorted(path for path in found if path.suffix.lower() in _WEIGHTS and path.is_file()))


def _one(file: Path, nbytes: int, before: int, total: int) -> Generator[Event | Offload, Any, Digest]:
    from studio.ml.diffusion.conversion import digest

    work = Stepwise(_running(digest(file)))
    try:
        while not isinstance(done := (yield Offload(work.advance)), Finished):
            yield Progress(before + done, total, f"SHA-256 of {file.name}")
        blob = os.path.basename(os.path.realpath(file))
        return Digest(file, nbytes, done.value, blob if _DIGEST.fullmatch(blob) else "")
    finally:
        work.give_up()


def _running(pieces: Generator[int, None, str]) -> Generator[int, None, str]:
    """Bytes so far, instead of bytes since the last time."""
    done = 0
    while True:
        try:
            done += next(pieces)
        except StopIteration as end:
            value: str = end.value
            return value
        yield done
