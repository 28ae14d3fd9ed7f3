"""The job behind Token attention: denoise step by step, hand out each step's maps, keep the result on disk."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Log, Offload, Preview, Progress, Snapshot
from studio.host.pictures import Pixels
from studio.models.external import is_external, open_external, provenance_of_external, with_offers
from studio.models.opening import open_drawing
from studio.models.provenance import provenance_of
from studio_plugins.tokens.public_tracing import follow_public
from studio_plugins.tokens.request import TokensRequest, quoted
from studio_plugins.tokens.results import TokensResult, keep
from studio_plugins.tokens.run import Plan, TokenRun, TokenStep
from studio_plugins.tokens.tracing import Following, TooManyMaps, followed, plan_of, text_model

if TYPE_CHECKING:
    from studio.ml.diffusion.glide import TextToImage

Running = Generator[Event | Offload, Any, TokensResult]


def tokens(request: TokensRequest, ctx: JobContext) -> Running:
    """Draw one picture and write down where each token acts.

    Yields Snapshot "plan" (Plan) first, then per step Progress, Preview of x0 and Snapshot "step <i>" (TokenStep).
    Where the maps do not fit, Snapshot "smaller" holds the requests to choose from (`TooManyMaps.smaller`).
    Where a public model cannot draw, Snapshot "offers" says what would help.
    Returns a TokensResult that is in the results store already (services["results"]), or says why it is not.
    Raises NoText, TooManyMaps, ModelMissing, ModelUnreadable, ExternalError.
    """
    result = yield from live(request, ctx)
    yield Progress(request.steps, request.steps, "saving")
    kept: TokensResult = yield Offload(keep, result, ctx.services.get("results"))
    return kept


def live(request: TokensRequest, ctx: JobContext) -> Running:
    """As `tokens`, but nothing is kept on disk."""
    result: TokensResult = yield from with_offers(_following(request, ctx))
    return result


def _following(request: TokensRequest, ctx: JobContext) -> Running:
    yield Progress(0, request.steps, "opening the model")
    try:
        run = yield from _prepare(request, ctx)
    except TooManyMaps as error:
        yield Snapshot("smaller", error.smaller)
        raise
    yield Snapshot("plan", run.plan)
    kept: list[TokenStep] = []
    picture: Pixels | None = None
    seconds, total = 0.0, run.plan.total
    while picture is None:
        begin = time.perf_counter()
        try:
            kept.append(next(run.steps))
        except StopIteration as end:
            picture = end.value
        seconds += time.perf_counter() - begin
        if picture is None:
            yield Progress(len(kept), total, f"step {len(kept)} of {total}")
            yield Preview(kept[-1].x0)
            yield Snapshot(f"step {len(kept) - 1}", kept[-1])
    return TokensResult(run.request, picture, seconds, run.provenance, TokenRun(run.plan, tuple(kept)))


@dataclass(frozen=True, eq=False)
class _Run:
    """A request with the weights in use noted, what is kept of it, and the run itself."""

    request: TokensRequest
    plan: Plan
    steps: Following
    provenance: Mapping[str, Any]


def _prepare(request: TokensRequest, ctx: JobContext) -> Generator[Event | Offload, Any, _Run]:
    if (yield Offload(is_external, request.model)):
        public = yield from open_external(request.model, ctx, offload=request.offload, tiling=request.tiling)
        request = request.replace(public=True, model_sha256="")
        return _Run(request, *follow_public(public, request), provenance_of_external(public, ctx))
    model = text_model((yield from open_drawing(request.model, ctx)))
    yield from _remarks(request, model)
    request = request.replace(public=False, model_sha256=model.sha256)
    plan = plan_of(model, request)
    return _Run(request, plan, followed(model, request, plan), provenance_of(model, ctx))


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
