"""Where the parts of a layer stand: rows by what comes before what, columns near what feeds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from studio.ml.anatomy.tracing import Diagram

_OFF_SPINE = ("scores", "mix", "softmax")
_GAP = 1.0


@dataclass(frozen=True)
class Place:
    """row from the top; column in units of a box and its gap, 0 the middle."""

    row: int
    column: float


def layout(diagram: Diagram) -> tuple[Place, ...]:
    """A place for every part."""
    before: dict[int, list[int]] = {i: [] for i in range(len(diagram.parts))}
    after: dict[int, list[int]] = {i: [] for i in range(len(diagram.parts))}
    for source, target in diagram.edges:
        before[target].append(source)
        after[source].append(target)
    rows = _rows(diagram, before, after)
    columns: dict[int, float] = {}
    for row in range(max(rows.values(), default=0) + 1):
        members = [i for i in rows if rows[i] == row]
        wished = {i: _wish(diagram, i, before, columns, len(members)) for i in members}
        columns |= _apart(wished)
    return tuple(Place(rows[i], columns[i]) for i in range(len(diagram.parts)))


def _rows(diagram: Diagram, before: Mapping[int, list[int]], after: Mapping[int, list[int]]) -> dict[int, int]:
    rows: dict[int, int] = {}
    for i in range(len(diagram.parts)):  # parts are in the order in which they happen
        rows[i] = 1 + max((rows[source] for source in before[i]), default=-1)
    for i in reversed(range(len(diagram.parts))):
        if not before[i] and i and after[i]:  # the encoder's states, tables of positions: just above their first use
            rows[i] = max(0, min(rows[target] for target in after[i]) - 1)
    used = sorted(set(rows.values()))
    return {i: used.index(row) for i, row in rows.items()}


def _wish(
    diagram: Diagram, i: int, before: Mapping[int, list[int]], columns: Mapping[int, float], members: int
) -> float:
    part = diagram.parts[i]
    placed = [columns[source] for source in before[i] if source in columns]
    if not before[i] and i:
        return 2.0
    if members == 1 and part.kind not in _OFF_SPINE and part.place != "attention" and part.place != "cross-attention":
        return 0.0
    if part.kind == "linear" and members == 1:
        return 0.0
    return sum(placed) / len(placed) if placed else 0.0


def _apart(wished: Mapping[int, float]) -> dict[int, float]:
    """Nobody nearer than a box: in order of their wishes, all of them kept around the mean of those."""
    order = sorted(wished, key=lambda i: (wished[i], i))
    found: dict[int, float] = {}
    last = float("-inf")
    for i in order:
        found[i] = max(wished[i], last + _GAP)
        last = found[i]
    if order:
        shift = sum(wished.values()) / len(order) - sum(found.values()) / len(order)
        found = {i: column + shift for i, column in found.items()}
    return found
