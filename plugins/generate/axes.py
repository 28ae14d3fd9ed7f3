"""Values of a sweep axis written as text: `1-5`, `1-5 (+2)`, `1-10 [5]`, `1, 2, 3`, `red cat | blue cat`.

The grammar is the one people know from X/Y grids of other tools, so that a habit carries over.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import Literal

AxisKind = Literal["int", "float", "choice", "text"]
AxisValue = str | int | float

MAX_VALUES = 64
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(
    rf"^\s*({_NUMBER})\s*(?:-|–|\.\.)\s*({_NUMBER})\s*(?:\(\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*\)|\[\s*(\d+)\s*\])?\s*$"
)


class AxisSyntaxError(ValueError):
    """The text of an axis cannot be read; the message says which part and shows one that works."""


def parse_axis(text: str, kind: AxisKind, choices: Sequence[str] = ()) -> tuple[AxisValue, ...]:
    """Values of an axis, in the order written, each once.

    Numbers: a list `1, 2, 3`, a range `1-5`, a range with step `1-5 (+2)`, a range cut into n values `1-10 [5]`, or a
    mixture separated by commas. Choices: names separated by commas. Text: pieces separated by `|` or line ends
    (commas belong to the text). Raises AxisSyntaxError, also for more than 64 values.
    """
    if kind == "text":
        found: list[AxisValue] = [piece.strip() for piece in re.split(r"[|\n]", text)]
        if len(found) == 1 and not found[0]:
            raise AxisSyntaxError("write the values to compare, separated by |")
    elif kind == "choice":
        found = [_choice(piece, choices) for piece in _pieces(text)]
    else:
        found = [value for piece in _pieces(text) for value in _numbers(piece, kind)]
    if not found:
        raise AxisSyntaxError("write the values to compare, for example 1-5, 1-10 [4] or 1, 2, 3")
    unique = tuple(dict.fromkeys(found))
    if len(unique) > MAX_VALUES:
        raise AxisSyntaxError(f"{len(unique)} values are too many for one axis; {MAX_VALUES} is the most")
    return unique


def format_axis(values: Sequence[AxisValue], kind: AxisKind) -> str:
    """Text that `parse_axis` reads back as the same values."""
    return (" | " if kind == "text" else ", ").join(label(value) for value in values)


def label(value: AxisValue) -> str:
    """Short text of one value, for grid headings."""
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _pieces(text: str) -> list[str]:
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    return [piece.strip() for row in rows for piece in row if piece.strip()]


def _choice(piece: str, choices: Sequence[str]) -> str:
    for choice in choices:
        if choice.lower() == piece.lower():
            return choice
    raise AxisSyntaxError(f"“{piece}” is not one of {', '.join(choices)}")


def _numbers(piece: str, kind: AxisKind) -> list[AxisValue]:
    match = _RANGE.match(piece)
    if match is None:
        return [_number(piece, kind)]
    first, last = float(match[1]), float(match[2])
    if match[4] is not None:
        values = _spread(first, last, int(match[4]), piece)
    else:
        values = _stepped(first, last, match[3], piece)
    return [int(round(value)) if kind == "int" else round(value, 10) for value in values]


def _spread(first: float, last: float, count: int, piece: str) -> list[float]:
    if not 1 <= count <= MAX_VALUES:
        raise AxisSyntaxError(f"“{piece}”: the number in brackets says how many values, from 1 to {MAX_VALUES}")
    return [first] if count == 1 else [first + (last - first) * i / (count - 1) for i in range(count)]


def _stepped(first: float, last: float, step_text: str | None, piece: str) -> list[float]:
    step = float(step_text) if step_text is not None else (1.0 if last >= first else -1.0)
    if step == 0 or (last - first) * step < 0:
        raise AxisSyntaxError(f"“{piece}”: the step in brackets leads away from the last value")
    count = int((last - first) / step + 1e-9) + 1
    if count > MAX_VALUES:
        raise AxisSyntaxError(f"“{piece}” gives {count} values; {MAX_VALUES} is the most, try {first:g}-{last:g} [8]")
    return [first + step * i for i in range(count)]


def _number(piece: str, kind: AxisKind) -> AxisValue:
    try:
        value = int(piece) if kind == "int" else float(piece)
    except ValueError:
        wanted = "a whole number" if kind == "int" else "a number"
        raise AxisSyntaxError(f"“{piece}” is not {wanted}; write 1-5, 1-5 (+2), 1-10 [4] or 1, 2, 3") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise AxisSyntaxError(f"“{piece}” is not a number that can be drawn")
    return value
