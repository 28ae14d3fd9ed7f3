"""Listening to the attention of a network while it draws; `attention_maps` says what is kept. Off costs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor

from studio.ml.diffusion.attention_maps import Layer, Maps, StepMaps
from studio.ml.diffusion.blocks import AttentionBlock, Downsample, Upsample
from studio.ml.diffusion.sampler import StepRecord
from studio.ml.diffusion.unet import UNet


def attention_layers(net: UNet, size: int) -> list[Layer]:
    """The network's attention layers in the order of computation, for pictures of `size` pixels a side."""
    side, found = size, []
    for name, module in net.named_modules():
        if isinstance(module, Downsample):
            side //= 2
        elif isinstance(module, Upsample):
            side *= 2
        elif isinstance(module, AttentionBlock):
            found.append(Layer(name, module.heads, side, side))
    return found


class Recorder:
    """Takes the attention weights of one evaluation and keeps their maps, by layer: [heads, tokens + 1, h, w].

    The first picture of the batch is kept, which under guidance is a conditional one (`ConditionalDenoiser.both`), and
    of a layer that is evaluated again (both halves one after the other) the first time, which is the conditional half.
    """

    def __init__(self, layers: Sequence[Layer], tokens: int, *, heads: bool = True) -> None:
        self.layers, self.tokens, self.heads = tuple(layers), tokens, heads
        self._seen: dict[str, Tensor] = {}

    def take(self, layer: Layer, weights: Tensor) -> None:
        """weights [B, heads, pixels, L + pixels], rows summing to 1."""
        if layer.name not in self._seen:
            kept = token_maps(weights[0], self.tokens, layer.height, layer.width)
            self._seen[layer.name] = (kept if self.heads else kept.mean(dim=0, keepdim=True)).half()

    def maps(self) -> tuple[Maps, ...]:
        """What was seen, in the order of the layers. Raises KeyError for a layer that was not evaluated."""
        return tuple(self._seen[layer.name].cpu().numpy() for layer in self.layers)


def token_maps(weights: Tensor, tokens: int, height: int, width: int) -> Tensor:
    """[heads, pixels, L + pixels] -> [heads, tokens + 1, height, width], the shares of each token, then of padding."""
    heads, pixels, columns = weights.shape
    text = weights[..., : columns - pixels]
    shares = torch.cat([text[..., :tokens], text[..., tokens:].sum(dim=-1, keepdim=True)], dim=-1)
    return shares.transpose(1, 2).reshape(heads, tokens + 1, height, width)


@contextmanager
def recording(net: UNet, recorder: Recorder) -> Iterator[None]:
    """While inside, the recorder's layers hand it their weights; afterwards the network is as before, come what may."""
    blocks = dict(net.attention_blocks())
    chosen = [(blocks[layer.name], layer) for layer in recorder.layers]
    before = [block.capture for block, _ in chosen]
    try:
        for block, layer in chosen:
            block.capture = partial(recorder.take, layer)
        yield
    finally:
        for (block, _), capture in zip(chosen, before, strict=True):
            block.capture = capture


def traced(
    records: Iterator[StepRecord], net: UNet, layers: Sequence[Layer], tokens: int, *, heads: bool = True
) -> Iterator[tuple[StepRecord, StepMaps]]:
    """A sampler's steps, each with its maps.

    The network is listened to only while a step is computed: whoever shares it between two steps meets it unchanged.
    """
    while True:
        recorder = Recorder(layers, tokens, heads=heads)
        with recording(net, recorder):
            record = next(records, None)
        if record is None:
            return
        yield record, StepMaps(record.index, record.t, recorder.maps())
