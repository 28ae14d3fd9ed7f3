"""Tables as CSV, or as Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from studio.host.atomic import replacing, write_text
from studio.host.export.kinds import ExportError, Table


def as_table(data: Any) -> Table:
    """A Table of a Table, a mapping column → values, or a one- or two-dimensional array. Raises ExportError."""
    if isinstance(data, Table):
        return data
    if isinstance(data, Mapping):
        return Table({str(name): list(values) for name, values in data.items()})
    array = np.asarray(data)
    if array.ndim not in (1, 2) or array.dtype == object:
        raise ExportError("Only columns or an array of one or two dimensions can be written as a table.")
    grid = array.reshape(len(array), -1)
    return Table({str(number): list(grid[:, number]) for number in range(grid.shape[1])})


def csv_text(table: Table) -> str:
    """The table as CSV (RFC 4180: comma, CRLF, quotes where needed). Floats keep every digit; None is empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(table.columns)
    for row in zip(*table.columns.values(), strict=True):
        writer.writerow([_cell(value) for value in row])
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return value.item() if isinstance(value, np.generic) and not isinstance(value, np.float32) else value


def write_csv(table: Table, path: Path) -> None:
    """Write CSV atomically. Raises FileUnwritable."""
    write_text(path, csv_text(table))


def parquet_available() -> bool:
    """Whether pyarrow is installed; it is not imported to find out."""
    return importlib.util.find_spec("pyarrow") is not None


def write_parquet(table: Table, path: Path) -> None:
    """Write Parquet atomically. Raises ExportError without pyarrow and for mixed columns, FileUnwritable."""
    if not parquet_available():
        raise ExportError("Parquet needs the package pyarrow. Install it (pip install pyarrow) or save as CSV.")
    pyarrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    try:
        built = pyarrow.table({name: pyarrow.array(list(values)) for name, values in table.columns.items()})
    except pyarrow.ArrowException as error:
        raise ExportError(f"A column mixes kinds of values that Parquet cannot hold ({error}). Save as CSV.") from error
    with replacing(path) as temporary:
        parquet.write_table(built, str(temporary))
