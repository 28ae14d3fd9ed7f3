"""The survey of the library: every place is walked, what changed is recognised anew, what did not is remembered.

What was found is kept in a file of the data folder, which `remembered` reads in an instant: so panels list models
without looking at the disks.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from studio.host import atomic
from studio.host.atomic import FileUnwritable
from studio.host.paths import DataPaths
from studio.ml.diffusion.external.single_file import find_settings
from studio.ml.diffusion.safetensors_header import Header, HeaderUnreadable, read_header
from studio.models.library.cards import card_file, licence_of
from studio.models.library.holding import Holding, Source
from studio.models.library.hub_cache import Repository, Snapshot, cache_folder, repositories
from studio.models.library.pipelines import recognise_pipeline
from studio.models.library.places import places
from studio.models.library.single_files import missing_shards, recognise_file, tell
from studio.models.library.transformers_folders import is_transformers, recognise_transformers
from studio.models.library.walking import Candidate, candidates
from studio.models.library.weights import of_files, settings_in, weights_in

_VERSION = 2
_MAX_FILE = 64 << 20


@dataclass(frozen=True)
class Library:
    """What was found, and a sentence for each place that could not be looked through."""

    holdings: tuple[Holding, ...] = ()
    problems: tuple[str, ...] = ()
    places: tuple[Path, ...] = ()


@dataclass
class Survey:
    """A survey under way; `steps` walks, a step for each folder, and `found` is the library after the last one.

    recognised: how many models were looked at anew.
    """

    recognised: int = 0
    _before: dict[str, tuple[str, Holding]] = field(default_factory=dict)
    _found: dict[str, tuple[str, Holding]] = field(default_factory=dict)
    _problems: list[str] = field(default_factory=list)

    def steps(self) -> Iterator[str]:
        """Look through every place; yields what is being looked at."""
        self._before = _entries()
        for place in places():
            try:
                for step in candidates(place):
                    if isinstance(step, Path):
                        yield str(step)
                    else:
                        self._take(step, _title(step.place, place), "folder")
            except OSError as error:
                self._problems.append(f"“{place}” cannot be looked through ({error.strerror or error}).")
        cache = cache_folder()
        try:
            for repository in repositories(cache):
                yield repository.repo
                self._take_repository(repository)
        except OSError as error:
            self._problems.append(f"The Hugging Face cache in “{cache}” cannot be read ({error.strerror or error}).")
        for key, (stamp, holding) in self._found.items():
            if holding.kind == "checkpoint":  # what it borrows from may have come or gone while it stayed as it was
                yield holding.title
                self._found[key] = stamp, dataclasses.replace(holding, settings=_settings_of(holding.place))
        self._save()

    @property
    def found(self) -> Library:
        """Everything, by title."""
        found = (holding for _, holding in self._found.values())
        holdings = sorted(found, key=lambda holding: (holding.title.casefold(), str(holding.place)))
        return Library(tuple(holdings), tuple(self._problems), places())

    def _take_repository(self, repository: Repository) -> None:
        for snapshot in repository.snapshots:
            for step in candidates(snapshot.folder):
                if isinstance(step, Candidate):
                    inside = _title(step.place, snapshot.folder)
                    whole = step.place == snapshot.folder
                    self._take(step, snapshot.title if whole else f"{snapshot.title}: {inside}", "hub", snapshot)
        if repository.unfinished and not repository.snapshots:
            lost = f"everything but {repository.unfinished:,} bytes of a download that was broken off"
            self._found[str(repository.folder)] = "", Holding(
                repository.folder, repository.repo, "hub", "unknown", missing=(lost,), nbytes=repository.unfinished
            )

    def _take(self, candidate: Candidate, title: str, source: Source, snapshot: Snapshot | None = None) -> None:
        """Recognise a candidate, unless it is as it was when that was done before."""
        key, stamp = str(candidate.place), _stamp(candidate.files, title)
        known = self._before.get(key)
        if known is not None and known[0] == stamp:
            self._found[key] = known
            return
        try:
            holding = _recognised(candidate, title, source)
        except OSError as error:
            self._problems.append(f"“{candidate.place}” cannot be read ({error.strerror or error}).")
            return
        self.recognised += 1
        if holding is not None:
            self._found[key] = stamp, _completed(holding, candidate, snapshot)

    def _save(self) -> None:
        rows = [{"stamp": stamp, "holding": holding.to_json()} for stamp, holding in self._found.values() if stamp]
        try:
            atomic.write_text(_file(), json.dumps({"version": _VERSION, "found": rows}, ensure_ascii=False))
        except FileUnwritable as error:
            self._problems.append(f"The list of models could not be kept. {error}")


def remembered() -> tuple[Holding, ...]:
    """What the last survey found and what is still there. Quick: one file is read, no folder is walked."""
    there = (holding for _, holding in _entries().values() if os.path.exists(holding.place))
    return tuple(sorted(there, key=lambda holding: holding.title.casefold()))


def _recognised(candidate: Candidate, title: str, source: Source) -> Holding | None:
    place = candidate.place
    if candidate.form == "pipeline":
        return recognise_pipeline(place, title, source)
    if candidate.form == "file":
        return recognise_file(place, title, source)
    if candidate.form == "shards":
        return _shards(candidate, title, source)
    config = settings_in(place / "config.json")
    if is_transformers(config):
        return recognise_transformers(place, config, title, source)
    return _component(place, config, title, source)


def _settings_of(file: Path) -> str:
    """The folder whose settings a checkpoint in one file can be opened with; "" where there is none."""
    try:
        return str(find_settings(file) or "")
    except OSError:
        return ""


def _component(place: Path, config: dict[str, object], title: str, source: Source) -> Holding | None:
    """A model of the studio, or a part of a pipeline that lies by itself; None for any other configuration."""
    part = isinstance(config.get("_class_name"), str)
    if not part and not isinstance(config.get("kind"), str):
        return None
    found = weights_in(place)
    return Holding(
        place=place,
        title=title if part else str(config.get("title") or config.get("name") or title),
        source=source,
        kind="part" if part else "own",
        family="" if part else str(config["kind"]),
        what=str(config.get("_class_name", "")),
        parameters={"weights": found.count} if found.count else {},
        formats=found.formats,
        missing=found.missing,
        pickled=bool(found.refused),
        refused=found.refused,
    )


def _shards(candidate: Candidate, title: str, source: Source) -> Holding:
    found = of_files(candidate.files)
    headers: dict[str, Header] = {}
    for file in candidate.files:
        try:
            headers[file.name] = read_header(file)
        except HeaderUnreadable:
            continue  # of_files said so
    told = tell(Header({name: tensor for header in headers.values() for name, tensor in header.tensors.items()}))
    return Holding(
        place=candidate.place,
        title=title,
        source=source,
        kind="part" if told.kind == "checkpoint" else told.kind,
        family=told.family,
        what=f"{told.what}, in {len(candidate.files)} files",
        parameters={"weights": found.count},
        formats=found.formats,
        missing=(*found.missing, *missing_shards(file.name for file in candidate.files)),
    )


def _completed(holding: Holding, candidate: Candidate, snapshot: Snapshot | None) -> Holding:
    """With size on the disk, card, licence, and what the cache lost of it."""
    beside = candidate.place if candidate.place.is_dir() else candidate.place.parent
    home = snapshot.folder if snapshot is not None else beside
    alone = candidate.form in ("file", "shards") and snapshot is None
    lost = tuple(name for name in (snapshot.lost if snapshot is not None else ()) if not _said(name, holding.missing))
    return dataclasses.replace(
        holding,
        nbytes=_nbytes(candidate.files),
        card="" if alone else card_file(home),
        licence=holding.licence or ("" if alone else licence_of(home)),
        revision=snapshot.revision if snapshot is not None else "",
        missing=(*holding.missing, *lost),
    )


def _said(name: str, missing: Iterable[str]) -> bool:
    return any(name.rpartition("/")[2] in text for text in missing)


def _nbytes(files: Iterable[Path]) -> int:
    """Bytes on the disk; a file under two names counts once."""
    sizes: dict[tuple[int, int], int] = {}
    for file in files:
        try:
            state = file.stat()
        except OSError:
            continue  # a link whose content is gone
        sizes[state.st_dev, state.st_ino] = state.st_size
    return sum(sizes.values())


def _stamp(files: Iterable[Path], title: str) -> str:
    """Changes when a file is added, removed, written or lost."""
    digest = hashlib.sha256(title.encode())
    for file in files:
        try:
            state = file.stat()
            digest.update(f"{file}\0{state.st_size}\0{state.st_mtime_ns}\n".encode(errors="surrogatepass"))
        except OSError:
            digest.update(f"{file}\0lost\n".encode(errors="surrogatepass"))
    return digest.hexdigest()[:32]


def _title(place: Path, root: Path) -> str:
    """The path below the root; the root's own name for itself."""
    return root.name if place == root else place.relative_to(root).as_posix()


def _entries() -> dict[str, tuple[str, Holding]]:
    """What the last survey kept, by place; nothing where it cannot be understood."""
    try:
        state = _file().stat()
        return dict(_read(_file(), state.st_mtime_ns, state.st_size))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}


@lru_cache(maxsize=1)
def _read(file: Path, _written: int, _nbytes: int) -> dict[str, tuple[str, Holding]]:
    """The file, read once for as long as it is not written again: every panel asks for it."""
    with file.open("rb") as stream:
        table = json.loads(stream.read(_MAX_FILE))
    if table["version"] != _VERSION:
        raise ValueError("kept by another version")
    rows = [(str(row["stamp"]), Holding.from_json(row["holding"])) for row in table["found"]]
    return {str(holding.place): (stamp, holding) for stamp, holding in rows}


def _file() -> Path:
    return DataPaths.default().cache / "library.json"
