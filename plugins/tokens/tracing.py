"""A request put to work on the engine's thread: which maps are kept, what they cost, and the steps with their maps."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from studio.host.pictures import Pixels, to_pixels
from studio.ml.diffusion.attention_maps import bytes_needed
from studio_plugins.tokens.request import TokensRequest
from studio_plugins.tokens.run import Plan, TokenStep

if TYPE_CHECKING:
    from torch import Tensor

    from studio.ml.diffusion.attention_maps import Layer, StepMaps
    from studio.ml.diffusion.glide import TextToImage
    from studio.ml.diffusion.sampler import StepRecord
    from studio.models.opening import Drawing

Following = Generator[TokenStep, None, Pixels]
"""The steps of a run, then its picture."""
MAX_BYTES = 64 << 20
"""Maps of one run in memory: as many as can be averaged while a slider is dragged."""


class NoText(ValueError):
    """A model that reads no text, so that no word can act."""


class TooManyMaps(ValueError):
    """A run whose maps would not fit; the message says how much they need, `smaller` are requests that do fit."""

    def __init__(self, text: str, smaller: Sequence[tuple[str, TokensRequest]]) -> None:
        super().__init__(text)
        self.smaller = tuple(smaller)


def text_model(model: Drawing) -> TextToImage:
    """The model, known to read text. Raises NoText."""
    from studio.ml.diffusion.glide import TextToImage

    if not isinstance(model, TextToImage):
        raise NoText(
            f"“{model.name}” draws without text, so no word acts on its pictures. Choose a model that reads a prompt."
        )
    return model


def plan_of(model: TextToImage, request: TokensRequest) -> Plan:
    """What the run will keep. Raises TooManyMaps."""
    from studio.ml.diffusion.attention_capture import attention_layers

    ids, mask = model.tokenizer.encode(request.prompt, model.net.text.text_ctx)
    pieces = tuple(model.tokenizer.piece(token) for token in ids[: sum(mask)])
    layers = attention_layers(model.net, model.image_size)
    return Plan(kept_layers(model.name, layers, len(pieces), request), pieces, request.steps)


def kept_layers(name: str, layers: Sequence[Layer], tokens: int, request: TokensRequest) -> tuple[Layer, ...]:
    """Those of a network's layers that a run keeps, each with the heads kept of it. Raises TooManyMaps."""
    needed = _bytes(layers, request, tokens)
    if needed > MAX_BYTES:
        raise _too_many(name, layers, request, tokens, needed)
    chosen = _chosen(layers, request)
    return tuple(replace(layer, heads=1) if request.heads == "mean" else layer for layer in chosen)


def followed(model: TextToImage, request: TokensRequest, plan: Plan) -> Following:
    """The run step by step; returns the picture. Raises ValueError."""
    for record, maps in trace(model, request, plan):
        yield TokenStep(maps, picture_of(record.x0))
    return picture_of(record.x)


def trace(model: TextToImage, request: TokensRequest, plan: Plan) -> Iterator[tuple[StepRecord, StepMaps]]:
    """The steps of the run, one network evaluation (of both halves) each, with their maps. Raises ValueError."""
    from studio.ml.diffusion.attention_capture import traced
    from studio.ml.diffusion.sampling import Sampling

    records = model.sample(
        [request.prompt],
        [request.seed],
        scale=None if request.unconditional else request.guidance_scale,
        sampling=Sampling(request.sampler, request.steps),
    )
    return traced(records, model.net, plan.layers, len(plan.pieces), heads=request.heads == "each")


def picture_of(x: Tensor) -> Pixels:
    """[1, 3, H, W] in [-1, 1] on any device -> uint8 [H, W, 3]."""
    return to_pixels(x[0].float().permute(1, 2, 0).cpu().numpy())


def _chosen(layers: Sequence[Layer], request: TokensRequest) -> Sequence[Layer]:
    if request.layers == "all":
        return layers
    side = (max if request.layers == "fine" else min)(layer.height for layer in layers)
    return [layer for layer in layers if layer.height == side]


def _bytes(layers: Sequence[Layer], request: TokensRequest, tokens: int) -> int:
    return bytes_needed(_chosen(layers, request), tokens, request.steps, heads=request.heads == "each")


def _too_many(
    name: str, layers: Sequence[Layer], request: TokensRequest, tokens: int, needed: int
) -> TooManyMaps:
    smaller = [(text, other, _bytes(layers, other, tokens)) for text, other in request.smaller()]
    fitting = [(f"{text} ({_mib(size)})", other) for text, other, size in smaller if size <= MAX_BYTES]
    told = (
        f"The maps of {tokens} tokens over {request.steps} steps of “{name}” would need {_mib(needed)}, and "
        f"{_mib(MAX_BYTES)} is the most. {'Keep fewer of them, or take' if fitting else 'Take'} fewer steps."
    )
    return TooManyMaps(told, fitting)


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
