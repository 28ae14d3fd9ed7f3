"""A person's own table: CSV (any separator), Excel or Parquet, as columns of numbers or text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".parquet")
MAX_BYTES = 200 << 20
_MOSTLY = 0.9
"""Share of a column's entries that must be numbers for it to count as one; the others become gaps."""


class TableUnreadable(ValueError):
    """A file that is no table, or not the one it was; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Column:
    """values: [n] float64 with NaN for gaps where `numeric`, else objects with None for gaps. missing: how many gaps."""

    name: str
    values: npt.NDArray[Any]
    numeric: bool
    missing: int


def fingerprint(path: Path) -> str:
    """sha256 of a file, hex. Raises TableUnreadable."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TableUnreadable(f"“{path.name}” is larger than {MAX_BYTES >> 20} MiB. Take a part of its rows.")
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise TableUnreadable(f"“{path.name}” cannot be read ({error.strerror}). Open the table again.") from error


def read_table(path: Path, sha256: str = "") -> list[Column]:
    """The columns of a file; with `sha256` only if it is still the same file. Raises TableUnreadable."""
    found = fingerprint(path)
    if sha256 and found != sha256:
        raise TableUnreadable(f"“{path.name}” has changed since it was opened. Open it again.")
    frame = _frame(path)
    if frame.shape[1] < 2 or len(frame) < 2:
        raise TableUnreadable(
            f"“{path.name}” has {len(frame)} rows and {frame.shape[1]} columns; a header, two columns and two rows are "
            "the least."
        )
    return [_column(str(name).strip(), frame.iloc[:, at]) for at, name in enumerate(frame.columns)]


def _frame(path: Path) -> Any:
    import pandas as pd

    try:
        match path.suffix.lower():
            case ".xlsx":
                return pd.read_excel(path)
            case ".parquet":
                return pd.read_parquet(path)
            case _:
                return pd.read_csv(path, sep=None, engine="python", skipinitialspace=True)
    except (ValueError, OSError, ImportError, KeyError) as error:  # pandas' own errors are ValueErrors
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TableUnreadable(f"“{path.name}” is not a table that can be read ({reason}).") from error


def _column(name: str, series: Any) -> Column:
    import pandas as pd

    present = int(series.notna().sum())
    numbers = pd.to_numeric(series, errors="coerce") if not _is_time(series) else pd.Series(np.full(len(series), np.nan))
    numbers = numbers.astype(np.float64).where(np.isfinite(numbers.astype(np.float64)))
    if int(numbers.notna().sum()) >= _MOSTLY * present:
        return Column(name, numbers.to_numpy(), True, int(numbers.isna().sum()))
    values = np.array([None if pd.isna(value) else str(value) for value in series], dtype=object)
    return Column(name, values, False, len(series) - present)


def _is_time(series: Any) -> bool:
    return getattr(series.dtype, "kind", "") in "mM"
