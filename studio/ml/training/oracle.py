"""Training task of the oracle that marks emoji scenes (see `studio.ml.evaluation.oracle`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.data import scenes
from studio.ml.evaluation.metrics import wilson_interval
from studio.ml.evaluation.oracle import STRIDE, Oracle, OracleConfig, as_tensor
from studio.ml.evaluation.reading import SEED, Readings, read_renders
from studio.ml.training.export import write_model
from studio.ml.training.task import Batch

CHECKED = 4000
_GRAIN = 0.06


class EmojiOracle:
    """Learn to read rendered scenes. A little grain is added to each, so that the finest noise does not decide."""

    name = "emoji-oracle"

    def __init__(self, pixels: int, vocabulary: scenes.Vocabulary, *, seed: int = SEED) -> None:
        self.vocabulary, self.seed = vocabulary, seed
        self.config = OracleConfig(pixels=pixels, nouns=vocabulary.nouns, backgrounds=vocabulary.backgrounds)

    def build(self) -> Oracle:
        return Oracle(self.config)

    def sample(self, index: int) -> dict[str, Tensor]:
        """image [3, H, W], heat [nouns, H/2, W/2] in 0..1 with 1 at each centre, side [1, H/2, W/2] (0 = unknown), background."""
        rng = np.random.default_rng((self.seed, index))
        scene = scenes.draw(rng, self.vocabulary, held=None)
        image = as_tensor(scenes.render(scene, self.config.pixels)[None])[0]
        grain = rng.standard_normal(tuple(image.shape), dtype=np.float32) * _GRAIN * rng.random()
        cells = self.config.pixels // STRIDE
        heat = np.zeros((len(self.config.nouns), cells, cells), dtype=np.float32)
        side = np.zeros((1, cells, cells), dtype=np.float32)
        grid = np.arange(cells)
        for placed in scene.objects:
            column, row = (min(cells - 1, int(v * cells)) for v in (placed.x, placed.y))
            spread = max(0.7, placed.side * cells / 8)
            bump = np.exp(-((grid[:, None] - row) ** 2 + (grid[None] - column) ** 2) / (2 * spread**2)).astype(np.float32)
            noun = self.config.nouns.index(placed.noun)
            heat[noun] = np.maximum(heat[noun], bump)
            side[0, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = placed.side
        background = self.config.backgrounds.index(scene.background)
        return {
            "image": image + torch.from_numpy(grain.astype(np.float32)),
            "heat": torch.from_numpy(heat),
            "side": torch.from_numpy(side),
            "background": torch.tensor(background),
        }

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Penalty-reduced focal loss of the heat maps (arXiv 1904.07850, eq. 1), L1 of the side, cross-entropy of the background."""
        out = network(batch["image"].contiguous(memory_format=torch.channels_last))
        logits, target = out.heat.float(), batch["heat"]
        p = logits.sigmoid()
        centre = target == 1
        hit = F.logsigmoid(logits) * (1 - p) ** 2
        miss = F.logsigmoid(-logits) * p**2 * (1 - target) ** 4
        objects = centre.sum().clamp(min=1)
        heat = -torch.where(centre, hit, miss).sum() / objects
        known = batch["side"] > 0
        side = (out.side.float() - batch["side"])[known].abs().mean()
        background = F.cross_entropy(out.background.float(), batch["background"])
        parts = {"heat": heat, "side": side, "background": background}
        return heat + side + background, {name: part.detach() for name, part in parts.items()}

    def preview(self, network: nn.Module) -> NDArray[np.uint8]:
        """Scenes the oracle reads wrongly (of 256), or the first eight if there are none."""
        found = self._check(network, 256)
        shown = found.pictures[found.wrong] if found.wrong.any() else found.pictures
        return np.concatenate(list(shown[:8]), axis=1)

    def export(self, network: nn.Module, folder: Path, facts: Mapping[str, str]) -> None:
        right = CHECKED - int(self._check(network, CHECKED).wrong.sum())
        low, high = wilson_interval(right, CHECKED)
        quality = (
            f"Reads {right / CHECKED:.2%} of {CHECKED} fresh rendered scenes without any mistake (nouns, number, relation, size, "
            f"background; 95 % interval {low:.2%} to {high:.2%})."
        )
        config = {"kind": "oracle", "name": self.name, "network": self.config.model_dump()}
        write_model(folder, network, config, {**facts, "Measured quality": quality})

    def _check(self, network: nn.Module, count: int) -> Readings:
        """How the network reads `count` fresh scenes."""
        assert isinstance(network, Oracle)
        return read_renders(network, self.vocabulary, count, self.seed)
