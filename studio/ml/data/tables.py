"""A person's tables as numbers: CSV with any separator, Excel, Parquet, or text pasted from a spreadsheet.

Every column is read as numbers, as dates turned into numbers with a unit, or as text that is kept for saying what is
wrong with it. Nothing is dropped silently: what was left out, and why, is in the notes.

    table = read_table(path)                  table.columns, table.notes
    chosen = select(table, ["date"], "co2")   chosen.x [n, d], chosen.y [n], chosen.labels, chosen.notes

pandas is imported by the calls: make them in a job.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".parquet")
SEPARATORS = ("\t", ";", "|", ",")
"""The first of those that a header has equally many of counts: a comma may be a decimal mark."""

LIMIT = 1_000_000
"""Rows read unless asked otherwise: the largest number for which there is a method here."""

MOSTLY = 0.9
"""Share of a column's entries that must be numbers (or dates) for it to count as such; the others become gaps."""

UNITS = (("year", 3 * 365.25), ("day", 3.0), ("hour", 3 / 24), ("second", 0.0))
"""Units for dates with the least span, in days, that they are chosen for."""

SECONDS = {"day": 86_400.0, "hour": 3_600.0, "second": 1.0}


class TableUnreadable(ValueError):
    """A file that is no table, or a choice of columns that gives no points; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Column:
    """values [n]: numbers, nan where missing; all nan for text. label: the name with its unit; example: an entry as it
    stands in the file; note: what was done to it, "" if nothing.
    """

    name: str
    kind: Literal["number", "date", "text"]
    values: Array
    label: str
    example: str
    note: str = ""

    @property
    def missing(self) -> int:
        """How many values are missing."""
        return int(np.isnan(self.values).sum())


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length, and what was left out of the file."""

    columns: tuple[Column, ...]
    rows: int
    notes: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """A column by its name. Raises TableUnreadable."""
        for column in self.columns:
            if column.name == name:
                return column
        raise TableUnreadable(f"There is no column “{name}”; there are {_listed(c.name for c in self.columns)}.")

    @property
    def usable(self) -> tuple[str, ...]:
        """Names of the columns that are numbers or dates."""
        return tuple(column.name for column in self.columns if column.kind != "text")


class Chosen(NamedTuple):
    """Complete rows: x [n, d], y [n]; labels of the d inputs and of y; notes on what was left out and why."""

    x: Array
    y: Array
    labels: tuple[str, ...]
    notes: tuple[str, ...]


def read_table(path: Path, limit: int = LIMIT) -> Table:
    """The first `limit` rows of a file. Raises TableUnreadable."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise TableUnreadable(f"“{path.name}” is no table that can be read. Known are {_listed(SUFFIXES)}.")
    try:
        return _table(_frame(path, suffix, limit + 1), limit)
    except TableUnreadable:
        raise
    # What pandas and its readers raise for a broken file: its parser errors are ValueErrors.
    except (ValueError, OSError, ImportError, KeyError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TableUnreadable(f"“{path.name}” cannot be read as a table ({reason}).") from error


def read_text(text: str, limit: int = LIMIT) -> Table:
    """A table from pasted text. A first row of numbers alone is data, not a header. Raises TableUnreadable."""
    import pandas as pd

    lines = text.strip().splitlines()
    if not lines:
        raise TableUnreadable("There is no text to paste. Copy some cells of a spreadsheet first.")
    options = _dialect(text.strip())
    first = [cell.strip().replace(options["decimal"], ".") for cell in lines[0].split(options["sep"])]
    headless = all(re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", cell) for cell in first)
    names = [f"column {i + 1}" for i in range(len(first))] if headless else None
    try:
        frame = pd.read_csv(
            io.StringIO(text.strip()), nrows=limit + 1, names=names, skipinitialspace=True, **options
        )
    except ValueError as error:
        raise TableUnreadable(f"The pasted text is no table ({str(error).splitlines()[0]}).") from error
    return _table(frame, limit)


def select(table: Table, inputs: Sequence[str], output: str) -> Chosen:
    """The rows in which all the chosen columns have a value. Raises TableUnreadable where none is left."""
    columns = [table.column(name) for name in (*inputs, output)]
    if not inputs or len({*inputs, output}) <= len(inputs):
        raise TableUnreadable("Choose one column or more for x, and another one for y.")
    for column in columns:
        if column.kind == "text":
            raise TableUnreadable(
                f"Column “{column.name}” is text (such as “{column.example}”), and points need numbers or "
                f"dates: {_listed(table.usable) or 'there are no such columns'}."
            )
    complete = ~np.any([np.isnan(column.values) for column in columns], axis=0)
    if not complete.any():
        raise TableUnreadable(f"No row has a value in each of {_listed(column.name for column in columns)}.")
    notes = [column.note for column in columns if column.note]
    left_out = int((~complete).sum())
    if left_out:
        counts = _listed(f"{c.missing} in “{c.name}”" for c in columns if c.missing)
        notes.append(f"{left_out} of {table.rows} rows are left out because a value is missing: {counts}.")
    x = np.stack([column.values[complete] for column in columns[:-1]], axis=1)
    if len(inputs) == 1 and columns[0].kind == "date" and (np.diff(x[:, 0]) < 0).any():
        notes.append(f"The dates in “{columns[0].name}” are not in order, which makes no difference to the fit.")
    return Chosen(x, columns[-1].values[complete], tuple(c.label for c in columns), (*table.notes, *notes))


def _frame(path: Path, suffix: str, rows: int) -> Any:
    import pandas as pd

    if suffix == ".xlsx":
        return pd.read_excel(path, nrows=rows)
    if suffix == ".parquet":
        return _parquet(path, rows)
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        beginning = file.read(1 << 16)
    if not beginning.strip():
        raise TableUnreadable(f"“{path.name}” is empty.")
    options = _dialect(beginning)
    return pd.read_csv(
        path, nrows=rows, skipinitialspace=True, encoding="utf-8-sig", encoding_errors="replace", **options
    )


def _parquet(path: Path, rows: int) -> Any:
    """The first rows alone: a file of 10^7 is not loaded whole. Without pyarrow pandas says what to install."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        import pandas as pd

        return pd.read_parquet(path).head(rows)
    try:
        with pq.ParquetFile(path) as file:
            batches, found = [], 0
            for batch in file.iter_batches():
                batches.append(batch)
                found += batch.num_rows
                if found >= rows:
                    break
            return pa.Table.from_batches(batches, file.schema_arrow).slice(0, rows).to_pandas()
    except pa.ArrowException as error:
        raise TableUnreadable(f"“{path.name}” is not a Parquet file ({str(error).splitlines()[0]}).") from error


