"""A measured figure and the limit it is held to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """name: what was measured; value in `unit`; limit: the largest allowed, or None where there is none; ok: whether
    it holds; note: how.
    """

    name: str
    value: float
    unit: str
    limit: float | None
    ok: bool
    note: str = ""

    @classmethod
    def at_most(cls, name: str, value: float, unit: str, limit: float, note: str = "") -> Figure:
        """A figure that holds when value <= limit."""
        return cls(name, value, unit, limit, value <= limit, note)

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        limit = "" if self.limit is None else f" (limit {self.limit:g}{unit})"
        note = f"  {self.note}" if self.note else ""
        return f"{'ok  ' if self.ok else 'FAIL'} {self.name}: {self.value:.4g}{unit}{limit}{note}"
