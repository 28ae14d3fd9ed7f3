"""Every model on this machine: the studio's own with their cards, and the library of what other programs fetched."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from studio.engine import Event, JobContext, Offload, Progress
from studio.models.catalog import (
    ModelInfo,
    ModelUnreadable,
    find_models,
    imported_folder,
    is_checkpoint,
    weight_files,
)
from studio.models.library.holding import Holding
from studio.models.library.places import places
from studio.models.library.surveying import Survey, remembered
from studio.models.shelf import opened_models
from studio.models.stepwise import Finished, Stepwise

Origin = Literal["bundled", "imported", "opened", "added"]
_MAX_CARD = 1 << 20


@dataclass(frozen=True)
class Entry:
    """A model. nbytes: of its weights on the disk; parameters: 0 where the file does not list them; card: Markdown.

    formats: how many numbers of each format ("F16") there are.
    """

    info: ModelInfo
    origin: Origin
    nbytes: int = 0
    parameters: int = 0
    formats: dict[str, int] = field(default_factory=dict)
    card: str = ""

    @property
    def memory(self) -> tuple[int, int]:
        """Bytes of the weights in memory, in single and in half precision."""
        return 4 * self.parameters, 2 * self.parameters


@dataclass(frozen=True)
class Inventory:
    """The models, a sentence for each that cannot be used, the folders a person added."""

    entries: tuple[Entry, ...]
    problems: tuple[str, ...] = ()
    holdings: tuple[Holding, ...] = ()
    places: tuple[Path, ...] = ()


def inventory() -> Inventory:
    """Look at every model in the catalogue, at those opened from elsewhere, at what the library's last survey found.

    Reads headers and cards only.
    """
    found, problems = find_models(kinds=None)
    holdings = remembered()
    added = {holding.place for holding in holdings}
    entries: list[Entry] = []
    for info in [*found, *opened_models()]:
        try:
            entries.append(_entry(info, added))
        except (ModelUnreadable, OSError) as error:
            problems.append(str(error))
    own = {str(entry.info.folder) for entry in entries}
    others = tuple(holding for holding in holdings if str(holding.place) not in own)
    return Inventory(tuple(entries), tuple(problems), others, places())


def survey_library(ctx: JobContext) -> Generator[Event | Offload, Any, tuple[str, ...]]:
    """Look through the added folders and the Hugging Face cache anew, and remember what is there.

    From then on `find_models` offers it. Returns a sentence for each place that could not be looked through.
    """
    survey = Survey()
    work = Stepwise(_counted(survey))
    try:
        while not isinstance(step := (yield Offload(work.advance)), Finished):
            done, text = step
            yield Progress(done, done + 1, f"looking into {text}")
    finally:
        work.give_up()
    return survey.found.problems


def _counted(survey: Survey) -> Generator[tuple[int, str], None, None]:
    yield from enumerate(survey.steps())


def _entry(info: ModelInfo, added: Collection[Path] = ()) -> Entry:
    files = weight_files(info.folder)
    formats = _formats(files)
    return Entry(
        info=info,
        origin="added" if info.folder in added else _origin(info),
        nbytes=sum(file.stat().st_size for file in files),
        parameters=sum(formats.values()),
        formats=formats,
        card=_card(info.folder),
    )


def _origin(info: ModelInfo) -> Origin:
    if info.folder.parent == imported_folder():
        return "imported"
    return "opened" if os.path.isabs(info.id) else "bundled"


def _formats(files: Iterable[Path]) -> dict[str, int]:
    """Number format -> how many numbers; empty for files that are not safetensors."""
    counted: dict[str, int] = {}
    for file in files:
        try:
            with safe_open(file, framework="np") as content:
                for name in content.keys():  # noqa: SIM118  (a safetensors handle is not a mapping)
                    part = content.get_slice(name)
                    counted[part.get_dtype()] = counted.get(part.get_dtype(), 0) + math.prod(part.get_shape())
        except SafetensorError:
            return {}
    return counted


def _card(folder: Path) -> str:
    if is_checkpoint(folder):
        return ""
    try:
        with (folder / "MODEL_CARD.md").open(encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_CARD)
    except FileNotFoundError:
        return ""
