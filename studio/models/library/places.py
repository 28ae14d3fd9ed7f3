"""The folders a person added to the library, remembered in the data folder in use; their files are never touched."""

from __future__ import annotations

import json
from pathlib import Path

from studio.host import atomic
from studio.host.paths import DataPaths

_FILE = "library-folders.json"
_MAX_PLACES, _MAX_BYTES = 200, 1 << 20


class NoSuchFolder(ValueError):
    """What was to be added is no folder; the message says so."""


def places() -> tuple[Path, ...]:
    """The folders, in the order they were added."""
    try:
        with _file().open("rb") as stream:
            found = json.loads(stream.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return ()
    names = found.get("folders") if isinstance(found, dict) else None
    return tuple(Path(name) for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def add_place(folder: Path) -> tuple[Path, ...]:
    """Remember a folder; a file stands for the folder it lies in. Returns all. Raises NoSuchFolder, FileUnwritable."""
    folder = folder.expanduser().absolute()
    if folder.is_file():
        folder = folder.parent
    if not folder.is_dir():
        raise NoSuchFolder(f"“{folder}” is no folder that can be read. Choose the folder the models are in.")
    return _remember((*(place for place in places() if place != folder), folder)[-_MAX_PLACES:])


def forget_place(folder: Path) -> tuple[Path, ...]:
    """Take a folder off the list; nothing in it is touched. Returns the others. Raises FileUnwritable."""
    return _remember(tuple(place for place in places() if place != folder))


def _remember(folders: tuple[Path, ...]) -> tuple[Path, ...]:
    table = {"folders": [str(folder) for folder in folders]}
    atomic.write_text(_file(), json.dumps(table, ensure_ascii=False, indent=1))
    return folders


def _file() -> Path:
    return DataPaths.default().models / _FILE
