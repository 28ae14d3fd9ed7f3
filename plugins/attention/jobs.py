"""The jobs behind Attention: read an input, write on, switch heads off; pictures of all heads stream in as they are made."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.engine import Event, JobContext, Offload, Progress, Snapshot
from studio_plugins.attention import tracing
from studio_plugins.attention.request import AttentionRequest
from studio_plugins.attention.results import (
    STATISTICS, ChangeRow, EffectRow, Effects, HeadEffects, HeadKey, HeadStatistics, LensRow, LensRows, Overview, Read,
    Strip, Written, WrittenToken,
)  # fmt: skip

if TYPE_CHECKING:
    from studio.ml.attention.ablation import Effect
    from studio.ml.attention.capture import Trace
    from studio.ml.attention.generation import Step
    from studio.ml.attention.lens import Lens
    from studio.ml.attention.subject import Subject

THUMBNAIL = 64
LONG = 1024
"""Tokens beyond which one thumbnail, or the statistics of one head, take more than a short step."""
Running = Generator[Event | Offload, Any, Any]


def read(request: AttentionRequest, ctx: JobContext) -> Generator[Event | Offload, Any, Read]:
    """Capture one evaluation.

    Yields Snapshot "overview" (Overview) as soon as there is a trace, then Snapshot "strip <i>" (Strip) for the
    thumbnails. Where the text is too long, Snapshot "too long" holds (count, limit).
    Raises ModelMissing, AttentionError, PhotoUnreadable.
    """
    yield Progress(0, 1, "opening the model")
    subject = yield from tracing.open_subject(request.model, ctx)
    request = tracing.with_takes(request, subject)
    yield Progress(0, 1, "reading")
    trace, asked, windows, seconds = yield from captured(subject, request)
    key = tracing.hold(trace, asked, ctx)
    seen = tracing.overview(request, subject, trace, key, windows=windows, seconds=seconds)
    yield Snapshot("overview", seen)
    return (yield from looked_through(seen, trace))


def captured(subject: Subject, request: AttentionRequest) -> Running:
    """`tracing.captured` beside the lane; a text that is too long is told with its length."""
    from studio.ml.attention.errors import TooLong

    try:
        return (yield Offload(tracing.captured, subject, request))
    except TooLong as error:
        yield Snapshot("too long", (error.count, error.limit))
        raise


def looked_through(seen: Overview, trace: Trace) -> Generator[Event | Offload, Any, Read]:
    """Thumbnails and statistics of all heads, a few a step."""
    from studio.ml.attention.mosaic import thumbnails
    from studio.ml.attention.statistics import statistics

    total = len(seen.heads)
    long = max((max(site.queries, site.keys) for site in seen.sites), default=0) > LONG
    strips: list[Strip] = []
    done = 0
    pictures = thumbnails(trace, THUMBNAIL)
    while (found := (yield from _next(pictures, long))) is not None:
        strips.append(Strip(seen.key, found.site.name, found.first, found.maps.astype(np.float16), found.exact))
        done += len(found.maps)
        yield Progress(done, 2 * total, f"{done} of {total} heads")
        yield Snapshot(f"strip {len(strips)}", strips[-1])
    values: dict[str, dict[HeadKey, float]] = {name: {} for name in STATISTICS}
    numbers = statistics(trace)
    while (one := (yield from _next(numbers, long))) is not None:
        for name, known in values.items():
            known[(one.head.site, one.head.head)] = float(getattr(one, name))
        yield Progress(total + len(values["sink"]), 2 * total, f"statistics of {len(values['sink'])} of {total} heads")
    return Read(seen, tuple(strips), HeadStatistics(seen.key, values))


def _next(values: Iterator[Any], long: bool) -> Running:
    """The next value, None at the end; of long texts beside the lane, so that a map that is asked for need not wait."""
    return (yield Offload(next, values, None)) if long else next(values, None)


# --- switching off ---


@dataclass(frozen=True, eq=False)
class EffectOrder:
    """Which heads of which reading are switched off; tokens: how many are written both ways, 0 for none."""

    key: str
    request: AttentionRequest
    off: frozenset[HeadKey]
    tokens: int = 0


def effect(order: EffectOrder, ctx: JobContext) -> Generator[Event | Offload, Any, Effects]:
    """What a set of heads does to every answer, and to what is written. Raises AttentionError."""
    from studio.ml.attention import ablation
    from studio.ml.attention.generation import without

    subject = yield from tracing.open_subject(order.request.model, ctx)
    asked = tracing.held_with_input(order.key, ctx).asked
    off = tracing.heads_of(order.off)
    yield Progress(0, 1, "switching heads off")
    found: tuple[Effect, ...] = yield Offload(ablation.effect, subject, asked, off, best=12)
    rows = tuple(_effect_row(one) for one in found)
    if not order.tokens or subject.kind not in ("causal", "encoder-decoder"):
        return Effects(order.key, order.off, rows)
    texts, first = ("", ""), None
    for count, difference in enumerate(without(subject, asked, off, tokens=order.tokens)):
        yield Progress(count, order.tokens, f"writing both ways, token {count + 1}")
        before, after = ([step.text for step in steps] for steps in (difference.before, difference.after))
        texts = tracing.joined(before), tracing.joined(after)
        first = difference.first
    return Effects(order.key, order.off, rows, texts, first)


def _effect_row(one: Effect) -> EffectRow:
    changes = tuple(ChangeRow(c.text, c.before, c.after) for c in one.changes)
    return EffectRow(one.before.about, one.kl, one.flipped, changes)


def each_effect(order: EffectOrder, ctx: JobContext) -> Generator[Event | Offload, Any, HeadEffects]:
    """KL of the answer without each head by itself. Yields Snapshot "effects" (HeadEffects) on the way."""
    from studio.ml.attention import ablation

    subject = yield from tracing.open_subject(order.request.model, ctx)
    asked = tracing.held_with_input(order.key, ctx).asked
    sites = tracing.held(order.key, ctx).sites
    total = sum(site.heads for site in sites)
    values: dict[HeadKey, float] = {}
    for one in ablation.each(subject, asked, sites):
        (head,) = one.off
        values[(head.site, head.head)] = one.kl
        yield Progress(len(values), total, f"without head {len(values)} of {total}")
        yield Snapshot("effects", HeadEffects(order.key, dict(values)))
    return HeadEffects(order.key, values)


# --- writing ---


def write(request: AttentionRequest, ctx: JobContext) -> Generator[Event | Offload, Any, Written]:
    """Write on, token by token. Yields Snapshot "token <i>" (WrittenToken), then as `read` for the whole."""
    from studio.ml.attention.generation import Writing
    from studio.ml.language.writing import likeliest, sampled

    yield Progress(0, request.tokens, "opening the model")
    subject = yield from tracing.open_subject(request.model, ctx)
    request = tracing.with_takes(request, subject)
    asked, _ = yield Offload(tracing.asked_of, request, subject)
    pick = sampled(request.seed) if request.sampled else likeliest
    off = tracing.heads_off(request)
    writing = yield from _begun(
        lambda lens: Writing(subject, asked, tokens=request.tokens, pick=pick, lens=lens, off=off)
    )
    tokens: list[WrittenToken] = []
    steps: Iterator[Step] = iter(writing)
    while (step := (yield Offload(next, steps, None))) is not None:
        tokens.append(_token(step))
        yield Progress(len(tokens), request.tokens, f"token {len(tokens)} of at most {request.tokens}")
        yield Snapshot(f"token {step.number}", tokens[-1])
    trace = writing.trace()
    key = tracing.hold(trace, tracing.written_on(asked, trace, [token.text for token in tokens[:-1]]), ctx)
    seen = tracing.overview(request, subject, trace, key, written=max(0, len(tokens) - 1), seconds=sum(t.seconds for t in tokens))
    yield Snapshot("overview", seen)
    looked = yield from looked_through(seen, trace)
    return Written(looked, tuple(tokens), writing.full)


def _begun(make: Any) -> Running:
    """With the lens where the model lets its layers be asked, without it otherwise."""
    from studio.ml.attention.errors import NotForThisModel

    writing = make(True)
    try:
        yield Offload(_first, make(True))
    except NotForThisModel:
        writing = make(False)
    return writing


def _first(writing: Any) -> None:
    next(iter(writing), None)


def _token(step: Step) -> WrittenToken:
    return WrittenToken(
        step.number, step.text, step.probability, step.scores.best[:10], () if step.lens is None else lens_rows(step.lens),
        step.read, step.cache_bytes, step.cache_formula, step.seconds, step.ends,
    )  # fmt: skip


def lens_rows(found: Lens) -> tuple[LensRow, ...]:
    """The layers' answers; 0 are the embeddings."""
    return tuple(LensRow(str(i), one.best[:5]) for i, one in enumerate(found.layers))


def lens(order: EffectOrder, ctx: JobContext) -> Generator[Event | Offload, Any, LensRows]:
    """What each layer would answer already. Raises NotForThisModel."""
    from studio.ml.attention.lens import lens as asked_layers

    subject = yield from tracing.open_subject(order.request.model, ctx)
    asked = tracing.held_with_input(order.key, ctx).asked
    found: Lens = yield Offload(asked_layers, subject, asked, off=tracing.heads_of(order.off))
    return LensRows(order.key, found.layers[-1].about, lens_rows(found), found.difference)

