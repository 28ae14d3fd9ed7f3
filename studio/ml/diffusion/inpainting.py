"""Inpainting: the known pixels of a picture stay, the hole is drawn.

GLIDE's way (Nichol et al. 2021, arXiv 2112.10741, sec. 2.5) is a network that sees the known pixels clean, beside x_t.
For comparison two ways to inpaint with a text-to-image network that was never trained for it: to put the known pixels
into every predicted x0, or to noise them afresh to every step's level and put them into x_t (Lugmayr et al. 2022, arXiv
2201.09865, eq. 8, without resampling). With all three the known pixels come back bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from studio.ml.diffusion.guidance import (
    ClassifierFree,
    Gradient,
    GradientFn,
    GuidanceParts,
    GuidedModel,
    Scale,
    Unguided,
)
from studio.ml.diffusion.model_folder import load_text_model
from studio.ml.diffusion.noise import NoiseSource, noised
from studio.ml.diffusion.sampler import Resume, StepRecord
from studio.ml.diffusion.sampling import Sampling, run
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.text_model import TextModel
from studio.ml.diffusion.unet import InpaintText2ImUNet, SuperResInpaintText2ImUNet
from studio.ml.diffusion.upsampling import TEMPERATURE, eight_bit

Method = Literal["trained", "replace_x0", "replace_x_t"]
"""trained: the network sees what is known. replace_x0: it does not; known pixels go into every x0, or with
replace_x_t into every x_t too."""


class InpaintingError(ValueError):
    """A picture, a mask or a method that cannot be used together; the message says what can."""


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a batch: image [B, 3, H, W] float32 in [-1, 1], 0 where unknown; keep [B, 1, H, W] bool."""

    image: Tensor
    keep: Tensor

    @classmethod
    def of(cls, image: Tensor, mask: Tensor, size: int, batch: int, device: torch.device) -> Known:
        """Checked and brought to the batch: one picture or mask serves all of it, a smaller mask is enlarged, nearest.

        image: [B or 1, 3, size, size] float. mask: [B or 1, 1, h, h] bool or 0 and 1, 1 = keep, where h divides size.
        Raises InpaintingError for other shapes, soft masks, and known pixels that are no numbers in [-1, 1]; unknown
        ones may be anything.
        """
        keep = _hard(mask.to(device), size, batch)
        if image.ndim != 4 or image.shape[1:] != (3, size, size) or len(image) not in (1, batch):
            wanted, given = f"[{batch}, 3, {size}, {size}]", list(image.shape)
            raise InpaintingError(f"The picture must be {wanted}, not {given}; scale it to {size} x {size} pixels.")
        if not image.is_floating_point():
            raise InpaintingError(f"The picture must hold numbers from -1 to 1 (bytes / 127.5 - 1), not {image.dtype}.")
        clean = torch.where(keep, image.to(device, torch.float32), 0.0)
        if not clean.isfinite().all() or clean.abs().max() > 1:
            raise InpaintingError("Known pixels must be numbers from -1 to 1; some are not. Others may be anything.")
        return cls(clean.expand(batch, -1, -1, -1), keep.expand(batch, -1, -1, -1))

    def put_back(self, x: Tensor) -> Tensor:
        """x [B, 3, H, W] with the known pixels in their place."""
        return torch.where(self.keep, self.image, x)

    def spared(self, cond_fn: GradientFn) -> GradientFn:
        """The same gradients without a pull on known pixels."""

        def in_the_hole(x: Tensor, t: Tensor) -> list[Gradient]:
            return [g._replace(value=torch.where(self.keep, 0.0, g.value)) for g in cond_fn(x, t)]

        return in_the_hole


class _Renoised:
    """x_t as the x_t-replacement shows it to the network: the known pixels noised afresh before every evaluation.

    At step i they take the noise that the sampler would have added there after step i - 1, so a stochastic sampler's
    noise in the hole is independent of it and the run stays keyed by its seeds.
    """

    def __init__(self, known: Known, noise: NoiseSource, schedule: Schedule, visited: Schedule) -> None:
        self.known, self.noise, self.schedule = known, noise, schedule
        self.index = {int(step): i for i, step in enumerate(reversed(visited.timesteps))}

    def __call__(self, x: Tensor, step: int) -> Tensor:
        """x_t [B, 3, H, W] of the original step `step`, the known pixels in it drawn from q(x_t | x_0)."""
        index, shape = self.index[step], x.shape[1:]
        noise = self.noise.step(index - 1, shape) if index else self.noise.initial(shape)
        return torch.where(self.known.keep, noised(self.known.image, noise, self.schedule, step), x)

    def shown_to(self, model: GuidedModel) -> GuidedModel:
        """The model on x_t so changed."""

        def on_renoised(x: Tensor, t: Tensor) -> GuidanceParts:
            return model(self(x, int(t[0])), t)

        return on_renoised


