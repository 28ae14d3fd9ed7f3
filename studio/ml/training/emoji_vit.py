"""Training task of the vision transformer that names the object of an emoji scene."""

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
from studio.ml.evaluation.oracle import as_pixels, as_tensor
from studio.ml.training.export import EMOJI_LICENCE, write_model
from studio.ml.training.task import Batch
from studio.ml.vision.vit import VisionTransformer, VitConfig

PREVIEW_ROWS, PREVIEW_COLUMNS = 4, 12
_RED = np.array([255, 0, 0], dtype=np.uint8)
_POSITIONS = {
    "1d": "a learned vector for each place in the row of patches (1-D)",
    "2d": "half a vector for the column and half a vector for the row of a patch (2-D)",
}


class EmojiVit:
    """Learn which noun a clean scene shows.

    `network` is the shape of the transformer, without image size and number of classes. `vocabulary` must mix only
    kinds of scene that show one noun. The samples depend on the seed alone, so variants of the network see the same
    pictures.
    """

    def __init__(
        self, name: str, pixels: int, vocabulary: scenes.Vocabulary, network: Mapping[str, Any], *, seed: int = 6000
    ) -> None:
        self.name, self.pixels, self.vocabulary, self.seed = name, pixels, vocabulary, seed
        size = {"image_size": pixels, "classes": len(vocabulary.nouns)}
        self.config = VitConfig.model_validate({**network, **size})

    def build(self) -> VisionTransformer:
        return VisionTransformer(self.config)

    def sample(self, index: int) -> dict[str, Tensor]:
        """x [3, H, W] in [-1, 1], and the index of the noun."""
        scene = scenes.draw(np.random.default_rng((self.seed, index)), self.vocabulary)
        return {"x": self._seen([scene])[0], "noun": torch.tensor(self._noun(scene))}

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy, and the share of right answers."""
        logits = network(batch["x"]).float()
        return F.cross_entropy(logits, batch["noun"]), {"right": (logits.argmax(dim=1) == batch["noun"]).float().mean()}

    @torch.no_grad()
    def preview(self, network: nn.Module) -> NDArray[np.uint8]:
        """Fresh scenes, those named wrongly framed in red."""
        rng = np.random.default_rng(1)
        drawn = [scenes.draw(rng, self.vocabulary, held=None) for _ in range(PREVIEW_ROWS * PREVIEW_COLUMNS)]
        x = self._seen(drawn)
        named = network(x.to(next(network.parameters()).device)).argmax(dim=1).cpu()
        pictures = as_pixels(x)
        wrong = np.array([int(there) != self._noun(scene) for there, scene in zip(named, drawn, strict=True)])
        pictures[wrong, :, :: self.pixels - 1] = pictures[wrong, :: self.pixels - 1] = _RED
        rows = [np.concatenate(list(row), axis=1) for row in np.split(pictures, PREVIEW_ROWS)]
        return np.concatenate(rows, axis=0)

    def export(self, network: nn.Module, folder: Path, facts: Mapping[str, str]) -> None:
        config = {
            "kind": "vision",
            "name": self.name,
            "image_size": self.pixels,
            "classes": self.vocabulary.nouns,
            "network": self.config.model_dump(),
            "vocabulary": {"nouns": self.vocabulary.nouns, "backgrounds": self.vocabulary.backgrounds},
        }
        about = {"What it is": self._about(), "Data": self._data(), **facts, "Licence": EMOJI_LICENCE}
        write_model(folder, network, config, about)

    def _about(self) -> str:
        shape = self.config.transformer
        return (
            f"A vision transformer that names the object of {self.pixels}x{self.pixels} emoji scenes: "
            f"{self.config.side**2} patches of {self.config.patch_size}x{self.config.patch_size} pixels and a class "
            f"token, {shape.layers} layers of {shape.heads} heads, width {shape.width}. Places are "
            f"{_POSITIONS[self.config.positions]}."
        )

    def _data(self) -> str:
        return (
            "Endless rendered scenes (`studio.ml.data.scenes`) of one noun, in the proportions "
            f"{dict(self.vocabulary.mix)}, on {len(self.vocabulary.backgrounds)} backgrounds; combinations of noun and "
            "background held out from the image models are held out here too.\n\n"
            f"Classes: {', '.join(self.vocabulary.nouns)}."
        )

    def _seen(self, drawn: list[scenes.Scene]) -> Tensor:
        """The rendered scenes as the network sees them, [B, 3, H, W] in [-1, 1]."""
        return as_tensor(np.stack([scenes.render(scene, self.pixels) for scene in drawn]))

    def _noun(self, scene: scenes.Scene) -> int:
        return self.vocabulary.nouns.index(scene.objects[0].noun)
