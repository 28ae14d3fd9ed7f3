"""The engine's side: models and traces in its cache, by name; what a person asks for as what the science asks for."""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.models.catalog import locate, weight_files
from studio_plugins.attention.request import EMOJI, AttentionRequest, head_of
from studio_plugins.attention.results import HeadKey, Overview

if TYPE_CHECKING:
    from studio.ml.attention.capture import Trace
    from studio.ml.attention.subject import Subject
    from studio.ml.attention.values import Asked, Head

KEEP_VALUES = 2048
"""Tokens up to which value vectors are kept, too: they are needed for norm-weighted maps and cost as much as the keys."""
EMOJI_SIDE = 256


class TraceGone(LookupError):
    """The engine needed the memory of this reading for something else."""

    def __init__(self) -> None:
        super().__init__("This reading is no longer in memory, which was needed for something else. Read the input again.")


def open_subject(model: str, ctx: JobContext) -> Generator[Event | Offload, Any, Subject]:
    """A model through the engine's cache. Raises ModelMissing, AttentionError, WeightsError."""
    place = locate(model)
    files = [place / "config.json", *weight_files(place)]
    stamp = tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    key = ("attention", str(place), stamp, ctx.device)
    if key not in ctx.models.keys():
        yield Progress(0, 1, f"opening {place.name}")
    found: Subject = yield Offload(ctx.models.get, key, lambda: _open(place, ctx.device))
    return found


def _open(place: Path, device: str) -> Subject:
    # torch and transformers are imported on the worker, never on the window's thread
    from studio.ml.attention.opening import open_folder

    return open_folder(place, device=device)


@dataclass(frozen=True, eq=False)
class Held:
    """A trace, and what was asked to make it."""

    trace: Trace
    asked: Asked


def hold(trace: Trace, asked: Asked, ctx: JobContext) -> str:
    """Keep a trace in the engine's cache; its key."""
    key = uuid.uuid4().hex
    ctx.models.get(("attention trace", key), lambda: Held(trace, asked), nbytes=trace.nbytes, device=ctx.device)
    return key


def held(key: str, ctx: JobContext) -> Trace:
    """A trace kept before. Raises TraceGone."""
    return held_with_input(key, ctx).trace


def held_with_input(key: str, ctx: JobContext) -> Held:
    """The same with what was asked. Raises TraceGone."""
    found: Held = ctx.models.get(("attention trace", key), _gone)
    return found


def let_go(key: str, ctx: JobContext) -> Generator[Event, None, None]:
    """A job: forget a trace that nobody looks at any more."""
    yield from ()
    ctx.models.evict(("attention trace", key))


def _gone() -> Any:
    raise TraceGone


def asked_of(request: AttentionRequest, subject: Subject) -> tuple[Asked, int]:
    """What the model is to read, and how many windows there are. Raises AttentionError, PhotoUnreadable."""
    from studio.ml.attention.values import Asked
    from studio.ml.attention.windows import windows

    takes = subject.takes
    asked = Asked(
        text=request.text if "text" in takes else "",
        target=request.target if "target" in takes else "",
        picture=picture_of(request.picture) if "picture" in takes or request.picture and not request.text else None,
        captions=request.caption_list if "captions" in takes else (),
        fit="refuse" if request.fit == "windows" else request.fit,
    )
    if request.fit != "windows" or "text" not in takes or "target" in takes:
        return asked, 1
    pieces = windows(subject, asked)
    return pieces[min(request.window, len(pieces)) - 1], len(pieces)


def picture_of(name: str) -> Any:
    """uint8 [h, w, 3] of a file, or of an emoji scene that is drawn here; None for no name. Raises PhotoUnreadable."""
    if not name:
        return None
    if name.startswith(EMOJI):
        return emoji_picture(name)
    from studio.host.photos import open_photo

    pixels = open_photo(name, shrink=True).pixels.astype("float32")
    alpha = pixels[..., 3:] / 255
    return (pixels[..., :3] * alpha + 255 * (1 - alpha)).round().astype("uint8")  # on white, as it is shown


