"""Heat maps of guidance terms: lengths to colours, one scale for a whole row."""

from __future__ import annotations

from collections.abc import Iterable

from studio.ui.heat import colours, paint
from studio_plugins.guidance.trajectory import TERMS, Step

__all__ = ["colours", "paint", "reach"]


def reach(term: str, steps: Iterable[Step | None]) -> float:
    """The top of a term's scale: the largest of these steps, outliers left out; 0 where the term acts in none."""
    row = TERMS.index(term)
    return float(max((step.reach[row] for step in steps if step is not None), default=0.0))
