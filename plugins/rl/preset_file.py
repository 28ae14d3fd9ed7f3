"""Settings out of a file in the form of rl-baselines3-zoo: read beside the window, for the agent of a run."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.ml.rl.presets import Imported, Preset, read_file
from studio.ml.rl.sb3.settings import CONTRIB, OWN
from studio.ml.rl.worlds import WorldSpec

Running = Generator[Event | Offload, Any, Any]

_DEEP = ("ppo", "a2c", "dqn", "sac")


@dataclass(frozen=True, eq=False)
class FileOrder:
    """Which file, for which run, and what that run is now."""

    path: Path
    index: int
    agent: str
    settings: Any


@dataclass(frozen=True, eq=False)
class FileRead:
    """What it holds."""

    order: FileOrder
    found: Imported


def read(order: FileOrder, ctx: JobContext) -> Running:
    """Read it. Raises BadPreset, MissingPackage."""
    yield Progress(0, 1, f"reading {order.path.name}")
    found: Imported = yield Offload(read_file, order.path, algorithm_of(order))
    return FileRead(order, found)


def algorithm_of(order: FileOrder) -> str | None:
    """For whom the file is: its name tells, as in ppo.yml; else it is for the agent of the run, if that has a network."""
    stem = order.path.stem.lower()
    if order.agent == "sb3":
        named = next((name for name in OWN + CONTRIB if name.lower() == stem), order.settings.algorithm)
        return f"sb3:{named}"
    if stem in _DEEP or order.agent not in _DEEP:
        return None  # `read_file` goes by the name, and says what to do where that tells nothing
    return order.agent


def for_world(found: Imported, spec: WorldSpec) -> Preset | None:
    """The settings that are for a world, or None."""
    fits = (p for p in found.presets if p.world.id == spec.id and set(p.world.options) <= set(spec.options))
    return next(fits, None)


def told(order: FileOrder, preset: Preset) -> str:
    """What was taken from the file and what was not, in sentences."""
    text = f"Settings for {preset.world.id} from {order.path.name}, budget {preset.steps:,} steps."
    if preset.note:
        text += f" {preset.note}"
    if preset.left_out:
        text += f" Left out: {'; '.join(preset.left_out)}."
    return text


def refusals(found: Imported) -> str:
    """Entries that could not be used, one a line."""
    return "\n".join(f"{name}: {why}" for name, why in found.refused.items())
