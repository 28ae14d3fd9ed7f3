"""Released networks that draw without a prompt, and opening any released network that draws by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from studio.ml.diffusion.checkpoint import open_checkpoint
from studio.ml.diffusion.denoiser import ClassDenoiser
from studio.ml.diffusion.glide import TextToImage, text2im_of
from studio.ml.diffusion.guidance import GradientFn, Scale, Unguided
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.sampler import Resume, StepRecord
from studio.ml.diffusion.sampling import Sampling, run
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.unet import UNet


class Unconditional:
    """Draws pictures from noise alone; its parts are named as those of TextToImage."""

    def __init__(self, name: str, net: UNet, schedule: Schedule, image_size: int, *, sha256: str = "") -> None:
        self.name, self.sha256 = name, sha256
        self.net, self.schedule, self.image_size = net, schedule, image_size

    @property
    def device(self) -> torch.device:
        return next(self.net.parameters()).device

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        scale: float | Scale | None = None,
        negative: str = "",
        sampling: Sampling = Sampling(),
        cond_fn: GradientFn | None = None,
        resume: Resume | None = None,
        max_batch: int | None = None,
    ) -> Iterator[StepRecord]:
        """Step records of one batch, picture i from seeds[i]; the last `x` are the pictures, in [-1, 1].

        Called as `TextToImage.sample` is, with its errors; prompts, negative, scale and max_batch change nothing here.
        """
        noise = NoiseSource.of_seeds(seeds, device=self.device)
        x = noise.initial((3, self.image_size, self.image_size))
        model = Unguided().of(ClassDenoiser(self.net))
        visited = sampling.schedule(self.schedule)
        return run(model, x, visited, noise, sampling, cond_fn=cond_fn, resume=resume)


def load_released(
    path: Path, cache: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> TextToImage | Unconditional:
    """A released network that draws by itself: a GLIDE base model, or an ADM U-Net without classes.

    Raises what `load_released_text2im` raises; a WeightsError says why another network cannot draw by itself.
    """
    checkpoint = open_checkpoint(path, cache)
    network = checkpoint.network
    if network.kind != "adm" or network.config.num_classes is not None:
        return text2im_of(checkpoint, path, device=device, dtype=dtype)
    net = checkpoint.load(device=device, dtype=dtype)
    schedule = Schedule.named(network.schedule)
    return Unconditional(network.title, net, schedule, network.image_size, sha256=checkpoint.sha256)