def _table(frame: Any, limit: int) -> Table:
    notes: list[str] = []
    if len(frame) > limit:
        frame = frame.head(limit)
        notes.append(f"The file has more than {limit:,} rows; the first {limit:,} are read.")
    empty = frame.isna().all(axis=1)
    if empty.any():
        frame = frame[~empty]
        notes.append(f"{int(empty.sum())} empty rows are left out.")
    if len(frame) == 0 or frame.shape[1] == 0:
        raise TableUnreadable("The table has no rows below its header.")
    names = _distinct([str(name).strip() for name in frame.columns])
    columns = tuple(_column(name, frame.iloc[:, i]) for i, name in enumerate(names))
    return Table(columns, len(frame), tuple(notes))


def _column(name: str, series: Any) -> Column:
    import pandas as pd

    present = series.notna()
    example = str(series[present].iloc[0]) if present.any() else ""
    if getattr(series.dtype, "kind", "O") == "M":
        return _of_dates(name, series, example, "")
    numbers = pd.to_numeric(series, errors="coerce").to_numpy(float, na_value=np.nan)
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    if not np.isnan(numbers[present]).all() or not present.any():
        odd = np.isnan(numbers) & present.to_numpy()
        if odd.sum() <= (1 - MOSTLY) * present.sum():
            note = _odd_ones(name, series, odd, "no finite numbers")
            return Column(name, "number", numbers, name, example, note)
    dates = _as_dates(series)
    odd = (dates.isna() & present).to_numpy()
    if present.any() and odd.sum() <= (1 - MOSTLY) * present.sum():
        return _of_dates(name, dates, example, _odd_ones(name, series, odd, "no dates"))
    words = series[present & np.isnan(numbers)]
    return Column(name, "text", np.full(len(series), np.nan), name, str(words.iloc[0]))


def _as_dates(series: Any) -> Any:
    """Points in time, missing where an entry is none; day/month/year where month/day/year does not fit."""
    import pandas as pd

    with warnings.catch_warnings():
        # pandas warns when it cannot tell one format for all; then each entry is read by itself, as wanted.
        warnings.simplefilter("ignore", UserWarning)
        tries = [pd.to_datetime(series, errors="coerce", utc=True, dayfirst=day_first) for day_first in (False, True)]
    return min(tries, key=lambda dates: int(dates.isna().sum()))


def _of_dates(name: str, dates: Any, example: str, note: str) -> Column:
    """Years as decimal numbers for long spans, else days, hours or seconds since the first date."""
    import pandas as pd

    moments = pd.to_datetime(dates, utc=True)
    first = moments.min()
    span = (moments.max() - first) / pd.Timedelta(days=1) if moments.notna().any() else 0.0
    unit = next(unit for unit, least in UNITS if span >= least)
    if unit == "year":
        starts = pd.to_datetime(moments.dt.year.astype("Int64").astype("string") + "-01-01", utc=True)
        days = np.where(moments.dt.is_leap_year, 366, 365)
        elapsed = ((moments - starts) / pd.Timedelta(days=1)).to_numpy(float, na_value=np.nan)
        values = moments.dt.year.to_numpy(float, na_value=np.nan) + elapsed / days
        label = f"{name}, year"
    else:
        values = ((moments - first) / pd.Timedelta(seconds=SECONDS[unit])).to_numpy(float, na_value=np.nan)
        label = f"{name}, {unit}s since {first:%Y-%m-%d %H:%M}"
    return Column(name, "date", values, label, example, note)


def _odd_ones(name: str, series: Any, odd: NDArray[np.bool_], what: str) -> str:
    """A note on entries that are not what the rest of their column is."""
    count = int(odd.sum())
    if not count:
        return ""
    return f"{count} entries of “{name}”, such as “{series[odd].iloc[0]}”, are {what} and count as missing."


def _dialect(text: str) -> dict[str, str]:
    """The separator the first line has most of; a comma as decimal mark where only commas stand between digits."""
    header, _, rows = text.partition("\n")
    separator = max(SEPARATORS, key=header.count)
    comma = separator != "," and re.search(r"\d,\d", text) and not re.search(r"\d\.\d", rows)
    return {"sep": separator, "decimal": "," if comma else "."}


def _distinct(names: list[str]) -> list[str]:
    """Names that differ: repeated ones are counted."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct


def _listed(names: Any) -> str:
    return ", ".join(names)
