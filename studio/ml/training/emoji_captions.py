"""Training task of the causal model that writes short stories about emoji scenes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor, nn

from studio.ml.data import captions
from studio.ml.data.scenes import Vocabulary
from studio.ml.language import stories
from studio.ml.language.causal import CausalConfig, CausalModel, CausalNetwork
from studio.ml.language.tokenizer import PADDING, TextTokenizer
from studio.ml.language.writing import sampled
from studio.ml.training.export import write_model
from studio.ml.training.task import Batch

TEXT_LICENCE = "Weights: MIT, as the studio. The texts are made by the studio's own rules."
"""What the cards of models trained on made texts say of their licence."""
PREVIEW_STORIES, _LINE = 6, 110


class EmojiCaptions:
    """Learn to predict the next word of stories (`studio.ml.language.stories`).

    `network` is the shape of the network, without the number of ids.
    """

    name = "emoji-captions"

    def __init__(self, vocabulary: Vocabulary, network: Mapping[str, Any], *, seed: int = 7000) -> None:
        self.vocabulary, self.seed = vocabulary, seed
        self.tokenizer = TextTokenizer(stories.words(vocabulary), captions.phrases(vocabulary))
        self.config = CausalConfig.model_validate({**network, "vocabulary": self.tokenizer.size})

    def build(self) -> CausalNetwork:
        return CausalNetwork(self.config)

    def sample(self, index: int) -> dict[str, Tensor]:
        """ids [length] of a story between start and end token, filled up."""
        story = stories.story(np.random.default_rng((self.seed, index)), self.vocabulary)
        return {"ids": filled(self.tokenizer.encode(story.text, end=True).ids, self.config.length)}

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean cross-entropy of the words and the end of each story, in nats a token."""
        ids = shortened(batch["ids"])
        logits = network(ids[:, :-1]).float()
        return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=PADDING), {}

    @torch.no_grad()
    def preview(self, network: nn.Module) -> NDArray[np.uint8]:
        """Stories it writes."""
        assert isinstance(network, CausalNetwork)
        model = CausalModel(self.name, network, self.tokenizer)
        return printed([model.written("", sampled(seed)) for seed in range(PREVIEW_STORIES)])

    def export(self, network: nn.Module, folder: Path, facts: Mapping[str, str]) -> None:
        config = {
            "kind": "causal",
            "name": self.name,
            "network": self.config.model_dump(),
            "tokenizer": {"words": self.tokenizer.words, "phrases": self.tokenizer.phrases},
            "vocabulary": {"nouns": self.vocabulary.nouns, "backgrounds": self.vocabulary.backgrounds},
            "mix": self.vocabulary.mix,
        }
        about = {"What it is": self._about(), "Data": self._data(), **facts, "Licence": TEXT_LICENCE}
        write_model(folder, network, config, about)

    def _about(self) -> str:
        shape = self.config.transformer
        return (
            "A causal language model in the shape of GPT-2 that writes and reads short stories about emoji scenes: "
            f"{shape.layers} layers of {shape.heads} heads, width {shape.width}, learned places for "
            f"{self.config.length} tokens. It knows {len(self.tokenizer.words)} words and marks; anything else in a "
            "text is left out, and the studio says so. It is there to be looked into: much of a story can only be "
            "told by looking back at what was said before."
        )

    def _data(self) -> str:
        rng = np.random.default_rng(11)
        examples = "\n".join(f"- {stories.story(rng, self.vocabulary).text}" for _ in range(4))
        return (
            "Endless stories made by rules (`studio.ml.language.stories`): one or two scenes, facts that follow from "
            f"them, half of the time told again; {stories.LISTS:.0%} list things and {stories.NONSENSE:.0%} say words "
            f"without sense, mostly twice. {len(self.vocabulary.nouns)} nouns, {len(self.vocabulary.backgrounds)} "
            f"backgrounds, kinds of scene in the proportions {dict(self.vocabulary.mix)}. Combinations held out from "
            f"the image models are held out here too. Examples:\n\n{examples}"
        )


def filled(ids: tuple[int, ...], length: int) -> Tensor:
    """ids filled up to `length`, [length]. Raises ValueError when there are more."""
    if len(ids) > length:
        raise ValueError(f"a text of {len(ids)} tokens has no room in {length}")
    return torch.tensor([*ids, *[PADDING] * (length - len(ids))])


def shortened(ids: Tensor) -> Tensor:
    """ids [B, L] without the end that only fills up all of them."""
    used = (ids != PADDING).any(dim=0)
    return ids[:, : int(used.sum())]


def printed(texts: list[str]) -> NDArray[np.uint8]:
    """Texts as a picture [H, W, 3], one below the other, long ones broken."""
    lines = [text[i : i + _LINE] for text in texts for i in range(0, max(1, len(text)), _LINE)]
    page = Image.new("RGB", (7 * _LINE, 14 * len(lines) + 8), "white")
    ImageDraw.Draw(page).multiline_text((4, 4), "\n".join(lines), fill="black")
    return np.asarray(page)
