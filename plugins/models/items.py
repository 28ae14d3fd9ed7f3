"""The rows of the list: models of the studio, models of the library, and the folders a person added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.models.inventory import Entry, Inventory
from studio.models.library.holding import Holding
from studio_plugins.models.library_words import GROUPS, details_text
from studio_plugins.models.words import KINDS, ORIGINS, size_text

FOLDERS = "Folders added"


@dataclass(frozen=True)
class Place:
    """A folder in the list of those that are looked through, and how many models were found in it."""

    folder: Path
    count: int


@dataclass(frozen=True)
class Item:
    """A row: `value` is what it stands for, `id` chooses it again in the next session."""

    id: str
    group: str
    title: str
    details: str
    value: Entry | Holding | Place

    @property
    def usable(self) -> bool:
        """Whether nothing speaks against opening it."""
        return not isinstance(self.value, Holding) or self.value.usable

    @property
    def words(self) -> str:
        """What a filter is compared with."""
        return f"{self.group} {self.title} {self.details} {self.id}".casefold()


def items_of(found: Inventory) -> list[Item]:
    """All rows, in the order of the list."""
    return [*_own(found), *_library(found), *_folders(found)]


def _own(found: Inventory) -> Iterator[Item]:
    for kind, group in KINDS.items():
        for entry in found.entries:
            info = entry.info
            if info.kind == kind:
                pixels = f"{info.size}×{info.size} px, " if info.size else ""
                details = f"{pixels}{size_text(entry.nbytes)}, {ORIGINS[entry.origin]}"
                yield Item(info.id, group, info.title, details, entry)


def _library(found: Inventory) -> Iterator[Item]:
    for kind, group in GROUPS.items():
        for holding in found.holdings:
            if holding.kind == kind:
                yield Item(str(holding.place), group, holding.title, details_text(holding), holding)


def _folders(found: Inventory) -> Iterator[Item]:
    homes = [entry.info.folder for entry in found.entries] + [holding.place for holding in found.holdings]
    for folder in found.places:
        count = sum(home.is_relative_to(folder) for home in homes)
        models = f"{count} model{'s' if count != 1 else ''}" if count else "no model found"
        yield Item(f"folder:{folder}", FOLDERS, folder.name or str(folder), f"{models}, {folder}", Place(folder, count))
