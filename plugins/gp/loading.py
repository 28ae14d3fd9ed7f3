"""Points from elsewhere: a file, pasted cells, or a set that ships with the libraries; as a scene to begin with."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from studio.engine import Event, JobContext, Offload
from studio.ml.data.tables import Table, TableUnreadable, read_table, read_text, select
from studio.ml.gp.components import noise_apart
from studio.ml.gp.datasets import DATASETS
from studio.ml.gp.grammar import parse
from studio.ml.gp.kernel import Scale
from studio.ml.gp.mean import ConstantMean
from studio.ml.gp.model import Model
from studio.ml.gp.stationary import RBF
from studio_plugins.gp.document import Scene
from studio_plugins.gp.points import Points

MOST = 1_000_000
"""Rows that are taken from a table: the largest number for which there is a method here."""


@dataclass(frozen=True, eq=False)
class TableRead:
    """A table, and what to call it."""

    table: Table
    source: str


def open_table(path: Path, _ctx: JobContext) -> Generator[Event | Offload, Any, TableRead]:
    """Read a file. Raises TableUnreadable."""
    table: Table = yield Offload(read_table, path, MOST)
    return TableRead(_usable(table), path.name)


def paste_table(text: str, _ctx: JobContext) -> Generator[Event | Offload, Any, TableRead]:
    """Read cells from the clipboard. Raises TableUnreadable."""
    table: Table = yield Offload(read_text, text, MOST)
    return TableRead(_usable(table), "Pasted")


def bundled(name: str, _ctx: JobContext) -> Generator[Event | Offload, Any, Scene]:
    """A set that ships with the libraries, with the model it suggests."""
    scene: Scene = yield Offload(_bundled, name)
    return scene


def pack(points: Points, _ctx: JobContext) -> Generator[Event | Offload, Any, None]:
    """Write points as text; they remember it."""
    yield Offload(lambda: points.packed)


def bundled_names() -> tuple[tuple[str, str], ...]:
    """Name and story of each set."""
    return tuple((dataset.name, dataset.story) for dataset in DATASETS)


def scene_of_columns(read: TableRead, inputs: Sequence[str], y: str) -> tuple[Scene, tuple[str, ...]]:
    """One or two columns and y as points under a model of their size: an RBF a tenth as long as they reach (for two
    inputs a quarter), around their mean; and notes on what was left out. Raises TableUnreadable."""
    chosen = select(read.table, inputs, y)
    points = Points.of(chosen.x, chosen.y)
    reach, spread = np.ptp(points.x, axis=0), float(points.y.std()) or 1.0
    lengths = tuple(_short(float(one) / (10 if len(reach) == 1 else 4) or 1.0) for one in reach)
    kernel = Scale(_short(spread**2), RBF(lengths[0] if len(lengths) == 1 else lengths))
    mean = ConstantMean(_short(float(points.y.mean())))
    scene = Scene(points, kernel, _short(spread / 10), mean, read.source, chosen.labels)
    return scene, chosen.notes


def _usable(table: Table) -> Table:
    if len(table.usable) < 2:
        found = ", ".join(f"“{name}”" for name in table.usable) or "none"
        raise TableUnreadable(f"Points need two columns of numbers or dates, x and y; the table has {found}.")
    return table


def _bundled(name: str) -> Scene:
    dataset = next(dataset for dataset in DATASETS if dataset.name == name)
    data = dataset.load()
    model = noise_apart(Model(parse(dataset.kernel)))
    noise = float(np.sqrt(model.noise))
    axes = (*dataset.x_labels, dataset.y_label)
    return Scene(Points.of(data.x, data.y), model.kernel, noise, model.mean, name, axes)


def _short(value: float) -> float:
    """Three digits: a value to begin with, not a measured one."""
    return float(f"{value:.3g}")