def emoji_picture(name: str) -> Any:
    """The scene that "emoji:noun:background" names. Raises WrongInput for words that are none."""
    from studio.ml.attention.errors import WrongInput
    from studio.ml.data.scenes import Placed, Scene, render

    noun, _, background = name.removeprefix(EMOJI).partition(":")
    try:
        scene = Scene("single", (Placed(noun, 0.5, 0.5, 0.6),), background or "blue")
        return render(scene, EMOJI_SIDE)
    except (KeyError, ValueError) as error:
        raise WrongInput(f"There is no emoji “{noun}” on “{background}” here. Choose another picture.") from error


def heads_off(request: AttentionRequest) -> frozenset[Head]:
    """The heads that are switched off."""
    from studio.ml.attention.values import Head

    return frozenset(Head(*head_of(name)) for name in request.off)


def heads_of(keys: frozenset[HeadKey]) -> frozenset[Head]:
    """The same of keys."""
    from studio.ml.attention.values import Head

    return frozenset(Head(*key) for key in keys)


def captured(subject: Subject, request: AttentionRequest) -> tuple[Trace, Asked, int, float]:
    """Trace, what was asked, number of windows, seconds. Raises AttentionError."""
    from studio.ml.attention.capture import capture

    asked, count = asked_of(request, subject)
    began = time.perf_counter()
    lengths = [len(reading) for some in subject.prepare(asked).readings.values() for reading in some]
    values = max(lengths, default=0) <= KEEP_VALUES
    trace = capture(subject, asked, values=values)  # of the whole model: what heads that are off change is told beside
    return trace, asked, count, time.perf_counter() - began


def overview(
    request: AttentionRequest, subject: Subject, trace: Trace, key: str, *, windows: int = 1, seconds: float = 0.0, written: int = 0
) -> Overview:
    """What the panel is told of a trace."""
    facts = {
        "model": f"{subject.title}, {subject.kind}",
        "parameters": f"{subject.parameters:,}",
        "captured": trace.badge,
        "kept": f"{trace.nbytes / 2**20:.1f} MiB of Q, K{' and V' if any(t.value is not None for t in trace.taken.values()) else ''}",
        "all maps would be": f"{sum(4 * s.parts * s.heads * s.queries * s.keys for s in trace.sites) / 2**20:,.1f} MiB",
    }
    if windows > 1:
        facts["window"] = f"{min(request.window, windows)} of {windows}: choose another under Advanced"
    if seconds:
        facts["time"] = f"{seconds:.2f} s with capture, on {subject.device}"
    offsets = {reading.offsets for some in trace.readings.values() for reading in some if reading.grid is None and reading.text}
    if offsets & {"pieces", "none"}:
        facts["tokens"] = "places found by decoding piece by piece: this tokenizer gives no offsets"
    readings = {name: tuple(some) for name, some in trace.readings.items()}
    return Overview(
        key, request, subject.title, subject.kind, trace.sites, readings, trace.scores, trace.badge, facts, subject.context,
        trace.picture, windows, written, frozenset(trace.methods),
    )  # fmt: skip


def written_on(asked: Asked, trace: Trace, texts: Sequence[str]) -> Asked:
    """What would be asked to read again what a model has written: the tokens of a text, or the target with more words."""
    if "target" in trace.readings:
        return replace(asked, target=joined([asked.target, *texts] if asked.target else texts))
    return replace(asked, ids=tuple(token.id for token in trace.readings["text"][0].tokens))


def joined(pieces: Sequence[str]) -> str:
    """Pieces of text as a person reads them: with their own spaces, or with spaces between words that have none."""
    if any(piece[:1] in (" ", "\u0120", "\u2581") for piece in pieces):
        return "".join(pieces)
    text = ""
    for piece in pieces:
        text += piece if not text or piece in (".", ",", ":", "?", "!") or piece.startswith("##") else f" {piece}"
    return text


def with_takes(request: AttentionRequest, subject: Subject) -> AttentionRequest:
    """The request with what this model reads noted."""
    return replace_takes(request, tuple(sorted(subject.takes)))


def replace_takes(request: AttentionRequest, takes: tuple[str, ...]) -> AttentionRequest:
    """The request for a model that reads this."""
    return request if request.takes == takes else request.replace(takes=takes)
