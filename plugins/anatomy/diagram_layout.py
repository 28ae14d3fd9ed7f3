"""Where the parts of a layer stand: rows by what comes before what, columns near what feeds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from studio.ml.anatomy.tracing import Diagram

_BESIDE = ("attention", "cross-attention")
_GAP = 1.0


@dataclass(frozen=True)
class Place:
    """row from the top; column in units of a box and its gap, 0 the middle."""

    row: int
    column: float


def layout(diagram: Diagram) -> tuple[Place, ...]:
    """A place for every part. What does not come from the layer's own input (the encoder's states, tables of positions)
    stands just above its first use, to the right."""
    before: dict[int, list[int]] = {i: [] for i in range(len(diagram.parts))}
    after: dict[int, list[int]] = {i: [] for i in range(len(diagram.parts))}
    for source, target in diagram.edges:
        before[target].append(source)
        after[source].append(target)
    own = _own(diagram, before)
    rows = _rows(diagram, before, after, own)
    columns: dict[int, float] = {}
    for row in range(max(rows.values(), default=0) + 1):
        members = [i for i in rows if rows[i] == row and i in own]
        guests = [i for i in rows if rows[i] == row and i not in own]
        shift = -1.0 if len(guests) > 1 else 0.0
        placed = _apart({i: shift + _wish(diagram, i, before, columns, len(members)) for i in members})
        last = max(placed.values(), default=0.0)
        columns |= placed | {i: last + _GAP * (place + 1) for place, i in enumerate(guests)}
    return tuple(Place(rows[i], columns[i]) for i in range(len(diagram.parts)))


def _own(diagram: Diagram, before: Mapping[int, list[int]]) -> set[int]:
    """Parts that the layer's own input reaches."""
    own = {0}
    for i in range(len(diagram.parts)):  # parts are in the order in which they happen
        if any(source in own for source in before[i]):
            own.add(i)
    return own


def _rows(
    diagram: Diagram, before: Mapping[int, list[int]], after: Mapping[int, list[int]], own: set[int]
) -> dict[int, int]:
    rows: dict[int, int] = {}
    for i in range(len(diagram.parts)):
        rows[i] = 1 + max((rows[source] for source in before[i] if source in own), default=-1)
    for i in reversed(range(len(diagram.parts))):
        if i not in own and after[i]:
            rows[i] = max(0, min(rows[target] for target in after[i]) - 1)
    for i in range(len(diagram.parts)):  # keys and values of one source side by side
        if i not in own and before[i]:
            rows[i] = min(rows[other] for other in after[before[i][0]])
    for i in range(len(diagram.parts)):
        if i not in own and not before[i] and after[i]:
            rows[i] = max(0, min(rows[target] for target in after[i]) - 1)
    used = sorted(set(rows.values()))
    return {i: used.index(row) for i, row in rows.items()}


def _wish(
    diagram: Diagram, i: int, before: Mapping[int, list[int]], columns: Mapping[int, float], members: int
) -> float:
    """The middle, or under what feeds it."""
    part = diagram.parts[i]
    placed = [columns[source] for source in before[i] if source in columns]
    if members == 1 and (part.kind in ("linear", "norm", "input", "output") or part.place not in _BESIDE):
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
