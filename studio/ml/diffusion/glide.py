"""Text to picture, from a model folder or a released checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from studio.ml.diffusion.checkpoint import Checkpoint, open_checkpoint
from studio.ml.diffusion.guidance import ClassifierFree, GradientFn, GuidedModel, Scale, Unguided
from studio.ml.diffusion.model_folder import load_text_model
from studio.ml.diffusion.released_text import text_model_of
from studio.ml.diffusion.sampler import Resume, StepRecord
from studio.ml.diffusion.sampling import Sampling, run
from studio.ml.diffusion.text_model import TextModel


class TextToImage(TextModel):
    """Draws pictures from prompts."""

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        scale: float | Scale | None = 3.0,
        negative: str = "",
        sampling: Sampling = Sampling(),
        cond_fn: GradientFn | None = None,
        resume: Resume | None = None,
        max_batch: int | None = None,
        skip_unused: bool = False,
    ) -> Iterator[StepRecord]:
        """Step records of one batch, picture i from prompts[i] and seeds[i]; the last `x` are the pictures, in [-1, 1].

        An empty prompt is unconditional. scale: eps_u + scale (eps_c - eps_u), u being the `negative` prompt; None
        computes eps_c alone. cond_fn: gradients that guide besides (`gradients.together`). resume: go on after a step
        of a run with the same seeds and sampling. max_batch: largest batch the network is given; guidance doubles it.
        skip_unused: leave eps_u out of steps where a scale that changes is 1, which costs its part in their records.
        Everything is checked before this returns; raises ValueError (also its kinds ScheduleError and NoiseKeyError).
        """
        noise = self.noise(prompts, seeds)
        visited = sampling.schedule(self.schedule)
        guidance = None if scale is None else ClassifierFree(
            scale, T=self.schedule.T, max_batch=max_batch, skip_unused=skip_unused
        )
        denoiser = self.denoiser(prompts, negative=negative)
        model: GuidedModel = Unguided().of(denoiser) if guidance is None else guidance.of(denoiser)
        x = noise.initial((3, self.image_size, self.image_size))
        return run(model, x, visited, noise, sampling, cond_fn=cond_fn, resume=resume)


def load_text2im(folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> TextToImage:
    """The text-to-image model in `folder`. Raises WeightsError, as `load_text_model`."""
    return load_text_model(folder, TextToImage, "text2im", device=device, dtype=dtype)


def load_released_text2im(
    path: Path, cache: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> TextToImage:
    """A released GLIDE base checkpoint (plain, or inpainting: with nothing known it draws from text alone).

    GPT-2's vocabulary must lie beside it. Raises what `open_checkpoint`, `load_bpe` and `load_into` raise, or
    WeightsError where the checkpoint is another network.
    """
    return text2im_of(open_checkpoint(path, cache), path, device=device, dtype=dtype)


def text2im_of(
    checkpoint: Checkpoint, path: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> TextToImage:
    """As `load_released_text2im`, from a checkpoint already opened; `path` is what messages call it."""
    instead = "which does not draw from text alone; open a 64x64 GLIDE base model."
    return text_model_of(checkpoint, path, TextToImage, ("text2im", "inpaint"), instead, device=device, dtype=dtype)
