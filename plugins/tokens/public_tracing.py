"""Public checkpoints followed word by word: which of their layers are kept, and the steps with their maps."""

from __future__ import annotations

from collections.abc import Generator
from itertools import chain
from typing import TYPE_CHECKING

from studio.host.pictures import Pixels
from studio.models.external import lora_of
from studio_plugins.tokens.request import TokensRequest
from studio_plugins.tokens.run import Plan, TokenStep
from studio_plugins.tokens.tracing import Following, kept_layers

if TYPE_CHECKING:
    from studio.ml.diffusion.attention_maps import StepMaps
    from studio.ml.diffusion.external.asked import Asked, ExternalStep
    from studio.ml.diffusion.external.model import ExternalModel


def follow_public(model: ExternalModel, request: TokensRequest) -> tuple[Plan, Following]:
    """What the run keeps, and the run; its first step is taken here, since only then it is known how many there are.

    Raises TooManyMaps; ExternalError, for a network whose attention to words cannot be told too.
    """
    from studio.ml.diffusion.external.attention import CROSS, attention_layers, network_of, traced
    from studio.ml.diffusion.external.prompts import text_of

    size = (model.native_size, model.native_size)
    cross = type(network_of(model)).__name__ in CROSS
    pieces = text_of(model.pipeline, request.prompt).pieces
    layers = kept_layers(model.name, attention_layers(model, size), len(pieces), request)
    records = traced(model, asked(request), layers, heads=request.heads == "each")
    first = next(records)
    plan = Plan(layers, pieces, first[0].total, "cross" if cross else "joint")
    return plan, _followed(chain([first], records))


def asked(request: TokensRequest) -> Asked:
    """The request in the words of public checkpoints; without a prompt nothing guides."""
    from studio.ml.diffusion.external.asked import Asked

    return Asked(
        prompt=request.prompt,
        seeds=(request.seed,),
        steps=request.steps,
        scale=1.0 if request.unconditional else request.guidance_scale,
        scheduler=request.scheduler,
        loras=tuple(lora_of(text) for text in request.loras),
    )


def _followed(records: chain[tuple[ExternalStep, StepMaps | None]]) -> Generator[TokenStep, None, Pixels]:
    from studio.ml.diffusion.external.errors import ExternalError

    picture: Pixels | None = None
    for step, maps in records:
        if step.pictures is not None:
            picture = step.pictures[0]
        elif step.preview is None or maps is None:
            raise ExternalError("This model shows nothing on the way to lay the maps over. Choose another model.")
        else:
            yield TokenStep(maps, step.preview[0])
    assert picture is not None  # the last record has it
    return picture
