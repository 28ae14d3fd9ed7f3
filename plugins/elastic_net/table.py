"""A person's own table: CSV (any separator), Excel or Parquet, as columns of numbers or text."""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".parquet")
SEPARATORS = (",", ";", "\t", "|")
MAX_BYTES = 200 << 20
_READERS = {".xlsx": "read_excel", ".parquet": "read_parquet"}
_MOSTLY = 0.9
"""Share of a column's entries that must be numbers for it to count as one; the others become gaps."""


class TableUnreadable(ValueError):
    """A file that is no table, or not the one it was; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Column:
    """values: [n] float64 with NaN for gaps where `numeric`, else text with None for gaps. missing: how many gaps."""

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


def reading(path: Path) -> str:
    """How pandas reads a file, as a Python expression. Raises OSError, UnicodeDecodeError."""
    suffix = path.suffix.lower()
    if suffix in _READERS:
        return f"pd.{_READERS[suffix]}({str(path)!r})"
    options = "".join(f", {name}={value!r}" for name, value in _dialect(path.read_text(encoding="utf-8-sig")).items())
    return f"pd.read_csv({str(path)!r}{options}, skipinitialspace=True)"


def _frame(path: Path) -> Any:
    import pandas as pd

    try:
        suffix = path.suffix.lower()
        if suffix in _READERS:
            return getattr(pd, _READERS[suffix])(path)
        return pd.read_csv(path, skipinitialspace=True, **_dialect(path.read_text(encoding="utf-8-sig")))
    except (ValueError, OSError, ImportError, KeyError, zipfile.BadZipFile) as error:  # pandas' own are ValueErrors
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TableUnreadable(f"“{path.name}” is not a table that can be read ({reason}).") from error


def _dialect(text: str) -> dict[str, str]:
    """Separator and decimal mark of written numbers: the separator that the header has most of, and a comma where the
    separator is none and the rows have commas between digits but no points."""
    header, _, rows = text.partition("\n")
    separator = max(SEPARATORS, key=header.count)
    comma = separator != "," and re.search(r"\d,\d", rows) and not re.search(r"\d\.\d", rows)
    return {"sep": separator, "decimal": "," if comma else "."}


def _column(name: str, series: Any) -> Column:
    import pandas as pd

    present, kind = int(series.notna().sum()), getattr(series.dtype, "kind", "O")
    if kind not in "mM":  # points in time are no numbers
        numbers = pd.to_numeric(series, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        numbers = np.where(np.isfinite(numbers), numbers, np.nan)
        missing = int(np.isnan(numbers).sum())
        if kind in "iufb" or len(series) - missing >= _MOSTLY * present:
            return Column(name, numbers, True, missing)
    values = np.array([None if pd.isna(value) else str(value) for value in series], dtype=object)
    return Column(name, values, False, len(series) - present)
