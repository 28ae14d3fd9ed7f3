"""Where models lie below a folder: each place that is to be looked at once, and nothing inside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from studio.models.library.pipelines import INDEX
from studio.models.library.single_files import SAFETENSORS, shard_of
from studio.models.library.weights import PICKLES, present

DEPTH = 6
"""Levels below a folder that are looked through."""
MOST_FOLDERS = 50_000
_LEAST_PICKLE = 1 << 20
"""Bytes; a smaller .bin or .pt is no model: optimisers and caches end like that too."""


@dataclass(frozen=True)
class Candidate:
    """A folder with a configuration, a weight file, or the files of a set of shards; `files` is everything in it."""

    place: Path
    form: Literal["pipeline", "configured", "file", "shards"]
    files: tuple[Path, ...]


def candidates(folder: Path, *, depth: int = DEPTH) -> Iterator[Candidate | Path]:
    """The places below a folder where a model may lie; a bare Path for each folder passed on the way.

    Hidden folders and links that lead back are passed over, folders that may not be read as well. Raises OSError where
    `folder` itself cannot be read.
    """
    os.scandir(folder).close()
    seen: set[str] = set()
    waiting = [(folder, 0)]
    while waiting and len(seen) < MOST_FOLDERS:
        place, level = waiting.pop()
        true = os.path.realpath(place)
        if true in seen:
            continue
        seen.add(true)
        yield place
        if present(place / INDEX):
            yield Candidate(place, "pipeline", _everything(place))
            continue
        try:
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError:
            continue
        files = [entry for entry in entries if not entry.is_dir()]
        if any(entry.name == "config.json" for entry in files):
            yield Candidate(place, "configured", tuple(Path(entry.path) for entry in files))
            continue
        yield from _loose(files)
        if level < depth:
            below = [Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
            waiting.extend((path, level + 1) for path in reversed(below))


def _loose(entries: list[os.DirEntry[str]]) -> Iterator[Candidate]:
    """Weight files without a configuration beside them; shards of one set together."""
    sets: dict[str, list[Path]] = {}
    for entry in entries:
        path, suffix = Path(entry.path), os.path.splitext(entry.name)[1].lower()
        shard = shard_of(entry.name)
        if shard is not None:
            sets.setdefault(shard[0], []).append(path)
        elif suffix == SAFETENSORS or (suffix in PICKLES and _size(entry) >= _LEAST_PICKLE):
            yield Candidate(path, "file", (path,))
    for files in sets.values():
        yield Candidate(files[0], "shards", tuple(files))


def _everything(folder: Path) -> tuple[Path, ...]:
    """All files of a pipeline, its components' with them."""
    files: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if place.count(os.sep) - str(folder).count(os.sep) >= 2:
            folders.clear()
        files += [Path(place, name) for name in sorted(names)]
    return tuple(files)


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return 0
