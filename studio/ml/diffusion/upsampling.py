"""Up-sampling: GLIDE's second stage, which enlarges a picture fourfold and draws the details it lacks.

Nichol et al. 2021 (arXiv 2112.10741, sec. 4); cascades of diffusion models: Ho et al. 2021 (arXiv 2106.15282).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from studio.ml.diffusion.checkpoint import Checkpoint
from studio.ml.diffusion.guidance import ClassifierFree, GradientFn, GuidedModel, Scale, Unguided
from studio.ml.diffusion.model_folder import ModelConfig, load_text_model, parse_config
from studio.ml.diffusion.released_text import text_model_of
from studio.ml.diffusion.sampler import Resume, StepRecord, X0Edit
from studio.ml.diffusion.sampling import Sampling, run
from studio.ml.diffusion.text_model import TextModel

FACTOR = 4
"""How many times wider the pictures become; the same in the released checkpoints and the bundled model."""
TEMPERATURE = 0.997
"""What GLIDE's authors multiply the first noise by: slightly less noise, slightly smoother pictures."""
_ROUNDING = 1e-3

Stage = Literal["base", "upsample"]


class UpsamplerConfig(ModelConfig):
    """config.json of an up-sampling model. consistent: as `Upsampler`."""

    consistent: bool = False


class Upsampler(TextModel):
    """Enlarges small pictures, guided by the prompt that describes them.

    sampling: how it visits its schedule unless told otherwise; GLIDE's 27 DDIM steps where the model says nothing.
    consistent: whether every predicted picture is held to average down to the small one (`null_space`).
    """

    sampling: Sampling = Sampling("ddim", respacing="fast27")
    consistent: bool = False
    noise_image = 1  # the small picture was made of image 0 of the same seed: its noise must not come again

    @property
    def low_res_size(self) -> int:
        """Pixels of the pictures it enlarges."""
        return self.image_size // FACTOR

    def sample(
        self,
        low_res: Tensor,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        scale: float | Scale | None = None,
        negative: str = "",
        sampling: Sampling | None = None,
        consistent: bool | None = None,
        temperature: float = TEMPERATURE,
        cond_fn: GradientFn | None = None,
        resume: Resume | None = None,
        max_batch: int | None = None,
    ) -> Iterator[StepRecord]:
        """Step records of one batch: low_res [B, 3, h, h] in [-1, 1] -> pictures [B, 3, 4h, 4h], the last `x`.

        low_res is rounded to 8 bits first, as every picture the network learned from. scale: classifier-free guidance
        (None, GLIDE's choice, computes eps_c alone). sampling, consistent: None is the model's own. The rest as
        `TextToImage.sample`. Everything is checked before this returns; raises ValueError.
        """
        self._check(low_res, len(prompts))
        sampling = self.sampling if sampling is None else sampling
        noise = self.noise(prompts, seeds)
        visited = sampling.schedule(self.schedule)
        small = eight_bit(low_res.to(self.device, torch.float32))
        edit = null_space(small) if (self.consistent if consistent is None else consistent) else None
        denoiser = self.denoiser(prompts, negative=negative, inputs={"low_res": small})
        guidance = None if scale is None else ClassifierFree(scale, T=self.schedule.T, max_batch=max_batch)
        model: GuidedModel = Unguided().of(denoiser) if guidance is None else guidance.of(denoiser)
        x = temperature * noise.initial((3, self.image_size, self.image_size))
        return run(model, x, visited, noise, sampling, cond_fn=cond_fn, edit_x0=edit, resume=resume)

    def _check(self, low_res: Tensor, count: int) -> None:
        size = self.low_res_size
        if low_res.ndim != 4 or tuple(low_res.shape[1:]) != (3, size, size):
            raise ValueError(
                f"“{self.name}” enlarges pictures of {size}x{size} pixels, [B, 3, {size}, {size}]; "
                f"it was given {list(low_res.shape)}."
            )
        if len(low_res) != count:
            raise ValueError(f"{len(low_res)} pictures and {count} prompts were given; each picture needs one of both.")
        if not low_res.isfinite().all():
            raise ValueError("The picture to enlarge holds values that are no numbers (NaN or infinite).")
        if low_res.abs().max() > 1 + _ROUNDING:
            low, high = low_res.aminmax()
            raise ValueError(f"A picture to enlarge must lie in [-1, 1]; this one reaches from {low:.3g} to {high:.3g}.")


def load_upsampler(folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Upsampler:
    """The up-sampling model in `folder`, with the sampling its config.json asks for. Raises WeightsError."""
    model = load_text_model(folder, Upsampler, "upsample", device=device, dtype=dtype)
    config = parse_config(folder, UpsamplerConfig)
    model.sampling, model.consistent = config.sampling or model.sampling, config.consistent
    return model


def upsampler_of(
    checkpoint: Checkpoint, path: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Upsampler:
    """GLIDE's released up-sampling model, opened by `open_checkpoint`; `path` is what messages call it.

    GPT-2's vocabulary must lie beside it. Raises WeightsError, and what `load_bpe` raises.
    """
    instead = "which does not enlarge pictures; open GLIDE's up-sampling model."
    return text_model_of(checkpoint, path, Upsampler, ("upsample",), instead, device=device, dtype=dtype)


@dataclass(frozen=True, eq=False)
class StageRecord:
    """A step of a cascade, and which of its stages made it."""

    stage: Stage
    step: StepRecord


def cascade(drawing: Iterator[StepRecord], enlarge: Callable[[Tensor], Iterator[StepRecord]]) -> Iterator[StageRecord]:
    """Draw small pictures, then enlarge them: the steps of both stages, one after the other.

    `drawing` is a text-to-image run; `enlarge` makes a run of an `Upsampler` of the small pictures [B, 3, h, h] in
    [-1, 1]: cascade(base.sample(prompts, seeds), lambda small: upsampler.sample(small, prompts, seeds)).
    """
    for step in drawing:
        yield StageRecord("base", step)
    for step in enlarge(step.x.clamp(-1, 1)):
        yield StageRecord("upsample", step)


def null_space(small: Tensor) -> X0Edit:
    """Hold predicted pictures x0 to average down to `small` [B, C, h, h]: x0 + A'(small - A x0).

    A averages, A' repeats each pixel, A A' = 1: only what A cannot see of x0 is left to the network (Wang et al. 2022,
    arXiv 2212.00490, eq. 13). Where `small` is the true picture's average, no x0 moves away from the true picture.
    """
    return lambda x0: x0 + F.interpolate(small - averaged(x0), scale_factor=FACTOR)


def eight_bit(picture: Tensor) -> Tensor:
    """[-1, 1] rounded to the 256 values a stored picture can have."""
    return ((picture.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def averaged(picture: Tensor, factor: int = FACTOR) -> Tensor:
    """Mean of every factor x factor pixels: [B, C, H, W] -> [B, C, H/factor, W/factor]; how low_res was made."""
    return F.avg_pool2d(picture, factor)
