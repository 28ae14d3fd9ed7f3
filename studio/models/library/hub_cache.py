"""The local Hugging Face cache: `models--org--name/snapshots/<revision>/…`, links into `blobs` or files themselves.

Read leniently, folder by folder: `huggingface_hub.scan_cache_dir` drops a whole repository for one broken link or one
reference to a revision that is gone, and those are the ones a person wants explained.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_MODELS = "models--"
_SHORT = 7


@dataclass(frozen=True)
class Snapshot:
    """One revision of a repository. references: names such as "main"; lost: its files whose content is not here.

    alone: whether the cache has no other revision of it.
    """

    repo: str
    revision: str
    folder: Path
    references: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    alone: bool = False

    @property
    def title(self) -> str:
        """The repository; with the revision where there are several and this is not the one called main."""
        if self.alone or "main" in self.references:
            return self.repo
        return f"{self.repo} ({self.references[0] if self.references else self.revision[:_SHORT]})"


@dataclass(frozen=True)
class Repository:
    """What the cache keeps of a repository. unfinished: bytes of downloads that were broken off."""

    repo: str
    folder: Path
    snapshots: tuple[Snapshot, ...]
    unfinished: int = 0


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where the cache is, by the same variables as huggingface_hub: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME,
    XDG_CACHE_HOME, then ~/.cache/huggingface/hub."""
    env = os.environ if environ is None else environ
    home = env.get("HF_HOME") or os.path.join(env.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    chosen = env.get("HF_HUB_CACHE") or env.get("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")
    return Path(os.path.expandvars(os.path.expanduser(chosen)))


def repositories(cache: Path) -> Iterator[Repository]:
    """The model repositories in a cache, by name; none where there is no cache. Raises OSError."""
    if not cache.is_dir():
        return
    for folder in sorted(cache.iterdir()):
        if folder.name.startswith(_MODELS) and folder.is_dir():
            yield _repository(folder)


def repo_folder(cache: Path, repo: str) -> Path:
    """Where the cache keeps a repository."""
    return cache / (_MODELS + repo.replace("/", "--"))


def _repository(folder: Path) -> Repository:
    repo = folder.name.removeprefix(_MODELS).replace("--", "/")
    named = _references(folder / "refs")
    snapshots = folder / "snapshots"
    revisions = sorted(path for path in snapshots.iterdir() if path.is_dir()) if snapshots.is_dir() else []
    alone = len(revisions) == 1
    made = [Snapshot(repo, place.name, place, named.get(place.name, ()), _lost(place), alone) for place in revisions]
    made.sort(key=lambda snapshot: "main" not in snapshot.references)
    blobs = folder / "blobs"
    unfinished = sum(_size(path) for path in blobs.glob("*.incomplete")) if blobs.is_dir() else 0
    return Repository(repo, folder, tuple(made), unfinished)


def _references(refs: Path) -> dict[str, tuple[str, ...]]:
    """Revision -> the names that point to it; what cannot be read points nowhere."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(refs.rglob("*")) if refs.is_dir() else []:
        if path.is_file():
            try:
                revision = path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                continue
            found[revision] = (*found.get(revision, ()), path.relative_to(refs).as_posix())
    return found


def _lost(snapshot: Path) -> tuple[str, ...]:
    """Links in a snapshot whose blob is gone."""
    links = (path for path in sorted(snapshot.rglob("*")) if path.is_symlink() and not path.exists())
    return tuple(path.relative_to(snapshot).as_posix() for path in links)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # it was finished or removed meanwhile
