"""The models a panel offers: bundled and imported ones, those in its own folder, and those a person opened.

What was opened in one panel is offered in all. It is kept in a small file for each model, so that panels and studios
that run at the same time never write over one another's.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from studio.host import atomic
from studio.models.catalog import (
    DRAWS,
    EXTERNAL,
    ModelInfo,
    ModelUnreadable,
    find_models,
    imported_folder,
    is_checkpoint,
    read_info,
)

_MAX_FILE = 1 << 20
_MAX_MODELS = 200


class Shelf:
    """`models` to choose from. `look` finds them, `add` puts an opened one on, `save` remembers the opened ones.

    folder: the panel's own. ability: what public models must be able to do to be offered; families: of which they
    must be, None any. `save` may run on another thread than the rest: what it writes is replaced as a whole, never
    changed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kinds: Collection[str] = DRAWS,
        ability: str = "text2im",
        families: Collection[str] | None = None,
    ) -> None:
        self.own = folder / "models"
        self.models: list[ModelInfo] = []
        self._kinds = kinds
        self._ability, self._families = ability, families
        self._old_list = folder / "opened.json"
        """Where studios before kept what was opened in this panel."""
        self._opened: tuple[ModelInfo, ...] = ()
        self._forgotten: tuple[Path, ...] = ()

    def look(self) -> tuple[list[str], bool]:
        """Find the models anew: a sentence for each that cannot be offered, and whether something is to be saved."""
        found, problems = find_models([self.own], kinds=self._kinds)
        self.models = [info for info in found if self._takes(info)]
        kept: list[ModelInfo] = []
        forgotten: list[Path] = []
        old = self._old_list.is_file()
        for file, entry in [*_entries(opened_folder()), *(_old_entries(self._old_list) if old else ())]:
            try:
                info = _info(entry)
            except ModelUnreadable as error:
                problems.append(str(error))
                forgotten.append(file)
                continue
            if self._takes(info) and all(info.id != other.id for other in (*self.models, *kept)):
                kept.append(info)
        self._opened, self._forgotten = tuple(kept), tuple(forgotten)
        self.models += kept
        return problems, old or bool(forgotten)

    def _takes(self, info: ModelInfo) -> bool:
        if info.kind != EXTERNAL:
            return info.kind in self._kinds
        known = self._families is None or info.family in self._families
        return EXTERNAL in self._kinds and known and self._ability in info.abilities

    def add(self, info: ModelInfo) -> ModelInfo:
        """Offer an opened model; the one offered already if it is the same folder."""
        same = next((known for known in self.models if known.folder == info.folder), info)
        if same.id != info.id:
            return same  # a bundled model, which has a shorter name
        self._opened = (*(known for known in self._opened if known.id != info.id), info)[-_MAX_MODELS:]
        self.models = [*(known for known in self.models if known.id != info.id), info]
        return info

    def save(self) -> None:
        """Write what was opened, and forget what is gone. Raises FileUnwritable."""
        opened, forgotten = self._opened, self._forgotten
        for info in opened:
            text = json.dumps(_entry(info), ensure_ascii=False, indent=1)
            file = opened_folder() / f"{hashlib.sha256(info.id.encode()).hexdigest()[:16]}.json"
            if not file.is_file() or file.read_text(encoding="utf-8") != text:
                atomic.write_text(file, text)
        for file in (*forgotten, self._old_list):
            atomic.remove_quietly(file)


def opened_folder() -> Path:
    """Where the models opened from elsewhere are remembered, in the data folder in use."""
    return imported_folder() / "opened"


def opened_models() -> list[ModelInfo]:
    """Every model opened in any panel that is still there."""
    found: list[ModelInfo] = []
    for _, entry in _entries(opened_folder()):
        try:
            found.append(_info(entry))
        except ModelUnreadable:
            continue  # the panel that opened it says so
    return found


def _entries(folder: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The files of a folder, oldest first, with what is in them; nothing where one cannot be understood."""
    try:
        files = sorted(folder.glob("*.json"), key=lambda file: (file.stat().st_mtime_ns, file.name))
    except OSError:
        return
    for file in files[-_MAX_MODELS:]:
        found = _json(file)
        yield file, found if isinstance(found, dict) else {}


def _old_entries(file: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The entries of a list of before."""
    found = _json(file)
    entries = found.get("models") if isinstance(found, dict) else None
    for entry in entries[:_MAX_MODELS] if isinstance(entries, list) else [None]:
        yield file, entry if isinstance(entry, dict) else {}


def _json(file: Path) -> Any:
    try:
        with file.open("rb") as stream:
            return json.loads(stream.read(_MAX_FILE))
    except (OSError, ValueError, RecursionError):
        return None


def _entry(info: ModelInfo) -> dict[str, Any]:
    return {
        "path": info.id,
        "title": info.title,
        "size": info.size,
        "length": info.length,
        "prompt": info.prompted,
        "kind": info.kind,
        "classes": list(info.classes),
        "family": info.family,
        "abilities": list(info.abilities),
    }


def _info(entry: Mapping[str, Any]) -> ModelInfo:
    """An opened model as it is now. Raises ModelUnreadable when it is gone or not what it was."""
    if not isinstance(entry.get("path"), str):
        raise ModelUnreadable("What was remembered of a model you opened is damaged: open it again.")
    path, size, length = Path(entry["path"]), entry.get("size"), entry.get("length")
    if entry.get("kind") == EXTERNAL and os.path.exists(path) and isinstance(size, int):
        abilities = entry.get("abilities")
        return ModelInfo(
            id=str(path),
            title=str(entry.get("title") or path.name),
            folder=path,
            size=size,
            kind=EXTERNAL,
            family=str(entry.get("family") or ""),
            abilities=tuple(map(str, abilities)) if isinstance(abilities, list) else (),
        )
    if is_checkpoint(path) and os.path.exists(path) and isinstance(size, int) and isinstance(length, int):
        classes = entry.get("classes")
        return ModelInfo(
            id=str(path),
            title=str(entry.get("title") or path.name),
            folder=path,
            size=size,
            length=length,
            prompted=entry.get("prompt") is not False,
            kind=str(entry.get("kind") or "text2im"),
            classes=tuple(map(str, classes)) if isinstance(classes, list) else (),
        )
    info = read_info(path, bundled=False) if os.path.isfile(path / "config.json") else None
    if info is None:
        raise ModelUnreadable(
            f"“{path.name}” is no longer in “{path.parent}” and was taken off the list of models. "
            "Open it again from where it is now."
        )
    return info
