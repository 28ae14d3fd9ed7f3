"""A causal language model: p(next word | words so far), in the shape of GPT-2 with the head tied to the embedding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from studio.ml.diffusion.model_folder import BadModelFolder, parse_config, weight_files
from studio.ml.diffusion.weights import load_into, made_on, sha256_of
from studio.ml.language.tokenizer import END, TextConfig, TextTokenizer
from studio.ml.language.writing import Pick, TextTooLong, likeliest
from studio.ml.nn.layers import LayerCache, TransformerConfig
from studio.ml.nn.positions import LearnedPositions, gaussian
from studio.ml.nn.stacks import Causal, new_cache, read


class CausalConfig(BaseModel):
    """Shape of a causal model: most tokens it reads, number of ids, and its layers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: int = Field(ge=1)
    vocabulary: int = Field(ge=1)
    transformer: TransformerConfig


class CausalNetwork(nn.Module):
    """ids [B, T] -> logits of each next token [B, T, V]. With a cache, ids are those that follow what was read.

    Raises TextTooLong when they have no room.
    """

    def __init__(self, config: CausalConfig) -> None:
        super().__init__()
        self.config = config
        width = config.transformer.width
        self.embedding = gaussian(config.vocabulary, width, std=width**-0.5)
        self.places = LearnedPositions(config.length, width, std=width**-0.5)
        self.layers = Causal(config.transformer)

    def forward(self, ids: Tensor, cache: Sequence[LayerCache] | None = None) -> Tensor:
        before, count = read(cache), ids.shape[1]
        if before + count > self.config.length:
            raise TextTooLong(f"{before + count} tokens are more than the {self.config.length} this model reads")
        x = self.embedding[ids] + self.places(count, before)
        encoded: Tensor = self.layers(x, cache)
        return encoded @ self.embedding.T


class CausalModelConfig(BaseModel):
    """config.json of a causal model; `network` is its `CausalConfig`, the rest is for people."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: Literal["causal"]
    name: str
    tokenizer: TextConfig
    network: dict[str, Any]


class CausalModel:
    """A causal network with its tokenizer."""

    def __init__(self, name: str, net: CausalNetwork, tokenizer: TextTokenizer, *, sha256: str = "") -> None:
        self.name, self.net, self.tokenizer, self.sha256 = name, net, tokenizer, sha256
        self.length = net.config.length

    @property
    def device(self) -> torch.device:
        return self.net.embedding.device

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(parameter.nbytes for parameter in self.net.parameters())

    @torch.no_grad()
    def writing(
        self, ids: Sequence[int], pick: Pick = likeliest, cache: list[LayerCache] | None = None
    ) -> Iterator[tuple[int, Tensor]]:
        """Write on after `ids` (at least one): each next token and the logits [V] it was picked from, to the end token.

        Only the new token is computed each time: `cache` remembers the rest, and may be looked at. Stops where the
        model can read no further. Raises TextTooLong when `ids` have no room.
        """
        cache = new_cache(self.net.config.transformer.layers) if cache is None else cache
        new = list(ids)
        while read(cache) + len(new) <= self.length or read(cache) == 0:
            logits = self.net(torch.tensor([new], device=self.device), cache)[0, -1].float()
            new = [pick(logits)]
            yield new[0], logits
            if new[0] == END:
                return

    def written(self, text: str, pick: Pick = likeliest) -> str:
        """The text with what the model adds to it, to the end."""
        ids = list(self.tokenizer.encode(text).ids)
        return self.tokenizer.decode([*ids, *(token for token, _ in self.writing(ids, pick))])


def load_causal(folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> CausalModel:
    """The causal model in `folder` (config.json, model*.safetensors), every tensor's name and shape checked.

    Raises BadModelFolder, CorruptWeights, WrongWeights or NotEnoughMemory (all WeightsError).
    """
    config = parse_config(folder, CausalModelConfig)
    try:
        tokenizer = config.tokenizer.tokenizer()
        shape = CausalConfig.model_validate(config.network)
        with made_on("meta"):
            net = CausalNetwork(shape)
    except (ValidationError, ValueError, TypeError, RuntimeError) as error:
        raise BadModelFolder(f"config.json in {folder} describes no network that can be built: {error}") from error
    if tokenizer.size != shape.vocabulary:
        text = f"config.json in {folder} has {tokenizer.size} tokens for a network of {shape.vocabulary}."
        raise BadModelFolder(text)
    files = weight_files(folder)
    load_into(net, files, device=device, dtype=dtype)
    net.eval().requires_grad_(False)
    return CausalModel(config.name, net, tokenizer, sha256=sha256_of(files))
