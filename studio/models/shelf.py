"""The models this panel offers: bundled ones, those in its own folder, and those a person opened (kept on disk)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.host import atomic
from studio.models.catalog import DRAWS, ModelInfo, ModelUnreadable, find_models, is_checkpoint, read_info

_MAX_FILE = 1 << 20
_MAX_MODELS = 200


class Shelf:
    """`models` to choose from. `look` finds them, `add` puts an opened one on, `save` remembers the opened ones.

    `save` may run on another thread than the rest: what it writes is replaced as a whole, never changed.
    """

    def __init__(self, folder: Path) -> None:
        self.own = folder / "models"
        self.models: list[ModelInfo] = []
        self._file = folder / "opened.json"
        self._opened: tuple[ModelInfo, ...] = ()

    def look(self) -> tuple[list[str], bool]:
        """Find the models anew: a sentence for each that cannot be offered, and whether some are to be forgotten."""
        self.models, problems = find_models([self.own])
        entries, damaged = self._read()
        if damaged:
            problems.append("The list of models you opened was damaged and starts anew: open them again.")
        kept: list[ModelInfo] = []
        for entry in entries:
            try:
                info = _info(entry)
            except ModelUnreadable as error:
                problems.append(str(error))
                continue
            if all(info.id != other.id for other in (*self.models, *kept)):
                kept.append(info)
        self._opened = tuple(kept)
        self.models += kept
        return problems, damaged or len(kept) < len(entries)

    def add(self, info: ModelInfo) -> ModelInfo:
        """Offer an opened model; the one offered already if it is the same folder."""
        same = next((known for known in self.models if known.folder == info.folder), info)
        if same.id != info.id:
            return same  # a bundled model, which has a shorter name
        self._opened = (*(known for known in self._opened if known.id != info.id), info)[-_MAX_MODELS:]
        self.models = [*(known for known in self.models if known.id != info.id), info]
        return info

    def save(self) -> None:
        """Write the list of opened models. Raises FileUnwritable."""
        entries = [
            {"path": info.id, "title": info.title, "size": info.size, "length": info.length, "prompt": info.prompted}
            for info in self._opened
        ]
        atomic.write_text(self._file, json.dumps({"models": entries}, ensure_ascii=False, indent=1))

    def _read(self) -> tuple[list[Mapping[str, Any]], bool]:
        """The entries on disk, and whether the file could not be understood."""
        try:
            with self._file.open("rb") as file:
                found = json.loads(file.read(_MAX_FILE))
        except FileNotFoundError:
            return [], False
        except (OSError, ValueError, RecursionError):
            return [], True
        entries = found.get("models") if isinstance(found, dict) else None
        if not isinstance(entries, list):
            return [], True
        good: list[Mapping[str, Any]] = []
        good += (entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("path"), str))
        return good[:_MAX_MODELS], len(good) < len(entries)


def _info(entry: Mapping[str, Any]) -> ModelInfo:
    """An opened model as it is now. Raises ModelUnreadable when it is gone or not what it was."""
    path, size, length = Path(entry["path"]), entry.get("size"), entry.get("length")
    if is_checkpoint(path) and os.path.exists(path) and isinstance(size, int) and isinstance(length, int):
        title = str(entry.get("title") or path.name)
        return ModelInfo(str(path), title, path, size, length=length, prompted=entry.get("prompt") is not False)
    info = read_info(path, bundled=False) if os.path.isfile(path / "config.json") else None
    if info is None or info.kind not in DRAWS:
        raise ModelUnreadable(
            f"“{path.name}” is no longer in “{path.parent}” and was taken off the list of models. "
            "Open it again from where it is now."
        )
    return info
