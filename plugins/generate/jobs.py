"""The job behind Generate: denoise step by step, show each, keep the result on disk before saying so."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Log, Metric, Offload, Preview, Progress, Snapshot
from studio.models.opening import open_drawing
from studio.models.provenance import provenance_of
from studio_plugins.generate.drawing import draw, overflow, pictures_of, step_data
from studio_plugins.generate.keeping import keep_run
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.results import GenerateResult
from studio_plugins.generate.trajectory import StepData, Trajectory, stride

if TYPE_CHECKING:
    from studio.models.opening import Drawing

Running = Generator[Event | Offload, Any, GenerateResult]


def generate(request: GenerateRequest, ctx: JobContext) -> Running:
    """Draw `request.batch` pictures.

    Yields per step: Progress, Preview of x0, a Metric per norm (mean over the batch), and Snapshot "step <i>"
    (StepData) of each step kept. Returns a GenerateResult that is in the results store already (services["results"]),
    or says why it is not.
    """
    result = yield from live(request, ctx)
    yield Progress(request.steps, request.steps, "saving")
    kept: GenerateResult = yield Offload(keep_run, result, ctx.services.get("results"))
    return kept


def live(request: GenerateRequest, ctx: JobContext) -> Running:
    """As `generate`, but nothing is kept: what Live mode draws on the way is gone with the next key press."""
    yield Progress(0, request.steps, "opening the model")
    model = yield from open_drawing(request.model, ctx, precision=request.precision)
    request = yield from note_weights(request, model)
    records = draw(model, request)
    every = stride(request.steps, request.batch * 3 * model.image_size**2)
    kept: list[StepData] = []
    seconds = 0.0
    for i in range(request.steps):
        begin = time.perf_counter()
        record = next(records)
        data = step_data(record, model, unconditional=request.unconditional)
        seconds += time.perf_counter() - begin
        yield Progress(i + 1, request.steps, f"step {i + 1} of {request.steps}")
        yield Preview(data.x0)
        for name, value in data.mean_norms().items():
            if value == value:  # not NaN: the branch was computed
                yield Metric(name, i + 1, value)
        yield Metric("seconds", i + 1, seconds)
        if i % every == 0 or i + 1 == request.steps:
            kept.append(data)
            yield Snapshot(f"step {i}", data)
    return GenerateResult(
        request=request,
        pictures=pictures_of(record),
        seconds=seconds,
        evaluations=request.steps * request.evaluations_per_step,
        provenance=provenance_of(model, ctx),
        steps=Trajectory(tuple(kept)),
    )


def note_weights(request: GenerateRequest, model: Drawing) -> Generator[Event, None, GenerateRequest]:
    """The request with the digest of the weights in use, and without a prompt that these weights cannot take.

    A line for the person when a replay meets other weights, and when a prompt is too long for a released model (of the
    bundled ones the prompt box says it).
    """
    if request.model_sha256 and request.model_sha256 != model.sha256:
        yield Log(
            f"The weights of “{request.model}” are not those these settings were made with "
            f"({request.model_sha256[:12]}… then, {model.sha256[:12]}… now): the picture will differ.",
            "warning",
        )
    left = overflow(request.prompt, model)
    if left is None:
        return request.replace(model_sha256=model.sha256, prompt="")
    if left:
        yield Log(f"“{model.name}” does not take in the last {left} tokens of this prompt.", "warning")
    return request.replace(model_sha256=model.sha256)
