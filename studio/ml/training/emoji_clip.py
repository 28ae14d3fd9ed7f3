"""Training task of emoji-clip: captions and pictures of emoji scenes, at every noise level, in one space.

Contrastive learning as in CLIP (Radford et al. 2021, arXiv 2103.00020, fig. 3) on noised pictures (Nichol et al. 2021,
arXiv 2112.10741, sec. 2.4).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.clip.model import ClipNetwork
from studio.ml.clip.text import TextConfig
from studio.ml.clip.tokenizer import EndedWords
from studio.ml.clip.vision import VisionConfig
from studio.ml.data import captions, scenes
from studio.ml.diffusion.blocks import timestep_embedding
from studio.ml.diffusion.noise import noised
from studio.ml.diffusion.schedule import Schedule
from studio.ml.evaluation.oracle import as_tensor
from studio.ml.training.export import EMOJI_LICENCE, write_model
from studio.ml.training.task import Batch

CONTEXT = 20
"""Tokens a caption may take, its end included; the longest has 16 (three objects of two words, and a background)."""
CLEAN_STEPS = 50
FIRST_SCALE, LARGEST_SCALE = 1 / 0.07, 100.0
PREVIEW_STEPS, PREVIEW_SCENES, PREVIEW_CELL = (0, 250, 500, 750), 32, 6


class Contrastive(nn.Module):
    """The network in training, with the temperature that the released layout has no room for."""

    def __init__(self, net: ClipNetwork) -> None:
        super().__init__()
        self.net = net
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    @property
    def scale(self) -> Tensor:
        """What turns cosines into logits: learned, never more than 100."""
        return self.log_scale.exp().clamp(max=LARGEST_SCALE)

    def forward(self, x: Tensor, t: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B, B]: pictures in rows, captions in columns."""
        return self.scale * self.net.embed_images(x, t) @ self.net.embed_texts(tokens, lengths).T


