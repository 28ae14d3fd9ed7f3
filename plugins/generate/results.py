"""What a run and a sweep give back, and how they are put on disk: PNG files that carry their request, and the steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.host.pictures import Pixels
from studio_plugins.generate.request import GenerateRequest, SweepRequest
from studio_plugins.generate.trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class GenerateResult:
    """A finished run.

    pictures: uint8 [N, H, W, 3]. record_id: where it is kept; None when it could not be saved, then `problem` says
    why and `steps` holds what would have been in the file. seconds: time spent drawing, without waiting for others.
    """

    request: GenerateRequest
    pictures: Pixels
    seconds: float
    evaluations: int
    provenance: Mapping[str, Any]
    record_id: str | None = None
    problem: str = ""
    steps: Trajectory | None = None


@dataclass(frozen=True, eq=False)
class SweepResult:
    """A finished sweep. cells: uint8 [rows·columns, H, W, 3], row by row."""

    request: SweepRequest
    cells: Pixels
    seconds: float
    provenance: Mapping[str, Any] = field(default_factory=dict)
    record_id: str | None = None
    problem: str = ""
