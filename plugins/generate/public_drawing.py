"""Public checkpoints put to work: the pipeline's steps in the words of this panel, and only what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.host.pictures import Pixels
from studio.models.external import lora_of
from studio_plugins.generate.drawing import Drawn
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.trajectory import SERIES, StepData

if TYPE_CHECKING:
    from studio.ml.diffusion.external.asked import Asked, ExternalStep
    from studio.ml.diffusion.external.model import ExternalModel


@dataclass(frozen=True, eq=False)
class PublicRun:
    """A request and the pipeline that draws it. It has one stage, whose steps it counts itself."""

    request: GenerateRequest
    model: ExternalModel
    provenance: Mapping[str, Any]

    @property
    def totals(self) -> tuple[int, ...]:
        """Steps of the one stage, as asked for; some schedulers take more."""
        return (self.request.steps,)

    def steps(self) -> Iterator[Drawn]:
        """The steps, then the decoded pictures. Raises ExternalError; closing it stops the pipeline."""
        shape: tuple[int, ...] | None = None
        with closing(self.model.sample(asked(self.request))) as records:  # type: ignore[type-var]  # it is a generator
            for step in records:
                shown = step.preview if shape is None or step.preview is None or step.preview.shape == shape else None
                shape = shape if shown is None else shown.shape  # of a pipeline in stages the first that can be shown
                yield _drawn(step, shown)


def asked(request: GenerateRequest) -> Asked:
    """The request in the words of public checkpoints; without guidance the scale is 1, at which they are unguided."""
    from studio.ml.diffusion.external.asked import Asked

    guided = "classifier-free" in request.kinds
    return Asked(
        prompt=request.condition,
        negative=request.negative_prompt.strip() if guided else "",
        seeds=tuple(range(request.seed, request.seed + request.batch)),
        steps=request.steps,
        scale=request.guidance_scale if guided else 1.0,
        width=request.width,
        height=request.height,
        scheduler=request.scheduler,
        loras=tuple(lora_of(text) for text in request.loras),
    )


def _drawn(step: ExternalStep, shown: Pixels | None) -> Drawn:
    if step.pictures is not None:
        return Drawn(step.total, step.total, None, step.pictures, steps=0)
    data = None if shown is None else _data(step, shown)
    return Drawn(step.index + 1, step.total, data, evaluations=round(step.evaluations))


def _data(step: ExternalStep, shown: Pixels) -> StepData:
    """A step as far as it is known: predictions stay inside a pipeline."""
    norms = np.full((len(SERIES), len(shown)), nan, np.float32)
    return StepData(step.index, step.total, round(step.t), nan, None, shown, norms)
