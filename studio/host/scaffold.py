"""`glassbox new-plugin NAME`: write a small panel that works, for its author to change."""

from __future__ import annotations

import keyword
import os
import shutil
from pathlib import Path

from studio.host.atomic import FileUnwritable, fsync_folder, write_new
from studio.host.discovery import discover
from studio.host.manifest import valid_id
from studio.host.processes import process_mark
from studio.host.scaffold_files import FILES


class ScaffoldError(Exception):
    """A plugin that cannot be made under this name or at this place; the message says what to choose instead."""


def plugin_id(name: str) -> str:
    """The id of a plugin called `name`: "My Panel" → "my_panel". Raises ScaffoldError when none can be made of it."""
    made = "_".join(name.replace("-", " ").replace("_", " ").split()).lower()
    if not valid_id(made):
        shown = name if len(name) <= 60 else name[:59] + "…"
        raise ScaffoldError(
            f"“{shown}” cannot be the name of a plugin. Start with a letter and use letters a-z, digits, spaces and "
            "hyphens, 40 characters at most."
        )
    if keyword.iskeyword(made):
        raise ScaffoldError(f"“{name}” is a word of the Python language. Choose another name.")
    return made


def write_plugin(name: str, parent: Path) -> Path:
    """Write the plugin `name` into a new folder under `parent` and return that folder; all of it or nothing.

    Raises ScaffoldError (bad or taken name, folder exists) and FileUnwritable.
    """
    identity = plugin_id(name)
    taken = next((p for p in discover() if p.manifest and p.manifest.id == identity), None)
    if taken:
        raise ScaffoldError(f"There is already an installed plugin “{identity}”. Choose another name.")
    folder = parent / identity
    if folder.exists():
        raise ScaffoldError(f"“{folder}” exists already. Choose another name, or remove that folder first.")
    words = identity.split("_")
    values = {"ID": identity, "TITLE": " ".join(words).capitalize(), "CLASS": "".join(w.capitalize() for w in words)}
    building = parent / f".{identity}.{process_mark()}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir()
        for file, text in FILES.items():
            for key, value in values.items():
                text = text.replace(f"@{key}@", value)
            write_new(building / file, text.encode("utf-8"))
        os.rename(building, folder)
        fsync_folder(parent)
    except OSError as error:
        raise FileUnwritable(folder, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder
