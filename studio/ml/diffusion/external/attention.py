"""Where each word of a prompt acts in a public checkpoint: the maps of `attention_maps`, taken while a pipeline draws.

Every attention of diffusers ends in torch's scaled dot-product attention, to which the queries and keys come as they
count: normalised, turned by their positions, masked. There they are listened to, so that no layer is replaced and each
keeps its fast kernel; the weights softmax(q k^T / sqrt(d) + mask) are computed a second time, head by head, for one
picture. In cross-attention (U-Nets, PixArt) all keys are text; in joint attention (SD 3, Flux) one softmax runs over
text and picture, so that the text's share of a pixel is less than one, as in GLIDE. Off costs nothing.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from studio.ml.diffusion.attention_maps import Layer, Maps, StepMaps
from studio.ml.diffusion.external.asked import Asked, ExternalStep
from studio.ml.diffusion.external.calling import Size, cell_of, multiple_of
from studio.ml.diffusion.external.errors import ExternalError
from studio.ml.diffusion.external.model import ExternalModel
from studio.ml.diffusion.external.prompts import Text, text_of

TEXT_FIRST = ("FluxTransformer2DModel",)
TEXT_LAST = ("SD3Transformer2DModel",)
"""Networks with joint attention by where the text's keys are."""
CROSS = ("UNet2DConditionModel", "PixArtTransformer2DModel")
"""Networks whose layers `attn2` look at the text alone."""


@dataclass(frozen=True)
class Listening:
    """What is kept of a run: which layers of which network, and which columns of the text."""

    network: nn.Module
    layers: tuple[Layer, ...]
    text: Text
    heads: bool