class EmojiClip:
    """Learn which caption of a batch belongs to which noised picture.

    `network` is the shape of the two encoders: patch_size, width, heads, embedding, layers of the picture's and
    text_layers of the text's. The first `free_pictures` examples are drawn freely; from then on every `family`
    neighbours show the same two nouns on the same background, so that their captions differ in size, number and order
    alone: among freely drawn captions the nouns give every picture away, and "left of" is never learned. A third of the
    pictures is nearly clean (t < CLEAN_STEPS), the rest has t uniform. Each of several processes contrasts the pictures
    of its own share of the batch.
    """

    name = "emoji-clip"
    schedule_name = "squaredcos_cap_v2"
    clean = 1 / 3
    family = 8
    family_mix: ClassVar[dict[scenes.Kind, float]] = {"single": 0.35, "count": 0.15, "relation": 0.5}

    def __init__(
        self,
        pixels: int,
        vocabulary: scenes.Vocabulary,
        network: Mapping[str, int],
        *,
        free_pictures: int,
        seed: int = 3000,
    ) -> None:
        self.pixels, self.vocabulary, self.free_pictures, self.seed = pixels, vocabulary, free_pictures, seed
        self.tokenizer = EndedWords(captions.words(vocabulary), captions.phrases(vocabulary))
        self.schedule = Schedule.named(self.schedule_name)
        shared = {key: network[key] for key in ("width", "heads", "embedding")}
        self.vision = VisionConfig(
            image_size=pixels,
            patch_size=network["patch_size"],
            layers=network["layers"],
            timesteps=self.schedule.T,
            **shared,
        )
        self.text = TextConfig(
            vocabulary=self.tokenizer.size, context=CONTEXT, layers=network["text_layers"], **shared
        )

    def build(self) -> Contrastive:
        """Steps start as sinusoids, so that neighbours are alike before any of them was seen often."""
        net = ClipNetwork(self.vision, self.text)
        steps = timestep_embedding(torch.arange(self.schedule.T), self.vision.width) * math.sqrt(2 / self.vision.width)
        net.image_encoder.load_state_dict({**net.image_encoder.state_dict(), "blocks.input.w_t": steps})
        return Contrastive(net)

    def sample(self, index: int) -> dict[str, Tensor]:
        """x_t [3, H, W], t, tokens [L] and how many are in use, and a checksum of what the caption means."""
        rng = np.random.default_rng((self.seed, index))
        scene = scenes.draw(rng, self._family(index))
        text = captions.caption(scene, rng)
        t = int(rng.integers(CLEAN_STEPS if rng.random() < self.clean else self.schedule.T))
        ids, used = self.tokenizer.encode(text, CONTEXT)
        return {
            "x": self._noised(scene, t, rng),
            "t": torch.tensor(t),
            "tokens": torch.tensor(ids),
            "length": torch.tensor(sum(used)),
            "meaning": torch.tensor(zlib.crc32(meaning(scene).encode())),
        }

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Symmetric cross-entropy, and the share of pictures that find their caption: of all, and of the nearly clean.

        Another picture of the same meaning is no wrong answer, so it is left out.
        """
        logits = network(batch["x"], batch["t"], batch["tokens"], batch["length"]).float()
        own = torch.arange(len(logits), device=logits.device)
        alike = batch["meaning"][:, None] == batch["meaning"]
        logits = logits.masked_fill(alike & (own[:, None] != own), -torch.inf)
        right = (logits.argmax(dim=1) == own).float()
        clean = batch["t"] < CLEAN_STEPS
        shares = {"right": right.mean(), "right_clean": right[clean].mean() if clean.any() else right.mean()}
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2, shares

    @torch.no_grad()
    def preview(self, network: nn.Module) -> NDArray[np.uint8]:
        """For each of four steps, the cosines of pictures (rows) and captions (columns), black -1 to white 1."""
        assert isinstance(network, Contrastive)
        rng = np.random.default_rng(1)
        drawn = [scenes.draw(rng, self.vocabulary, held=None) for _ in range(PREVIEW_SCENES)]
        encoded = [self.tokenizer.encode(captions.plain_caption(scene), CONTEXT) for scene in drawn]
        device = next(network.parameters()).device
        tokens, used = (torch.tensor(part, device=device) for part in zip(*encoded, strict=True))
        texts = network.net.embed_texts(tokens, used.sum(dim=1))
        maps = []
        for t in PREVIEW_STEPS:
            x = torch.stack([self._noised(scene, t, rng) for scene in drawn]).to(device)
            cosines = network.net.embed_images(x, torch.full((len(x),), t, device=device)) @ texts.T
            maps.append(((cosines + 1) * 127.5).round().byte().cpu().numpy())
        picture = np.concatenate(maps, axis=1).repeat(PREVIEW_CELL, axis=0).repeat(PREVIEW_CELL, axis=1)
        return np.stack([picture] * 3, axis=2)

    def export(self, network: nn.Module, folder: Path, facts: Mapping[str, str]) -> None:
        assert isinstance(network, Contrastive)
        config: dict[str, Any] = {
            "kind": "clip",
            "name": self.name,
            "image_size": self.pixels,
            "schedule": self.schedule_name,
            "steps": self.schedule.T,
            "logit_scale": round(network.scale.item(), 4),
            "vision": self.vision.model_dump(),
            "text": self.text.model_dump(),
            "tokenizer": {"type": "words", "words": self.tokenizer.words, "phrases": self.tokenizer.phrases},
            "vocabulary": {"nouns": self.vocabulary.nouns, "backgrounds": self.vocabulary.backgrounds},
        }
        about = {"What it is": self._about(), "Data": self._data(), **facts, "Licence": EMOJI_LICENCE}
        write_model(folder, network.net, config, about)

    def _about(self) -> str:
        return (
            f"A noise-aware CLIP in the layout of GLIDE's noised CLIP: it says how well a caption fits a "
            f"{self.pixels}x{self.pixels} picture at any step of the `{self.schedule_name}` schedule, and its gradient "
            f"guides image models of the same size and schedule. It knows {self.tokenizer.size - 1} words; anything "
            "else in a prompt is left out, and the studio says so."
        )

    def _data(self) -> str:
        return (
            f"Endless rendered scenes (`studio.ml.data.scenes`) and their captions: {len(self.vocabulary.nouns)} "
            f"nouns, {len(self.vocabulary.backgrounds)} backgrounds, kinds in the proportions "
            f"{dict(self.vocabulary.mix)}; combinations held out from the image models are held out here too. After "
            f"the first {self.free_pictures:,}, every {self.family} neighbouring examples show the same two nouns on "
            f"the same background, in the proportions {self.family_mix}. {self.clean:.0%} of the pictures have "
            f"t < {CLEAN_STEPS}, the rest t uniform in 0..{self.schedule.T - 1}."
        )

    def _family(self, index: int) -> scenes.Vocabulary:
        """What the index-th example is drawn from."""
        if index < self.free_pictures:
            return self.vocabulary
        rng = np.random.default_rng((self.seed, index // self.family, 1))
        nouns = rng.choice(self.vocabulary.nouns, 2, replace=False)
        background = rng.choice(self.vocabulary.backgrounds)
        return scenes.Vocabulary(tuple(nouns.tolist()), (str(background),), self.family_mix)

    def _noised(self, scene: scenes.Scene, t: int, rng: np.random.Generator) -> Tensor:
        """The rendered scene at step t, [3, H, W]."""
        x0 = as_tensor(scenes.render(scene, self.pixels)[None])[0]
        noise = torch.from_numpy(rng.standard_normal(tuple(x0.shape), dtype=np.float32))
        return noised(x0, noise, self.schedule, t)


def meaning(scene: scenes.Scene) -> str:
    """The same words for scenes that the same captions describe: "a right of b" is "b left of a"."""
    nouns, relation = [placed.noun for placed in scene.objects], scene.relation
    if relation is None:
        nouns.sort()
    elif relation in ("right of", "below"):
        nouns.reverse()
        relation = "left of" if relation == "right of" else "above"
    return "|".join([scene.background, scene.size, relation or "", *nouns])
