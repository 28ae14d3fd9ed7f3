"""The job behind Token attention: denoise step by step, hand out each step's maps, keep the result on disk."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Log, Offload, Preview, Progress, Snapshot
from studio.models.opening import open_drawing
from studio.models.provenance import provenance_of
from studio_plugins.tokens.request import TokensRequest, quoted
from studio_plugins.tokens.results import TokensResult, keep
from studio_plugins.tokens.run import TokenRun, TokenStep
from studio_plugins.tokens.tracing import TooManyMaps, picture_of, plan_of, text_model, trace

if TYPE_CHECKING:
    from studio.ml.diffusion.glide import TextToImage

Running = Generator[Event | Offload, Any, TokensResult]


def tokens(request: TokensRequest, ctx: JobContext) -> Running:
    """Draw one picture and write down where each token acts.

    Yields Snapshot "plan" (Plan) first, then per step Progress, Preview of x0 and Snapshot "step <i>" (TokenStep).
    Where the maps do not fit, Snapshot "smaller" holds the requests to choose from (`TooManyMaps.smaller`).
    Returns a TokensResult that is in the results store already (services["results"]), or says why it is not.
    Raises NoText, TooManyMaps, ModelMissing, ModelUnreadable.
    """
    result = yield from live(request, ctx)
    yield Progress(request.steps, request.steps, "saving")
    kept: TokensResult = yield Offload(keep, result, ctx.services.get("results"))
    return kept


def live(request: TokensRequest, ctx: JobContext) -> Running:
    """As `tokens`, but nothing is kept on disk."""
    yield Progress(0, request.steps, "opening the model")
    model = text_model((yield from open_drawing(request.model, ctx)))
    yield from _remarks(request, model)
    request = request.replace(model_sha256=model.sha256)
    try:
        plan = plan_of(model, request)
    except TooManyMaps as error:
        yield Snapshot("smaller", error.smaller)
        raise
    yield Snapshot("plan", plan)
    pairs = trace(model, request, plan)
    kept: list[TokenStep] = []
    seconds = 0.0
    for i in range(request.steps):
        begin = time.perf_counter()
        record, maps = next(pairs)
        kept.append(TokenStep(maps, picture_of(record.x0)))
        seconds += time.perf_counter() - begin
        yield Progress(i + 1, request.steps, f"step {i + 1} of {request.steps}")
        yield Preview(kept[-1].x0)
        yield Snapshot(f"step {i}", kept[-1])
    picture = picture_of(record.x)
    return TokensResult(request, picture, seconds, provenance_of(model, ctx), TokenRun(plan, tuple(kept)))


def _remarks(request: TokensRequest, model: TextToImage) -> Generator[Event, None, None]:
    """A line for the person where the run is not what it looks like."""
    if request.model_sha256 and request.model_sha256 != model.sha256:
        yield Log(
            f"The weights of “{request.model}” are not those these settings were made with "
            f"({request.model_sha256[:12]}… then, {model.sha256[:12]}… now): the picture will differ.",
            "warning",
        )
    if request.unconditional:
        yield Log("Without a prompt all text positions are padding, so only padding and the picture can be looked at.")
    left = model.overflow(request.prompt)
    if left:
        room = model.net.text.text_ctx
        yield Log(f"“{model.name}” reads {room} tokens: the last {left} of this prompt are left out.", "warning")
    unknown = model.unknown(request.prompt)
    if unknown:
        yield Log(f"“{model.name}” does not know {quoted(unknown)}: left out.", "warning")
