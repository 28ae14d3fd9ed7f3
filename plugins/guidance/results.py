"""What a comparison gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from studio.host.pictures import Pixels
from studio_plugins.guidance.request import GuidanceRequest
from studio_plugins.guidance.trajectory import Steps


@dataclass(frozen=True)
class Cost:
    """What a column costs per picture, as if drawn alone.

    evaluations: of the denoiser; gradients: how often each gradient was taken, by kind; gflop: of all of it (0 when it
    was not counted); times: gflop as a multiple of the unguided run's; seconds: measured, the whole batch; computed:
    evaluations that were left to do, the others being shared with another column.
    """

    evaluations: int
    gradients: Mapping[str, int]
    gflop: float
    times: float
    seconds: float
    computed: int


@dataclass(frozen=True)
class Verdict:
    """What the final picture shows. shown: everything asked for and nothing else; None when nobody can say.

    missing: what is not as asked, in words. cosine: the clean CLIP's, None without a CLIP. sure: the oracle's.
    """

    shown: bool | None = None
    missing: tuple[str, ...] = ()
    cosine: float | None = None
    sure: float | None = None


@dataclass(frozen=True, eq=False)
class ColumnRun:
    """One column drawn. pictures: uint8 [N, H, W, 3]; `problem` says why it stopped early, "" when it did not.

    shared: (column whose steps these are, how many of them) for what was not computed again.
    """

    steps: Steps
    pictures: Pixels
    cost: Cost
    verdicts: tuple[Verdict, ...] = ()
    shared: tuple[int, int] | None = None
    target: str = ""
    problem: str = ""

    def summary(self) -> dict[str, Any]:
        """Everything but arrays, and the seconds of each step, as JSON."""
        return {
            "cost": {**asdict(self.cost), "gradients": dict(self.cost.gradients)},
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "shared": self.shared,
            "target": self.target,
            "problem": self.problem,
            "step_seconds": [round(step.seconds, 4) for step in self.steps],
        }

    @classmethod
    def of_summary(cls, stored: Mapping[str, Any], steps: Steps, pictures: Pixels) -> ColumnRun:
        """The inverse of `summary`. Raises KeyError, TypeError for what is none."""
        verdicts = tuple(Verdict(**{**v, "missing": tuple(v["missing"])}) for v in stored["verdicts"])
        shared = tuple(stored["shared"]) if stored["shared"] else None
        if steps:
            timed = zip(steps, stored["step_seconds"], strict=True)
            steps = tuple(replace(step, seconds=float(seconds)) for step, seconds in timed)
        return cls(
            steps, pictures, Cost(**stored["cost"]), verdicts, shared, str(stored["target"]), str(stored["problem"])
        )


@dataclass(frozen=True, eq=False)
class Comparison:
    """A finished comparison. record_id: where it is kept; None when it could not be saved, then `problem` says why."""

    request: GuidanceRequest
    columns: tuple[ColumnRun, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    record_id: str | None = None
    problem: str = ""
