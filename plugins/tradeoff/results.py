"""What a sweep gives back: points, their pictures, and where they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.ml.evaluation.points import Measured, Point
from studio_plugins.tradeoff.request import TradeoffRequest


@dataclass(frozen=True)
class Begun:
    """What is known before the first point: the prompts, one for each picture of a point."""

    texts: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TradeoffResult:
    """A sweep, finished or cancelled on the way.

    texts: the prompt of each picture. record_id: where it is kept; None when it could not be saved, then `problem`
    says why. seconds: spent drawing and measuring, without waiting for others.
    """

    request: TradeoffRequest
    texts: tuple[str, ...]
    measured: tuple[Measured, ...]
    seconds: float
    provenance: Mapping[str, Any] = field(default_factory=dict)
    record_id: str | None = None
    problem: str = ""

    @property
    def points(self) -> list[Point]:
        return [measured.point for measured in self.measured]

    @property
    def complete(self) -> bool:
        """Whether every point asked for is there."""
        done = {(point.kind, point.scale) for point in self.points}
        return all((setting.kind, setting.scale) in done for setting in self.request.settings)
