"""Numbers as people read them, and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.host.export import Table
from studio.host.export.tables import csv_text
from studio_plugins.inspector.dtypes import Array
from studio_plugins.inspector.reading import TensorInfo
from studio_plugins.inspector.stats import Statistics

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size_text(count: int) -> str:
    """1536 -> "1.5 KiB"."""
    value = float(count)
    for unit in UNITS[:-1]:
        if value < 1024:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} {UNITS[-1]}"


def shape_text(shape: Sequence[int]) -> str:
    """(64, 3) -> "64 × 3"; no axis at all is a single number."""
    return " × ".join(str(side) for side in shape) if shape else "scalar"


def number_text(value: float | int | None, digits: int = 6) -> str:
    """Six significant digits, whole numbers in full, None as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}g}"


def survey(infos: Sequence[TensorInfo], found: Mapping[str, Statistics]) -> Table:
    """One row a tensor; what was not measured is empty."""
    columns: dict[str, list[Any]] = {
        "tensor": [info.name for info in infos],
        "shape": ["x".join(map(str, info.shape)) for info in infos],
        "dtype": [info.dtype for info in infos],
        "bytes": [info.nbytes for info in infos],
    }
    for name, attribute in (
        ("count", "count"), ("min", "minimum"), ("max", "maximum"), ("mean", "mean"), ("variance", "variance"), ("std", "std"),
        ("l2_norm", "l2"), ("zeros", "zeros"), ("nan", "nan"), ("infinite", "infinite"),
    ):  # fmt: skip
        columns[name] = [getattr(found[info.name], attribute) if info.name in found else None for info in infos]
    columns["problem"] = [info.problem for info in infos]
    return Table(columns)


def survey_csv(infos: Sequence[TensorInfo], found: Mapping[str, Statistics]) -> str:
    return csv_text(survey(infos, found))


def histogram_table(statistics: Statistics) -> Table:
    """Bins of the histogram: from (included), to (not included), count."""
    histogram = statistics.histogram
    if histogram is None:
        return Table({"from": [], "to": [], "count": []})
    edges = histogram.edges().tolist()
    return Table({"from": edges[:-1], "to": edges[1:], "count": list(histogram.counts)})


def values_table(values: Array, row_step: int, col_step: int) -> Table:
    """The values of a plane; the first column is the row in the tensor, the others are named by their column in it.

    A picture has a column for each channel: `12.0`, `12.1`, ...
    """
    columns: dict[str, Sequence[Any]] = {"row": [row * row_step for row in range(values.shape[0])]}
    for col in range(values.shape[1]):
        if values.ndim == 2:
            columns[str(col * col_step)] = values[:, col].tolist()
        else:
            columns.update({f"{col * col_step}.{channel}": values[:, col, channel].tolist() for channel in range(values.shape[2])})
    return Table(columns)
