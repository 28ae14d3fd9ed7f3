"""Training tasks over emoji scenes: the text-to-image base model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.data import captions, scenes
from studio.ml.diffusion.denoiser import TextDenoiser, Velocity
from studio.ml.diffusion.guidance import ClassifierFree
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.sampler import dpmpp_2m
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.unet import Text2ImUNet, TextTokens, split_config
from studio.ml.diffusion.words import WordTokenizer
from studio.ml.training.diffusion_loss import HybridLoss
from studio.ml.training.export import EMOJI_LICENCE, write_model
from studio.ml.training.task import Batch

PREVIEW_STEPS, PREVIEW_SCALE = 15, 3.0


class EmojiBase:
    """Learn p(picture | caption) of emoji scenes; a fifth of the captions is dropped, so the same network is unconditional too.

    `network` is the flat configuration of the U-Net and its text transformer, without the size of the vocabulary.
    The first `layout_pictures` pictures are drawn with the mix `layout` and weigh the noisiest steps fully, which teaches backgrounds
    and places; the rest follow the vocabulary's own mix with min-SNR weights, which teach the objects.
    """

    name = "emoji-base"
    kind = "text2im"
    schedule_name = "squaredcos_cap_v2"
    drop_caption = 0.2

    def __init__(
        self,
        pixels: int,
        vocabulary: scenes.Vocabulary,
        network: Mapping[str, Any],
        *,
        layout: Mapping[scenes.Kind, float] | None = None,
        layout_pictures: int = 0,
        seed: int = 0,
    ) -> None:
        self.pixels, self.vocabulary, self.seed = pixels, vocabulary, seed
        self.layout = scenes.Vocabulary(vocabulary.nouns, vocabulary.backgrounds, dict(layout or vocabulary.mix))
        self.layout_pictures = layout_pictures
        self.tokenizer = WordTokenizer(captions.words(vocabulary), captions.phrases(vocabulary))
        self.network = {**network, "n_vocab": self.tokenizer.size}
        self.schedule = Schedule.named(self.schedule_name)
        self.layout_objective = HybridLoss(self.schedule, floor=1.0)
        self.objective = HybridLoss(self.schedule)

    def build(self) -> Text2ImUNet:
        return Text2ImUNet(*split_config(self.network))

    def sample(self, index: int) -> dict[str, Tensor]:
        """image [3, H, W] in [-1, 1], tokens and mask [L], t, noise [3, H, W], layout: which of the two phases it belongs to."""
        rng = np.random.default_rng((self.seed, index))
        scene = self.scene(index, rng)
        text = captions.caption(scene, rng)
        image = scenes.render(scene, self.pixels).astype(np.float32) / 127.5 - 1
        tokens, mask = self._encode("" if rng.random() < self.drop_caption else text)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
            "tokens": tokens,
            "mask": mask,
            "t": torch.tensor(rng.integers(self.schedule.T)),
            "noise": torch.from_numpy(rng.standard_normal((3, self.pixels, self.pixels), dtype=np.float32)),
            "layout": torch.tensor(index < self.layout_pictures),
        }

    def scene(self, index: int, rng: np.random.Generator) -> scenes.Scene:
        """The index-th example's scene, the first thing its random numbers decide."""
        return scenes.draw(rng, self.layout if index < self.layout_pictures else self.vocabulary)

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        x0, t, noise = batch["image"], batch["t"], batch["noise"]
        x_t = self.objective.noised(x0, t, noise).contiguous(memory_format=torch.channels_last)
        # text is encoded inside the network's forward, or a wrapper that synchronises gradients would miss it
        output = network(x_t, t, TextTokens(batch["tokens"], batch["mask"]))
        objective = self.layout_objective if bool(batch["layout"][0]) else self.objective
        return objective(output, x0, x_t, t, noise)

    @torch.no_grad()
    def preview(self, network: nn.Module) -> NDArray[np.uint8]:
        """Two rows: what was asked (rendered), and what the network draws for the same captions."""
        assert isinstance(network, Text2ImUNet)
        rng = np.random.default_rng(1)
        kinds: tuple[scenes.Kind, ...] = (*("single",) * 6, *("relation",) * 4, "count", "trio")
        asked = [scenes.draw(rng, self.vocabulary, kind=kind, held=None) for kind in kinds]
        drawn = self._draw(network, [captions.plain_caption(scene) for scene in asked])
        rows = [np.concatenate([scenes.render(s, self.pixels) for s in asked], axis=1), np.concatenate(list(drawn), axis=1)]
        return np.concatenate(rows, axis=0)

    def export(self, network: nn.Module, folder: Path, facts: Mapping[str, str]) -> None:
        write_model(folder, network, self._config(), {"What it is": self._about(), "Data": self._data(), **facts, "Licence": EMOJI_LICENCE})

    def _config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "image_size": self.pixels,
            "schedule": self.schedule_name,
            "steps": self.schedule.T,
            "prediction": "v",
            "network": self.network,
            "tokenizer": {"type": "words", "words": self.tokenizer.words, "phrases": self.tokenizer.phrases},
            "vocabulary": {"nouns": self.vocabulary.nouns, "backgrounds": self.vocabulary.backgrounds},
        }

    def _about(self) -> str:
        return (
            f"A text-conditional diffusion model in GLIDE's architecture (ADM U-Net with concatenated text attention, learned-range "
            f"variance, v-prediction) that draws {self.pixels}x{self.pixels} scenes of emoji. {self.drop_caption:.0%} of the captions were empty in "
            f"training, so it draws unconditionally too and can be guided without a classifier. It knows {self.tokenizer.size - 1} words; "
            "anything else in a prompt is left out, and the studio says so."
        )

    def _data(self) -> str:
        one_in = scenes.HELD_OUT_ONE_IN
        first = f" (the first {self.layout_pictures:,}: {self.layout.mix})" if self.layout_pictures else ""
        return (
            f"Endless rendered scenes (`studio.ml.data.scenes`): {len(self.vocabulary.nouns)} nouns, {len(self.vocabulary.backgrounds)} "
            f"backgrounds, kinds in the proportions {dict(self.vocabulary.mix)}{first}. Sprites come from Noto Color Emoji. One combination in {one_in} "
            "(noun with background; noun, relation, noun) is held out and never seen in training.\n\n"
            f"Nouns: {', '.join(self.vocabulary.nouns)}.\n\nBackgrounds: {', '.join(self.vocabulary.backgrounds)}."
        )

    def _draw(self, network: Text2ImUNet, prompts: list[str]) -> NDArray[np.uint8]:
        device = next(network.parameters()).device

        def encode(texts: list[str]) -> Any:
            tokens, mask = (torch.stack(part).to(device) for part in zip(*map(self._encode, texts), strict=True))
            return network.encode_text(tokens, mask)

        texts = encode(prompts), encode([""] * len(prompts))
        model = ClassifierFree(PREVIEW_SCALE).of(TextDenoiser(network, *texts, velocity=Velocity(self.schedule, device)))
        start = NoiseSource(0, range(len(prompts)), device=device).initial((3, self.pixels, self.pixels))
        *_, last = dpmpp_2m(model, start, self.schedule.respace(f"logsnr{PREVIEW_STEPS}"))
        pixels = ((last.x0.clamp(-1, 1) + 1) * 127.5).round().byte()
        return pixels.permute(0, 2, 3, 1).cpu().numpy()

    def _encode(self, text: str) -> tuple[Tensor, Tensor]:
        tokens, mask = self.tokenizer.encode(text, int(self.network["text_ctx"]))
        return torch.tensor(tokens), torch.tensor(mask)
