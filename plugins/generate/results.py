"""What a run and a sweep give back: pictures, what they cost, and where they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.host.pictures import Pixels
from studio_plugins.generate.drawing import Drawn
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.sweep_request import SweepRequest
from studio_plugins.generate.trajectory import Trajectory


@dataclass(frozen=True)
class Cost:
    """What drawing took so far.

    steps: of the first stage; upsample_steps: of the second. evaluations: of the networks that draw, per picture;
    gradients: of those that guide, per picture. seconds: of both stages, without waiting for others;
    upsample_seconds: the second's share.
    """

    steps: int = 0
    evaluations: int = 0
    gradients: int = 0
    seconds: float = 0.0
    upsample_steps: int = 0
    upsample_seconds: float = 0.0

    def after(self, drawn: Drawn, seconds: float) -> Cost:
        """The cost after what was drawn in so many seconds."""
        second = drawn.stage == "upsample"
        return Cost(
            self.steps + (0 if second else drawn.steps),
            self.evaluations + drawn.evaluations,
            self.gradients + drawn.gradients,
            self.seconds + seconds,
            self.upsample_steps + (drawn.steps if second else 0),
            self.upsample_seconds + (seconds if second else 0.0),
        )

    def metrics(self) -> dict[str, Any]:
        """What is kept with a result."""
        kept: dict[str, Any] = {"seconds": round(self.seconds, 3), "evaluations": self.evaluations}
        if self.gradients:
            kept["gradients"] = self.gradients
        if self.upsample_steps:
            kept |= {"upsample_steps": self.upsample_steps, "upsample_seconds": round(self.upsample_seconds, 3)}
        return kept

    @classmethod
    def stored(cls, request: GenerateRequest, metrics: Mapping[str, Any]) -> Cost:
        """The cost of a stored run; what was not kept with it follows from its settings."""
        counted = request.steps * request.evaluations_per_step
        return cls(
            request.steps,
            int(metrics.get("evaluations", counted)),
            int(metrics.get("gradients", 0)),
            float(metrics.get("seconds", 0.0)),
            int(metrics.get("upsample_steps", 0)),
            float(metrics.get("upsample_seconds", 0.0)),
        )


def grid_cost(request: SweepRequest, metrics: Mapping[str, Any]) -> Cost:
    """The cost of a stored sweep; evaluations that were not kept with it follow from its settings."""
    counted = sum(cell.steps * cell.evaluations_per_step for _, _, cell in request.cells())
    return Cost(
        evaluations=int(metrics.get("evaluations", counted)),
        gradients=int(metrics.get("gradients", 0)),
        seconds=float(metrics.get("seconds", 0.0)),
    )


@dataclass(frozen=True, eq=False)
class GenerateResult:
    """A finished run.

    pictures: uint8 [N, H, W, 3]; small: [N, H/4, W/4, 3], what a second stage enlarged. record_id: where it is kept;
    None when it could not be saved, then `problem` says why and `steps` holds what would have been in the file.
    """

    request: GenerateRequest
    pictures: Pixels
    cost: Cost
    provenance: Mapping[str, Any]
    small: Pixels | None = None
    record_id: str | None = None
    problem: str = ""
    steps: Trajectory | None = None

    @property
    def seconds(self) -> float:
        return self.cost.seconds

    @property
    def evaluations(self) -> int:
        return self.cost.evaluations


@dataclass(frozen=True, eq=False)
class SweepResult:
    """A finished sweep. cells: uint8 [rows·columns, H, W, 3], row by row."""

    request: SweepRequest
    cells: Pixels
    cost: Cost
    provenance: Mapping[str, Any] = field(default_factory=dict)
    record_id: str | None = None
    problem: str = ""
