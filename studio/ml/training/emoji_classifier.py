"""Training task of the noise-aware classifier of emoji scenes: p(noun | x_t, t)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.data import scenes
from studio.ml.diffusion.classifier import ClassifierConfig, EncoderUNet
from studio.ml.diffusion.noise import noised
from studio.ml.diffusion.schedule import Schedule
from studio.ml.evaluation.oracle import as_pixels, as_tensor
from studio.ml.training.export import EMOJI_LICENCE, write_model
from studio.ml.training.task import Batch

PREVIEW_STEPS, PREVIEW_SCENES = (0, 250, 500, 750), 12
_RED = np.array([255, 0, 0], dtype=np.uint8)


class EmojiClassifier:
    """Learn which noun a noised scene shows, at every step of the diffusion.

    `network` is the shape of the encoder, without image size and number of classes. `vocabulary` must mix only kinds
    of scene that show one noun. A tenth of the pictures is clean (t = 0), the rest has t uniform, as for a diffusion
    model.
    """

    name = "emoji-classifier"
    schedule_name = "squaredcos_cap_v2"
    clean = 0.1

    def __init__(
        self, pixels: int, vocabulary: scenes.Vocabulary, network: Mapping[str, Any], *, seed: int = 2000
    ) -> None:
        self.pixels, self.vocabulary, self.seed = pixels, vocabulary, seed
        self.schedule = Schedule.named(self.schedule_name)
        size = {"image_size": pixels, "out_channels": len(vocabulary.nouns)}
        self.config = ClassifierConfig.model_validate({**network, **size})

    def build(self) -> EncoderUNet:
        return EncoderUNet(self.config)

    def sample(self, index: int) -> dict[str, Tensor]:
        """x_t [3, H, W], t, and the index of the noun."""
        rng = np.random.default_rng((self.seed, index))
        scene = scenes.draw(rng, self.vocabulary)
        t = 0 if rng.random() < self.clean else int(rng.integers(self.schedule.T))
        return {
            "x": self._noised(scene, t, rng),
            "t": torch.tensor(t),
            "noun": torch.tensor(self.vocabulary.nouns.index(scene.objects[0].noun)),
        }

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy, and the shares of right answers: of all pictures, and of those of the less noisy half."""
        logits = network(batch["x"].contiguous(memory_format=torch.channels_last), batch["t"]).float()
        right = (logits.argmax(dim=1) == batch["noun"]).float()
        early = batch["t"] < self.schedule.T // 2
        shares = {"right": right.mean(), "right_early": right[early].mean() if early.any() else right.mean()}
        return F.cross_entropy(logits, batch["noun"]), shares

    @torch.no_grad()
    def preview(self, network: nn.Module) -> NDArray[np.uint8]:
        """One row for each of four steps: the same scenes noised, those named wrongly framed in red."""
        rng = np.random.default_rng(1)
        drawn = [scenes.draw(rng, self.vocabulary, held=None) for _ in range(PREVIEW_SCENES)]
        nouns = torch.tensor([self.vocabulary.nouns.index(scene.objects[0].noun) for scene in drawn])
        device = next(network.parameters()).device
        rows = []
        for t in PREVIEW_STEPS:
            x = torch.stack([self._noised(scene, t, rng) for scene in drawn])
            named = network(x.to(device), torch.full((len(x),), t, device=device)).argmax(dim=1).cpu()
            pictures = as_pixels(x)
            wrong = (named != nouns).numpy()
            pictures[wrong, :, ::self.pixels - 1] = pictures[wrong, ::self.pixels - 1] = _RED
            rows.append(np.concatenate(list(pictures), axis=1))
        return np.concatenate(rows, axis=0)

    def export(self, network: nn.Module, folder: Path, facts: Mapping[str, str]) -> None:
        config = {
            "kind": "classifier",
            "name": self.name,
            "image_size": self.pixels,
            "schedule": self.schedule_name,
            "steps": self.schedule.T,
            "classes": self.vocabulary.nouns,
            "network": self.config.model_dump(),
            "vocabulary": {"nouns": self.vocabulary.nouns, "backgrounds": self.vocabulary.backgrounds},
        }
        about = {"What it is": self._about(), "Data": self._data(), **facts, "Licence": EMOJI_LICENCE}
        write_model(folder, network, config, about)

    def _about(self) -> str:
        return (
            f"A noise-aware classifier p(noun | x_t, t) of {self.pixels}x{self.pixels} emoji scenes: the descending "
            "half of an ADM U-Net with attention pooling, as guided-diffusion's. It tells which of its nouns a picture "
            f"shows at any step of the `{self.schedule_name}` schedule; its gradient guides image models of the same "
            "size and schedule."
        )

    def _data(self) -> str:
        return (
            "Endless rendered scenes (`studio.ml.data.scenes`) of one noun, in the proportions "
            f"{dict(self.vocabulary.mix)}, on {len(self.vocabulary.backgrounds)} backgrounds; combinations held out "
            f"from the image models are held out here too. {self.clean:.0%} of the pictures are clean, the rest are "
            "noised to a step drawn uniformly.\n\n"
            f"Classes: {', '.join(self.vocabulary.nouns)}."
        )

    def _noised(self, scene: scenes.Scene, t: int, rng: np.random.Generator) -> Tensor:
        """The rendered scene at step t, [3, H, W]."""
        x0 = as_tensor(scenes.render(scene, self.pixels)[None])[0]
        noise = torch.from_numpy(rng.standard_normal(tuple(x0.shape), dtype=np.float32))
        return noised(x0, noise, self.schedule, t)