def attention_layers(model: ExternalModel, size: Size) -> list[Layer]:
    """The layers that look at the text, in the order of computation, for pictures of `size` (width, height).

    Raises ExternalError for a network that is not known to this room.
    """
    network = network_of(model)
    kind = type(network).__name__
    cell = cell_of(model.pipeline) if kind == "UNet2DConditionModel" else multiple_of(model.pipeline)
    width, height = (side // cell for side in size)
    found = []
    for name, module in network.named_modules():
        if hasattr(module, "to_q") and _looks_at_text(kind, name):
            down = _coarseness(name, network)
            found.append(Layer(name, module.heads, math.ceil(height / down), math.ceil(width / down)))
    if not found:
        raise ExternalError(f"The attention of “{model.name}” to words cannot be told from that to pixels.")
    return found


def traced(
    model: ExternalModel, asked: Asked, layers: Sequence[Layer], *, heads: bool = True
) -> Iterator[tuple[ExternalStep, StepMaps | None]]:
    """The steps of a run, each with its maps for the first picture; the last record, which decodes, has none.

    Under guidance the maps are those of the conditional half. heads: whether each head is kept, or their mean.
    """
    text = text_of(model.pipeline, asked.prompt)
    listener = Listener(Listening(network_of(model), tuple(layers), text, heads), len(asked.seeds))
    for step in model.sample(asked, inside=listener):
        maps = None if step.pictures is not None else StepMaps(step.index, int(step.t), listener.taken())
        yield step, maps


def network_of(model: ExternalModel) -> nn.Module:
    """The network that draws. Raises ExternalError for one that is not known to this room."""
    network = getattr(model.pipeline, "unet", None) or getattr(model.pipeline, "transformer", None)
    if type(network).__name__ not in (*TEXT_FIRST, *TEXT_LAST, *CROSS):
        raise ExternalError(f"How words act cannot be shown for a {type(network).__name__} yet. Choose another model.")
    assert isinstance(network, nn.Module)
    return network


class Listener(AbstractContextManager["Listener"]):
    """Takes the maps of a run; entered in the thread of the run, so that no other run is heard."""

    def __init__(self, listening: Listening, pictures: int) -> None:
        """pictures: how many the run draws."""
        self._what, self._pictures = listening, pictures
        self._seen: dict[str, Tensor] = {}
        self._layer: Layer | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Listener:
        modules = dict(self._what.network.named_modules())
        mine = threading.get_ident()
        for layer in self._what.layers:

            def begin(module: nn.Module, arguments: Any, layer: Layer = layer) -> None:
                if threading.get_ident() == mine:
                    self._layer = layer

            def end(module: nn.Module, arguments: Any, output: Any) -> None:
                if threading.get_ident() == mine:
                    self._layer = None

            module = modules[layer.name]
            self._stack.callback(module.register_forward_pre_hook(begin).remove)
            self._stack.callback(module.register_forward_hook(end, always_call=True).remove)
        self._stack.enter_context(_Overhearing(self))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def taken(self) -> tuple[Maps, ...]:
        """The maps since the last time, float16 [heads, tokens + 1, h, w] by layer. Raises KeyError for a layer that
        was not evaluated."""
        maps = tuple(self._seen[layer.name].cpu().numpy() for layer in self._what.layers)
        self._seen = {}
        return maps

    def hear(self, q: Tensor, k: Tensor, mask: Tensor | None, scale: float | None) -> None:
        """q [B, heads, Q, d], k [B, heads, K, d], as they enter the attention of the layer that computes.

        Of a layer that is evaluated again in the same step (both halves one after the other) the first time counts,
        which is the conditional half.
        """
        layer = self._layer
        if layer is None or layer.name in self._seen:
            return
        one = self._pictures if len(q) == 2 * self._pictures else 0  # halves are [unconditional, conditional]
        bias = [None] * q.shape[1] if mask is None else mask.expand(len(q), q.shape[1], *mask.shape[-2:])[one]
        pixels, text = self._columns(layer, q.shape[-2], k.shape[-2])
        each = zip(q[one, :, pixels], k[one], bias, strict=True)
        shares = [head_shares(*head, scale, text, self._what.text) for head in each]
        maps = torch.stack(shares).transpose(1, 2).unflatten(-1, (layer.height, layer.width))
        self._seen[layer.name] = (maps if self._what.heads else maps.mean(dim=0, keepdim=True)).half()

    def _columns(self, layer: Layer, queries: int, keys: int) -> tuple[slice, slice]:
        """Which queries are the picture's and which keys the text's. Raises ExternalError where they do not add up."""
        length = self._what.text.length
        kind = type(self._what.network).__name__
        if kind in CROSS and (queries, keys) == (layer.cells, length):
            return slice(None), slice(None)
        if kind not in CROSS and queries == keys == layer.cells + length:
            ahead, behind = slice(0, length), slice(length, None)
            return (behind, ahead) if kind in TEXT_FIRST else (slice(0, layer.cells), slice(layer.cells, None))
        raise ExternalError(f"{layer.name} looks at {keys} places, not at the {length} tokens that were counted.")


class _Overhearing(TorchFunctionMode):
    """While it is on, this thread's scaled dot-product attentions are told to a listener."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if func is scaled_dot_product_attention:
            given = dict(zip(("query", "key", "value", "attn_mask"), args, strict=False)) | named
            self._listener.hear(given["query"], given["key"], given.get("attn_mask"), given.get("scale"))
        return func(*args, **named)


def head_shares(q: Tensor, k: Tensor, mask: Tensor | None, scale: float | None, text: slice, tokens: Text) -> Tensor:
    """[cells, tokens + 1]: how the attention of one head divides over the tokens, then all the rest of the text.

    q [cells, d], k [K, d]; mask [1 or cells, K], True where to look or added to the logits.
    """
    logits = q.float() @ k.float().T * (q.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None:
        logits = logits.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else logits + mask.float()
    shares = logits.softmax(dim=-1)[:, text]
    kept = shares[:, list(tokens.columns)]
    return torch.cat([kept, (shares.sum(dim=-1) - kept.sum(dim=-1))[:, None].clamp_min(0)], dim=-1)


def _looks_at_text(kind: str, name: str) -> bool:
    """Whether the attention of this name sees the prompt; `attn2` of SD 3.5 does not."""
    last = name.rsplit(".", 1)[-1]
    return last == "attn2" if kind in CROSS else last == "attn"


def _coarseness(name: str, network: nn.Module) -> int:
    """How many cells of the network's input one cell of the layer has a side: U-Nets halve after each level."""
    levels = len(getattr(network, "down_blocks", ()))
    if not levels:
        return 1
    where, *rest = name.split(".")
    level = levels - 1 if where == "mid_block" else int(rest[0])
    return int(2 ** (levels - 1 - level if where == "up_blocks" else level))
