"""A column put to work, one denoising step at a time, from the start or from where another column was.

On the engine's thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.models.guiding import GuidanceSettings, Strength
from studio_plugins.guidance.request import Column, Guidance, GuidanceRequest
from studio_plugins.guidance.scoring import Scorer
from studio_plugins.guidance.trajectory import TERMS, Floats, Step

if TYPE_CHECKING:
    from torch import Tensor

    from studio.ml.diffusion.sampler import Resume, StepRecord
    from studio.models.guiding import Guiding
    from studio.models.opening import Drawing


class Diverged(ArithmeticError):
    """A step whose numbers are no longer finite."""


def settings_of(guidance: Guidance, request: GuidanceRequest) -> GuidanceSettings:
    """A column's guidance as what `open_guidance` takes."""
    whole = guidance.course == "constant"
    start, stop = (0.0, 1.0) if whole else (guidance.start, guidance.stop)
    return GuidanceSettings(
        {name: Strength(guidance.scale_of(name), guidance.course, start, stop) for name in guidance.terms},
        negative=guidance.negative,
        target=guidance.classifier_class,
        clip=request.clip_model,
        classifier=request.classifier_model,
        clip_prompt=guidance.clip_prompt.strip(),
    )


class Runner:
    """Draws one column. `steps` holds what is drawn; those given at the start were drawn elsewhere, guided the same."""

    def __init__(
        self,
        model: Drawing,
        request: GuidanceRequest,
        column: Column,
        guidings: Mapping[Guidance, Guiding],
        scorer: Scorer,
        steps: Sequence[Step] = (),
    ) -> None:
        self.steps = list(steps)
        self.computed = 0
        self._model, self._request, self._column = model, request, column
        self._guidings, self._scorer = guidings, scorer
        self._guidance: Guidance | None = None
        self._records: Iterator[StepRecord] = iter(())

    def advance(self) -> Step:
        """Draw the next step. Raises Diverged, and what guidance and sampler raise."""
        guidance = self._column.guidance_at(len(self.steps))
        if guidance != self._guidance:
            self._guidance = guidance
            self._records = self._draw(guidance)
        begin = time.perf_counter()
        record = next(self._records)
        arrays = _arrays(record)  # copies off the device, and so waits for it
        seconds = time.perf_counter() - begin
        if not all(np.isfinite(arrays[name]).all() for name in ("x", "x0", "gram")):
            raise Diverged(f"step {record.index + 1}")
        evaluations = 1 if record.parts.eps_uncond is None else 2
        self.computed += evaluations
        step = Step(
            index=record.index,
            total=record.total,
            t=record.t,
            alpha_bar=float(self._model.schedule.alphas_cumprod[record.t]),
            **arrays,
            scores=self._scorer.scores(record),
            evaluations=evaluations,
            seconds=seconds,
        )
        self.steps.append(step)
        return step

    def share(self, step: Step) -> Step:
        """Take over a step that another column has drawn."""
        self.steps.append(step)
        return step

    def _draw(self, guidance: Guidance) -> Iterator[StepRecord]:
        from studio.ml.diffusion.sampling import Sampling

        request, guiding = self._request, self._guidings[guidance]
        return self._model.sample(
            prompts_of(guidance, request),
            range(request.seed, request.seed + request.batch),
            scale=guiding.scale,
            negative=guiding.negative,
            sampling=Sampling(request.sampler, request.steps, eta=request.eta),
            cond_fn=guiding.cond_fn,
            resume=self._resume(),
            **({} if guiding.scale is None else {"skip_unused": True}),  # a kind of saving others do not know
        )

    def _resume(self) -> Resume | None:
        import torch

        from studio.ml.diffusion.sampler import Resume

        if not self.steps:
            return None
        last = self.steps[-1]
        x, x0 = (
            torch.from_numpy(np.ascontiguousarray(a.transpose(0, 3, 1, 2))).to(self._model.device)
            for a in (last.x, last.x0)
        )
        return Resume(last.index, x, x0)


def prompts_of(guidance: Guidance, request: GuidanceRequest) -> list[str]:
    """What the denoiser is given, for each picture."""
    return [request.prompt if guidance.prompted else ""] * request.batch


def _arrays(record: StepRecord) -> dict[str, Any]:
    """x_t, x, x0, heat, gram and scales of a step, as `Step` has them."""
    import torch

    base = record.parts.base.float()
    found = {term.name: term for term in record.parts.terms}
    terms = torch.stack([found[name].eps.float() if name in found else torch.zeros_like(base) for name in TERMS])
    vectors = torch.cat([base[None], terms]).flatten(2)
    gram = torch.einsum("inv,jnv->ijn", vectors, vectors)
    scales = np.array([float(found[name].scale[0]) if name in found else 0.0 for name in TERMS], np.float32)
    pictures = {"x_t": record.x_t, "x": record.x, "x0": record.x0}
    return {
        **{name: _numpy(x.float().permute(0, 2, 3, 1)) for name, x in pictures.items()},
        "heat": _numpy(terms.norm(dim=2)).astype(np.float16),
        "gram": _numpy(gram),
        "scales": scales,
    }


def _numpy(x: Tensor) -> Floats:
    array: Floats = np.ascontiguousarray(x.cpu().numpy(), np.float32)
    return array