class Inpainter(TextModel):
    """Draws into the holes of pictures. Of a text-to-image model, `Inpainter.of(model)` inpaints by replacement."""

    def sample(
        self,
        image: Tensor,
        mask: Tensor,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        method: Method = "trained",
        low_res: Tensor | None = None,
        scale: float | Scale | None = 3.0,
        negative: str = "",
        sampling: Sampling = Sampling(),
        cond_fn: GradientFn | None = None,
        resume: Resume | None = None,
        max_batch: int | None = None,
    ) -> Iterator[StepRecord]:
        """Step records of one batch; the last `x` are the pictures, their known pixels equal to `image`'s bit for bit.

        image, mask: as `Known.of`. low_res: [B, 3, h, w] in [-1, 1], for inpainting up-samplers only. The rest as
        `TextToImage.sample`. Everything is checked before this returns; raises ValueError (also its kinds
        InpaintingError, ScheduleError and NoiseKeyError).
        """
        noise = self.noise(prompts, seeds)
        known = Known.of(image, mask, self.image_size, len(prompts), self.device)
        inputs = self._inputs(known, low_res, method)
        visited = sampling.schedule(self.schedule)
        guidance = Unguided() if scale is None else ClassifierFree(scale, T=self.schedule.T, max_batch=max_batch)
        model = guidance.of(self.denoiser(prompts, negative=negative, inputs=inputs))
        renoised = _Renoised(known, noise, self.schedule, visited) if method == "replace_x_t" else None
        x = noise.initial((3, self.image_size, self.image_size))
        records = run(
            model if renoised is None else renoised.shown_to(model),
            x if low_res is None else TEMPERATURE * x,
            visited,
            noise,
            sampling,
            cond_fn=None if cond_fn is None else known.spared(cond_fn),
            edit_x0=known.put_back,
            resume=resume,
        )
        return _finished(records, known, renoised)

    def _inputs(self, known: Known, low_res: Tensor | None, method: Method) -> dict[str, Tensor]:
        """What the network is shown besides x_t. Raises InpaintingError where it cannot be shown that."""
        if method not in get_args(Method):
            raise InpaintingError(f"Unknown method {method!r}; known are {', '.join(get_args(Method))}.")
        enlarges = isinstance(self.net, SuperResInpaintText2ImUNet)
        if method == "trained" and not isinstance(self.net, InpaintText2ImUNet | SuperResInpaintText2ImUNet):
            raise InpaintingError(f"{self.name} was not trained to inpaint; use replace_x0 or replace_x_t.")
        if enlarges != (low_res is not None):
            needs = "needs the low-resolution picture `low_res`" if enlarges else "takes no low-resolution picture"
            raise InpaintingError(f"{self.name} {needs}.")
        shown = {"image": known.image, "mask": known.keep} if method == "trained" else {}
        return shown if low_res is None else {**shown, "low_res": _checked_low_res(low_res, known).to(self.device)}


def load_inpainter(folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Inpainter:
    """The inpainting model in `folder`. Raises WeightsError, as `load_text_model`."""
    return load_text_model(folder, Inpainter, "inpaint", device=device, dtype=dtype)


def _finished(records: Iterator[StepRecord], known: Known, renoised: _Renoised | None) -> Iterator[StepRecord]:
    """The records, with x_t as the network saw it, and with the known pixels exact at the end.

    Guidance by gradients goes from x0 to eps and back, which costs known pixels their last bits.
    """
    for record in records:
        if renoised is not None:
            record = replace(record, x_t=renoised(record.x_t, record.t))
        if record.index == record.total - 1:
            record = replace(record, x=known.put_back(record.x), x0=known.put_back(record.x0))
        yield record


def _hard(mask: Tensor, size: int, batch: int) -> Tensor:
    """The mask [B or 1, 1, size, size] bool. Raises InpaintingError unless it is hard and fits."""
    side = mask.shape[-1] if mask.ndim == 4 else 0
    fits = mask.ndim == 4 and len(mask) in (1, batch) and mask.shape[1:] == (1, side, side)
    if not fits or not side or size % side:
        wanted = f"[{batch}, 1, {size}, {size}]"
        raise InpaintingError(f"The mask must be {wanted}, or smaller by a whole factor, not {list(mask.shape)}.")
    if not ((mask == 0) | (mask == 1)).all():
        raise InpaintingError("The mask must be hard: 1 where a pixel is kept, 0 where it is drawn; round a soft one.")
    return F.interpolate(mask.float(), (size, size), mode="nearest").bool()


def _checked_low_res(low_res: Tensor, known: Known) -> Tensor:
    batch = len(known.keep)
    if low_res.ndim != 4 or low_res.shape[:2] != (batch, 3) or not low_res.isfinite().all():
        wanted = f"[{batch}, 3, h, w] finite numbers"
        raise InpaintingError(f"The low-resolution pictures must be {wanted}, not {list(low_res.shape)}.")
    return eight_bit(low_res.float())
