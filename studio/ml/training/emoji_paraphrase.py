"""Training task of the encoder-decoder that tells a caption from the other side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.data import captions
from studio.ml.data.scenes import Vocabulary
from studio.ml.language import other_side
from studio.ml.language.encoder_decoder import EncoderDecoderConfig, EncoderDecoderModel, EncoderDecoderNetwork
from studio.ml.language.tokenizer import PADDING, TextTokenizer
from studio.ml.training.emoji_captions import TEXT_LICENCE, filled, printed, shortened
from studio.ml.training.export import write_model
from studio.ml.training.task import Batch

PREVIEW_TEXTS = 6


class EmojiParaphrase:
    """Learn to rewrite captions (`studio.ml.language.other_side`).

    `network` is the shape of the network, without the number of ids.
    """

    name = "emoji-paraphrase"

    def __init__(self, vocabulary: Vocabulary, network: Mapping[str, Any], *, seed: int = 8000) -> None:
        self.vocabulary, self.seed = vocabulary, seed
        self.tokenizer = TextTokenizer(other_side.words(vocabulary), captions.phrases(vocabulary))
        self.config = EncoderDecoderConfig.model_validate({**network, "vocabulary": self.tokenizer.size})

    def build(self) -> EncoderDecoderNetwork:
        return EncoderDecoderNetwork(self.config)

    def sample(self, index: int) -> dict[str, Tensor]:
        """source [length], ended, and target [length], between start and end token; both filled up."""
        here, there = other_side.told_twice(np.random.default_rng((self.seed, index)), self.vocabulary)
        source, target = self.tokenizer.encode(here, start=False, end=True), self.tokenizer.encode(there, end=True)
        return {"source": filled(source.ids, self.config.length), "target": filled(target.ids, self.config.length)}

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean cross-entropy of the target's words and end, in nats a token; share of targets right in every token."""
        target = shortened(batch["target"])
        logits = network(shortened(batch["source"]), target[:, :-1]).float()
        wanted = target[:, 1:]
        right = ((logits.argmax(dim=-1) == wanted) | (wanted == PADDING)).all(dim=1).float().mean()
        return F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=PADDING), {"right": right}

    @torch.no_grad()
    def preview(self, network: nn.Module) -> NDArray[np.uint8]:
        """Captions, and what it makes of each."""
        assert isinstance(network, EncoderDecoderNetwork)
        model = EncoderDecoderModel(self.name, network, self.tokenizer)
        rng = np.random.default_rng(1)
        asked = [other_side.told_twice(rng, self.vocabulary, held=None)[0] for _ in range(PREVIEW_TEXTS)]
        return printed([line for text in asked for line in (text, f"    {model.rewritten(text)}")])

    def export(self, network: nn.Module, folder: Path, facts: Mapping[str, str]) -> None:
        config = {
            "kind": "encoder-decoder",
            "name": self.name,
            "network": self.config.model_dump(),
            "tokenizer": {"words": self.tokenizer.words, "phrases": self.tokenizer.phrases},
            "vocabulary": {"nouns": self.vocabulary.nouns, "backgrounds": self.vocabulary.backgrounds},
            "mix": self.vocabulary.mix,
        }
        about = {"What it is": self._about(), "Data": self._data(), **facts, "Licence": TEXT_LICENCE}
        write_model(folder, network, config, about)

    def _about(self) -> str:
        encoder, decoder = self.config.encoder, self.config.decoder
        return (
            "A small encoder-decoder transformer that tells a caption of an emoji scene from the other side: “a cat "
            "left of a red apple on a blue background.” becomes “on a blue background, a red apple right of a cat.” "
            f"The order of the words turns around, so its cross-attention can be read. {encoder.layers} layers of "
            f"encoder and {decoder.layers} of decoder, {decoder.heads} heads, width {decoder.width}, sinusoidal "
            f"places, up to {self.config.length} tokens on either side. It knows {len(self.tokenizer.words)} words "
            "and marks."
        )

    def _data(self) -> str:
        rng = np.random.default_rng(11)
        pairs = [other_side.told_twice(rng, self.vocabulary) for _ in range(3)]
        return (
            "Endless pairs made by rules (`studio.ml.language.other_side`) of one or two scenes; "
            f"{len(self.vocabulary.nouns)} nouns, {len(self.vocabulary.backgrounds)} backgrounds, kinds of scene in "
            f"the proportions {dict(self.vocabulary.mix)}. Combinations held out from the image models are held out "
            "here too. Examples:\n\n"
            + "\n".join(f"- {here} → {there}" for here, there in pairs)
        )
