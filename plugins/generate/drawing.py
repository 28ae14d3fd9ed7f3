"""A request put to work: model and request in, one step record per network evaluation out. On the engine's thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from studio.host.pictures import Pixels, to_pixels
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.trajectory import StepData

if TYPE_CHECKING:
    from torch import Tensor

    from studio.ml.diffusion.sampler import StepRecord
    from studio.models.opening import Drawing


def draw(model: Drawing, request: GenerateRequest) -> Iterator[StepRecord]:
    """The steps of a run, one network evaluation (of both branches) each; picture i has seed + i. Raises ValueError."""
    from studio.ml.diffusion.sampling import Sampling

    return model.sample(
        [request.prompt] * request.batch,
        range(request.seed, request.seed + request.batch),
        scale=None if request.unconditional else request.guidance_scale,
        sampling=Sampling(request.sampler, request.steps, eta=request.eta),
    )


def overflow(prompt: str, model: Drawing) -> int | None:
    """How many tokens at the end of a prompt a released model leaves out; None for a model that takes no prompt."""
    from studio.ml.diffusion.unconditional import Unconditional
    from studio.ml.diffusion.words import WordTokenizer

    if isinstance(model, Unconditional):
        return None
    return 0 if isinstance(model.tokenizer, WordTokenizer) else model.overflow(prompt)


def step_data(record: StepRecord, model: Drawing, *, unconditional: bool) -> StepData:
    """A step as numpy. Pictures and norms leave the device in one copy, the only wait for it in a step."""
    import torch

    x_t, x0 = record.x_t.float(), record.x0.float()
    packed = torch.cat([x_t.flatten(), x0.flatten(), _norms(record, unconditional).flatten()]).cpu().numpy()
    size, batch = x_t.numel(), len(x_t)
    pictures = packed[: 2 * size].reshape(2, *x_t.shape).transpose(0, 1, 3, 4, 2)
    return StepData(
        index=record.index,
        total=record.total,
        t=record.t,
        alpha_bar=float(model.schedule.alphas_cumprod[record.t]),
        x_t=np.ascontiguousarray(pictures[0], np.float16),
        x0=to_pixels(pictures[1]),
        norms=packed[2 * size :].reshape(4, batch).copy(),
    )


def pictures_of(record: StepRecord) -> Pixels:
    """What the step made of x_t as pictures, uint8 [N, H, W, 3]: after the last step, the result."""
    return to_pixels(record.x.float().permute(0, 2, 3, 1).cpu().numpy())


def _norms(record: StepRecord, unconditional: bool) -> Tensor:
    """[4, B] on the device: ‖ε(x|y)‖, ‖ε(x|∅)‖, ‖difference‖, cosine; NaN for what was not computed."""
    import torch

    first = record.parts.eps_cond.float().flatten(1)
    norm = first.norm(dim=1)
    unknown = torch.full_like(norm, torch.nan)
    if unconditional or record.parts.eps_uncond is None:
        # Without a prompt, "the condition" is the empty text itself.
        return torch.stack([unknown, norm, unknown, unknown])
    second = record.parts.eps_uncond.float().flatten(1)
    other = second.norm(dim=1)
    cosine = (first * second).sum(dim=1) / (norm * other).clamp_min(torch.finfo(torch.float32).tiny)
    return torch.stack([norm, other, (first - second).norm(dim=1), cosine])
