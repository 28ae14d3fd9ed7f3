"""The transformer of the paper (Vaswani et al. 2017, figure 1): reads one text, writes another.

One embedding serves both texts and the head (section 3.4), places are sinusoids, norms stand before the branches.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from studio.ml.diffusion.model_folder import BadModelFolder, parse_config, weight_files
from studio.ml.diffusion.weights import load_into, made_on, sha256_of
from studio.ml.language.tokenizer import END, PADDING, START, TextConfig, TextTokenizer
from studio.ml.language.writing import Pick, TextTooLong, likeliest
from studio.ml.nn.attention import padding_mask
from studio.ml.nn.layers import LayerCache, TransformerConfig
from studio.ml.nn.positions import gaussian, sinusoidal
from studio.ml.nn.stacks import EncoderDecoder, new_cache, read


class EncoderDecoderConfig(BaseModel):
    """Shape of an encoder-decoder: most tokens of either text, number of ids, layers of both halves (of one width)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: int = Field(ge=1)
    vocabulary: int = Field(ge=1)
    encoder: TransformerConfig
    decoder: TransformerConfig


class EncoderDecoderNetwork(nn.Module):
    """(source [B, S], target [B, T]) ids -> logits of the token after each of the target's [B, T, V].

    Raises TextTooLong when either text has no room. Id 0 in a source only fills it up; nobody looks at it.
    """

    def __init__(self, config: EncoderDecoderConfig) -> None:
        super().__init__()
        if config.encoder.width != config.decoder.width:
            raise ValueError("encoder and decoder share one embedding, so they need one width")
        self.config = config
        width = config.encoder.width
        self.embedding = gaussian(config.vocabulary, width, std=width**-0.5)
        self.transformer = EncoderDecoder(config.encoder, config.decoder)

    def embedded(self, ids: Tensor, start: int = 0) -> Tensor:
        """sqrt(W) E[id] + PE(place), [B, T] -> [B, T, W]; places are counted from `start`."""
        end = start + ids.shape[1]
        if end > self.config.length:
            raise TextTooLong(f"{end} tokens are more than the {self.config.length} this model reads")
        width = self.embedding.shape[1]
        places = sinusoidal(torch.arange(start, end, device=ids.device), width)
        return self.embedding[ids] * math.sqrt(width) + places.to(self.embedding.dtype)

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """source [B, S] -> memory [B, S, W], and its mask."""
        mask = padding_mask(source != PADDING)
        return self.transformer.encoder(self.embedded(source), mask), mask

    def decode(
        self, target: Tensor, memory: Tensor, mask: Tensor, cache: Sequence[LayerCache] | None = None
    ) -> Tensor:
        """target [B, T] (with a cache: what follows the tokens read) -> logits [B, T, V]."""
        x = self.embedded(target, read(cache))
        decoded: Tensor = self.transformer.decoder(x, memory, mask, cache)
        return decoded @ self.embedding.T

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.decode(target, *self.encode(source))


class EncoderDecoderModelConfig(BaseModel):
    """config.json of an encoder-decoder; `network` is its `EncoderDecoderConfig`, the rest is for people."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: Literal["encoder-decoder"]
    name: str
    tokenizer: TextConfig
    network: dict[str, Any]


class EncoderDecoderModel:
    """An encoder-decoder with its tokenizer. Sources end with the end token, targets begin with the start token."""

    def __init__(self, name: str, net: EncoderDecoderNetwork, tokenizer: TextTokenizer, *, sha256: str = "") -> None:
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
        self, source: Sequence[int], pick: Pick = likeliest, cache: list[LayerCache] | None = None
    ) -> Iterator[tuple[int, Tensor]]:
        """Answer a source: each token of the target and the logits [V] it was picked from, up to the end token.

        Raises TextTooLong when the source has no room.
        """
        cache = new_cache(self.net.config.decoder.layers) if cache is None else cache
        memory, mask = self.net.encode(torch.tensor([list(source)], device=self.device))
        token = START
        while read(cache) < self.length:
            logits = self.net.decode(torch.tensor([[token]], device=self.device), memory, mask, cache)[0, -1].float()
            token = pick(logits)
            yield token, logits
            if token == END:
                return

    def rewritten(self, text: str, pick: Pick = likeliest) -> str:
        """What the model makes of a text."""
        source = self.tokenizer.encode(text, start=False, end=True).ids
        return self.tokenizer.decode(token for token, _ in self.writing(source, pick))


def load_encoder_decoder(
    folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> EncoderDecoderModel:
    """The encoder-decoder in `folder` (config.json, model*.safetensors), every tensor's name and shape checked.

    Raises BadModelFolder, CorruptWeights, WrongWeights or NotEnoughMemory (all WeightsError).
    """
    config = parse_config(folder, EncoderDecoderModelConfig)
    try:
        tokenizer = config.tokenizer.tokenizer()
        shape = EncoderDecoderConfig.model_validate(config.network)
        with made_on("meta"):
            net = EncoderDecoderNetwork(shape)
    except (ValidationError, ValueError, TypeError, RuntimeError) as error:
        raise BadModelFolder(f"config.json in {folder} describes no network that can be built: {error}") from error
    if tokenizer.size != shape.vocabulary:
        text = f"config.json in {folder} has {tokenizer.size} tokens for a network of {shape.vocabulary}."
        raise BadModelFolder(text)
    files = weight_files(folder)
    load_into(net, files, device=device, dtype=dtype)
    net.eval().requires_grad_(False)
    return EncoderDecoderModel(config.name, net, tokenizer, sha256=sha256_of(files))
