"""A run put to work: step records of one stage or two out, and what a step shows as numpy. On the engine's thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from studio.host.pictures import Pixels, to_pixels
from studio_plugins.generate.trajectory import StageName, StepData, TermData

if TYPE_CHECKING:
    from torch import Tensor

    from studio.ml.diffusion.guidance import GuidanceParts
    from studio.ml.diffusion.sampler import StepRecord
    from studio.ml.diffusion.upsampling import StageRecord
    from studio_plugins.generate.preparing import Run

_NORMS = 4  # rows of _norms


@dataclass(frozen=True, eq=False)
class Drawn:
    """What one step of a run gives, whatever network draws.

    done of total steps over all stages. data: None where nothing of the step can be shown. pictures: uint8
    [N, H, W, 3], at the end of a stage. evaluations, gradients: per picture. steps: 0 for work that is no step.
    """

    done: int
    total: int
    data: StepData | None
    pictures: Pixels | None = None
    evaluations: int = 0
    gradients: int = 0
    stage: StageName = "base"
    steps: int = 1


def drawn_by(run: Run) -> Iterator[Drawn]:
    """A run by networks of the studio's own, step by step. Raises ValueError."""
    total = sum(run.totals)
    for done, record in enumerate(draw(run), start=1):
        data = step_data(record, run)
        pictures = pictures_of(record.step) if data.last else None
        yield Drawn(done, total, data, pictures, *evaluations_of(record.step.parts), stage=data.stage)


def draw(run: Run) -> Iterator[StageRecord]:
    """The steps of a run, stage after stage; picture i has seed + i. Raises ValueError."""
    from studio.ml.diffusion.sampling import Sampling
    from studio.ml.diffusion.upsampling import StageRecord, cascade

    request, guiding = run.request, run.guiding
    prompts = [request.condition] * request.batch
    seeds = range(request.seed, request.seed + request.batch)
    drawing = run.model.sample(
        prompts,
        seeds,
        scale=guiding.scale,
        negative=guiding.negative,
        sampling=Sampling(request.sampler, request.steps, eta=request.eta),
        cond_fn=guiding.cond_fn,
    )
    upsampler = run.upsampler
    if upsampler is None:
        return (StageRecord("base", step) for step in drawing)
    return cascade(
        drawing,
        lambda small: upsampler.sample(
            small,
            prompts,
            [seed + request.upsample_seed for seed in seeds],
            scale=request.upsample_scale if request.upsample_guided else None,
            negative=guiding.negative,
            sampling=run.second_sampling,
        ),
    )


def step_data(record: StageRecord, run: Run) -> StepData:
    """A step as numpy. Pictures and numbers leave the device in one copy, the only wait for it in a step."""
    import torch

    step = record.step
    schedule = run.model.schedule if record.stage == "base" or run.upsampler is None else run.upsampler.schedule
    x_t, x0 = step.x_t.float(), step.x0.float()
    numbers = torch.cat([_norms(step.parts, run.request.unconditional), _guided(step.parts), _terms(step.parts)])
    packed = torch.cat([x_t.flatten(), x0.flatten(), numbers.flatten()]).cpu().numpy()
    size, batch = x_t.numel(), len(x_t)
    pictures = packed[: 2 * size].reshape(2, *x_t.shape).transpose(0, 1, 3, 4, 2)
    rows = packed[2 * size :].reshape(-1, batch).copy()
    terms = rows[_NORMS + 1 :].reshape(-1, len(TermData._fields), batch)
    return StepData(
        index=step.index,
        total=step.total,
        t=step.t,
        alpha_bar=float(schedule.alphas_cumprod[step.t]),
        x_t=np.ascontiguousarray(pictures[0], np.float16),
        x0=to_pixels(pictures[1]),
        norms=rows[:_NORMS],
        stage=record.stage,
        guided=rows[_NORMS],
        terms={term.name: TermData(*row) for term, row in zip(step.parts.terms, terms, strict=True)},
    )


def pictures_of(record: StepRecord) -> Pixels:
    """What the step made of x_t as pictures, uint8 [N, H, W, 3]: after the last step, the result."""
    return to_pixels(record.x.float().permute(0, 2, 3, 1).cpu().numpy())


def evaluations_of(parts: GuidanceParts) -> tuple[int, int]:
    """(evaluations of the drawing network, gradients through networks that guide) of one step, per picture."""
    gradients = [term for term in parts.terms if term.score is not None]
    through_the_drawing = sum(term.name == "clip-x0" for term in gradients)
    return 1 + (parts.eps_uncond is not None) + through_the_drawing, len(gradients)


def _norms(parts: GuidanceParts, unconditional: bool) -> Tensor:
    """[4, B] on the device: ‖ε(x|y)‖, ‖ε(x|∅)‖, ‖difference‖, cosine; NaN for what was not computed."""
    import torch

    first = parts.eps_cond.float().flatten(1)
    norm = first.norm(dim=1)
    unknown = torch.full_like(norm, torch.nan)
    if parts.eps_uncond is None:
        # Without a prompt, "the condition" is the empty text itself.
        seen = [unknown, norm] if unconditional else [norm, unknown]
        return torch.stack([*seen, unknown, unknown])
    second = parts.eps_uncond.float().flatten(1)
    other = second.norm(dim=1)
    cosine = (first * second).sum(dim=1) / (norm * other).clamp_min(torch.finfo(torch.float32).tiny)
    return torch.stack([norm, other, (first - second).norm(dim=1), cosine])


def _guided(parts: GuidanceParts) -> Tensor:
    """[1, B]: ‖ε̂‖, all guidance included."""
    used = parts.eps.float()
    for term in parts.terms:
        if term.score is not None:  # classifier-free guidance is in eps already
            used = used + term.eps.float()
    return used.flatten(1).norm(dim=1)[None]


def _terms(parts: GuidanceParts) -> Tensor:
    """[3·K, B]: length, scale and score of each term; NaN for the score of classifier-free guidance."""
    import torch

    if not parts.terms:
        return parts.eps.new_zeros((0, len(parts.eps)), dtype=torch.float32)
    rows = []
    for term in parts.terms:
        norm = term.eps.float().flatten(1).norm(dim=1)
        score = torch.full_like(norm, torch.nan) if term.score is None else term.score.float()
        rows += [norm, term.scale.float(), score]
    return torch.stack(rows)
