"""Training task: GLIDE's up-sampling model over emoji scenes, 32 -> 128 pixels.

The network sees a quarter of each picture's area at a time. What it is shown as low-resolution picture is the average
of the large one, half of the time blurred and made noisy, so that it learns to repair what a base model draws
imperfectly (conditioning augmentation, Ho et al. 2021, arXiv 2106.15282, sec. 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.data import captions, scenes
from studio.ml.diffusion.sampling import Sampling
from studio.ml.diffusion.unet import SuperResText2ImUNet, TextTokens, split_config
from studio.ml.diffusion.upsampling import FACTOR, Upsampler, averaged, eight_bit
from studio.ml.evaluation.oracle import as_tensor
from studio.ml.training.diffusion_loss import HybridLoss
from studio.ml.training.emoji import EmojiBase
from studio.ml.training.task import Batch

GRID_SHARE = 0.5
"""Share of the scenes whose objects lie on the small picture's pixels, as a base model draws them."""
WORN_SHARE = 0.5
LARGEST_BLUR, LARGEST_NOISE = 0.6, 0.08
"""Standard deviations, each drawn evenly from 0 up to these: the blur's in small pixels, the noise's on [-1, 1]."""
PREVIEWED = 4


class EmojiUpsample(EmojiBase):
    """Learn p(picture | its small version, caption).

    `pixels` is the side of the whole picture, `crop` of the part that is trained on. Raises ValueError where they are
    no multiples of FACTOR.
    """

    name = "emoji-upsample"
    kind = "upsample"
    schedule_name = "linear"
    sampling = Sampling("ddim", steps=8)
    consistent = True

    def __init__(
        self,
        pixels: int,
        vocabulary: scenes.Vocabulary,
        network: Mapping[str, Any],
        *,
        crop: int = 64,
        seed: int = 2000,
    ) -> None:
        if pixels % FACTOR or crop % FACTOR or crop > pixels:
            raise ValueError(f"pictures ({pixels}) and crops ({crop}) must be multiples of {FACTOR}, crops no larger")
        super().__init__(pixels, vocabulary, {**network, "in_channels": 6}, seed=seed)
        self.crop = crop
        # plain v weights: at the noisiest steps the small picture already decides nearly everything
        self.objective = HybridLoss(self.schedule, floor=1.0)

    def build(self) -> SuperResText2ImUNet:
        return SuperResText2ImUNet(*split_config(self.network))

    def sample(self, index: int) -> dict[str, Tensor]:
        """image and noise [3, crop, crop], low_res [3, crop/4, crop/4], tokens and mask [L], t."""
        rng = np.random.default_rng((self.seed, index))
        scene = scenes.draw(rng, self.vocabulary)
        if rng.random() < GRID_SHARE:
            scene = scenes.on_grid(scene, self.pixels // FACTOR)
        tokens, mask = self._encode("" if rng.random() < self.drop_caption else captions.caption(scene, rng))
        image = as_tensor(scenes.render(scene, self.pixels)[None])
        low_res = averaged(image)
        if rng.random() < WORN_SHARE:
            low_res = worn(low_res, rng)
        left, top = self._corner(scene.objects[rng.integers(len(scene.objects))], rng)
        cut, small = self.crop, self.crop // FACTOR
        return {
            "image": image[0, :, FACTOR * top : FACTOR * top + cut, FACTOR * left : FACTOR * left + cut],
            "low_res": eight_bit(low_res)[0, :, top : top + small, left : left + small],
            "tokens": tokens,
            "mask": mask,
            "t": torch.tensor(rng.integers(self.schedule.T)),
            "noise": torch.from_numpy(rng.standard_normal((3, cut, cut), dtype=np.float32)),
        }

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        x0, t, noise = batch["image"], batch["t"], batch["noise"]
        x_t = self.objective.noised(x0, t, noise).contiguous(memory_format=torch.channels_last)
        output = network(x_t, t, TextTokens(batch["tokens"], batch["mask"]), low_res=batch["low_res"])
        return self.objective(output, x0, x_t, t, noise)

    @torch.no_grad()
    def preview(self, network: nn.Module) -> NDArray[np.uint8]:
        """Four rows: small pictures, enlarged bicubically, enlarged by the network, and the truth."""
        assert isinstance(network, SuperResText2ImUNet)
        rng = np.random.default_rng(1)
        drawn = [scenes.draw(rng, self.vocabulary, held=None) for _ in range(PREVIEWED)]
        shown = [scenes.on_grid(scene, self.pixels // FACTOR) for scene in drawn]
        true = as_tensor(np.stack([scenes.render(scene, self.pixels) for scene in shown]))
        small = averaged(true)
        model = Upsampler(self.name, network, self.tokenizer, self.schedule, self.pixels, prediction="v")
        prompts = [captions.plain_caption(scene) for scene in shown]
        model.sampling, model.consistent = self.sampling, self.consistent
        *_, last = model.sample(small, prompts, range(PREVIEWED))
        enlarged = (F.interpolate(small, scale_factor=FACTOR, mode=mode) for mode in ("nearest", "bicubic"))
        rows = *enlarged, last.x.cpu(), true
        grid = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
        return ((eight_bit(grid) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()

    def _config(self) -> dict[str, Any]:
        return {**super()._config(), "sampling": asdict(self.sampling), "consistent": self.consistent}

    def _corner(self, placed: scenes.Placed, rng: np.random.Generator) -> tuple[int, int]:
        """Left and top of a crop, in small pixels: around some point of the object, as near as the edges allow."""
        small, crop = self.pixels // FACTOR, self.crop // FACTOR
        x, y = (v + placed.side * rng.uniform(-0.5, 0.5) for v in (placed.x, placed.y))
        left, top = (int(np.clip(round(v * small - crop / 2), 0, small - crop)) for v in (x, y))
        return left, top

    def _about(self) -> str:
        small = self.pixels // FACTOR
        return (
            "The up-sampling model of GLIDE: a text-conditional diffusion model (ADM U-Net with concatenated text "
            f"attention, learned-range variance, v-prediction) that sees a {small}x{small} picture of an emoji scene, "
            f"enlarged bilinearly, beside the noise, and draws it with {self.pixels}x{self.pixels} pixels. It was "
            f"trained on crops of {self.crop}x{self.crop} pixels and is used on whole pictures. "
            f"{self.drop_caption:.0%} of the captions were empty in training.\n\nUnlike GLIDE's, it is sampled so that "
            "every predicted picture averages down to the small one (`consistent` in config.json; the null-space step of DDNM, arXiv 2212.00490)."
        )

    def _data(self) -> str:
        return (
            f"{super()._data()}\n\nThe small picture is the average over {FACTOR}x{FACTOR} pixels, rounded to 8 bits; "
            f"{WORN_SHARE:.0%} are blurred (standard deviation up to {LARGEST_BLUR} small pixels) and noisy (up to "
            f"{LARGEST_NOISE}, on [-1, 1]) before that. In {GRID_SHARE:.0%} of the scenes the objects lie on whole "
            "small pixels, as in a base model's pictures."
        )


def worn(picture: Tensor, rng: np.random.Generator) -> Tensor:
    """The picture [B, C, h, w] slightly blurred (Gaussian over 3 x 3 pixels) and with Gaussian noise added."""
    spread = rng.uniform(1e-3, LARGEST_BLUR)
    bell = torch.exp(-torch.tensor([1.0, 0.0, 1.0]) / (2 * spread**2))
    kernel = torch.outer(bell, bell) / bell.sum() ** 2
    channels = picture.shape[1]
    framed = F.pad(picture, (1, 1, 1, 1), mode="replicate")
    blurred = F.conv2d(framed, kernel.expand(channels, 1, 3, 3), groups=channels)
    grain = torch.from_numpy(rng.standard_normal(tuple(picture.shape), dtype=np.float32))
    return blurred + rng.uniform(0, LARGEST_NOISE) * grain
