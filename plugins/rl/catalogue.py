"""The worlds to choose from: the studio's own grids, and what Gymnasium has on this machine."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.ml.rl.worlds import WorldSpec

Running = Generator[Event | Offload, Any, Any]


@dataclass(frozen=True)
class Entry:
    """A line in the list of worlds. missing: which package it needs, and how to get it, where it cannot be opened."""

    group: str
    title: str
    spec: WorldSpec
    about: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Worldlist:
    """All entries, group after group."""

    entries: tuple[Entry, ...]


OWN = "Grids of the studio"
_FAR_DOWN = ("BabyAI", "Atari, older ids", "JAX", "Other")
"""Groups of very many or very special worlds: offered last."""


def own_grids() -> tuple[Entry, ...]:
    """The studio's grids; nothing is imported for them."""
    from studio.ml.rl.worlds.grids import grids

    return tuple(Entry(OWN, name, WorldSpec("grid", grid=grid)) for name, grid in grids().items())


def title_of(spec: WorldSpec) -> str:
    """What a person calls a world."""
    if spec.grid is None:
        return Path(spec.path).name + ": " + spec.name if spec.id == "file" else spec.id
    return next((entry.title for entry in own_grids() if entry.spec.grid == spec.grid), "Grid of your own")


def list_worlds(_request: None, ctx: JobContext) -> Running:
    """Look through what is installed: imports gymnasium and the packages that bring worlds, beside the lane."""
    yield Progress(0, 1, "listing worlds")
    families = yield Offload(_families)
    return Worldlist((*own_grids(), *families))


def _families() -> tuple[Entry, ...]:
    from studio.ml.rl.worlds.catalogue import catalogue

    found: list[Entry] = []
    for family in sorted(catalogue(), key=lambda family: family.title in _FAR_DOWN):
        missing = f"Needs the package {family.needs}: {family.command}" if family.needs else ""
        found += [Entry(family.title, id, WorldSpec(id), missing=missing) for id in family.ids]
        if missing and not family.ids:
            found.append(Entry(family.title, f"needs {family.needs}", WorldSpec(family.title), missing=missing))
    return tuple(found)
