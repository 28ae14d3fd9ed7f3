"""Questions about a trace that is there already: one head's map, a rectangle, a row and a column, a pair of tokens."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.atomic import write_bytes, write_text
from studio.host.request import RequestError, split_kind
from studio_plugins.attention import tracing
from studio_plugins.attention.request import AttentionRequest
from studio_plugins.attention.results import (
    HeadKey, HeadMap, Level, Lines, Opened, PairProducts, Patch, Saved, Side, Sides,
)  # fmt: skip

SIDES_LIMIT = 2048
"""Tokens up to which whole maps are put side by side."""


@dataclass(frozen=True)
class HeadOrder:
    """One head of a reading."""

    key: str
    head: HeadKey
    part: int = 0


@dataclass(frozen=True)
class PatchOrder:
    """A rectangle of its map."""

    key: str
    head: HeadKey
    part: int
    rows: range
    columns: range


@dataclass(frozen=True)
class LinesOrder:
    """A row and a column of it, -1 for none."""

    key: str
    head: HeadKey
    part: int
    row: int
    column: int


@dataclass(frozen=True)
class SidesOrder:
    """Four ways of looking at the place of a head. question, answer: of the relevancy, None for the likeliest."""

    key: str
    head: HeadKey
    part: int
    request: AttentionRequest
    question: int = 0
    answer: int | None = None
    drop_sink: bool = False


def head(order: HeadOrder, ctx: JobContext) -> Generator[Event | Offload, Any, HeadMap]:
    """One head's map, as a pyramid of maxima. Raises TraceGone."""
    from studio.ml.attention.maps import pyramid

    trace = tracing.held(order.key, ctx)
    site = trace.site(order.head[0])
    part = min(order.part, site.parts - 1)
    yield Progress(0, 1, "recomputing the map")
    found = yield Offload(pyramid, trace, site.name, order.head[1], part)
    levels = tuple(Level(factor, values) for factor, values in found)
    return HeadMap(order.key, order.head, order.part, (site.queries, site.keys), levels)


def patch(order: PatchOrder, ctx: JobContext) -> Generator[Event, None, Patch]:
    """A rectangle of a map, exactly."""
    from studio.ml.attention.maps import crop

    yield from ()
    values = crop(tracing.held(order.key, ctx), *order.head, order.rows, order.columns, order.part)
    return Patch(order.key, order.head, order.part, order.rows, order.columns, values)


def lines(order: LinesOrder, ctx: JobContext) -> Generator[Event, None, Lines]:
    """One row, and one column where asked for (which needs all rows)."""
    from studio.ml.attention.maps import column, row

    yield from ()
    trace = tracing.held(order.key, ctx)
    along_row = row(trace, *order.head, order.row, order.part) if order.row >= 0 else None
    along_column = column(trace, *order.head, order.column, order.part) if order.column >= 0 else None
    return Lines(order.key, order.head, order.row, order.column, along_row, along_column)


def pair(order: LinesOrder, ctx: JobContext) -> Generator[Event, None, PairProducts]:
    """q·k of a pair of tokens, dimension by dimension. Raises NotForThisModel."""
    from studio.ml.attention.neuron import pair as products

    yield from ()
    found = products(tracing.held(order.key, ctx), *order.head, order.row, order.column, order.part)
    return PairProducts(
        order.key, order.head, order.row, order.column, found.query, found.key, found.products, found.scale, found.bias,
        found.score, found.weight,
    )  # fmt: skip


def sides(order: SidesOrder, ctx: JobContext) -> Generator[Event | Offload, Any, Sides]:
    """Raw, rollout, relevancy and norm-weighted; those that this model cannot give say why."""
    from studio.ml.attention.errors import AttentionError
    from studio.ml.attention.maps import head as whole
    from studio.ml.attention.norms import norm_weighted
    from studio.ml.attention.relevancy import relevancy

    trace = tracing.held(order.key, ctx)
    site = trace.site(order.head[0])
    part = min(order.part, site.parts - 1)
    if max(site.queries, site.keys) > SIDES_LIMIT:
        why = f"Whole maps are put side by side up to {SIDES_LIMIT:,} tokens; this one has {max(site.queries, site.keys):,}."
        return Sides(order.key, order.head, order.part, tuple(Side(n, t, w, None, why) for n, t, w in _SIDES))
    found: list[Side] = []
    subject = yield from tracing.open_subject(order.request.model, ctx)

    def rolled() -> Any:
        from studio.ml.attention.rollout import rollout

        last = None
        for step in rollout(trace, site.tower, part=part, drop_sink=order.drop_sink):
            last = step.map
            if step.site.name == site.name:
                break
        return last, ""

    def relevant() -> Any:
        asked = tracing.held_with_input(order.key, ctx).asked
        got = relevancy(subject, asked, question=order.question, answer=order.answer, off=trace.off)
        found = got.maps["cross" if site.kind == "cross" else site.tower]
        if site.kind != "cross":  # R begins as I; what is left of it would outshine all else
            found = found - np.eye(len(found), dtype=found.dtype)
        if site.kind == "causal":
            found = np.where(np.tri(len(found), dtype=bool), found, np.nan).astype(np.float32)
        return found, f"{'R' if site.kind == 'cross' else 'R − I'} for “{got.answer or got.index}”."

    def raw() -> Any:
        return whole(trace, *order.head, part), ""

    def moved() -> Any:
        return norm_weighted(trace, *order.head, part), ""

    ways = (raw, rolled, relevant, moved)
    for i, ((name, title, told), way) in enumerate(zip(_SIDES, ways, strict=True)):
        yield Progress(i, len(ways), title.lower())
        try:
            values, more = yield Offload(way)
        except (AttentionError, KeyError) as error:
            why = str(error) if isinstance(error, AttentionError) else "There is no such map for this part of the model."
            if name == "norm" and site.method != "weights" and not any(taken.value is not None for taken in trace.taken.values()):
                why = (
                    f"Value vectors are not kept while a model writes, nor beyond {tracing.KEEP_VALUES:,} tokens. Read a "
                    "shorter text to see this."
                )
            found.append(Side(name, title, told, None, why))
        else:
            found.append(Side(name, title, f"{told} {more}".strip(), values))
    return Sides(order.key, order.head, order.part, tuple(found))


_SIDES = (
    ("raw", "Raw weights", "softmax(QKᵀ/√d) of this head."),
    ("rollout", "Rollout", "What reaches each token up to this layer, mean of heads."),
    ("relevancy", "Relevancy", "Gradient × attention, whole model (Chefer)."),
    ("norm", "Norm-weighted", "‖α·v·Wᴼ‖ of this head: how much it moves."),
)


# --- the disk ---


def probe(place: Path, ctx: JobContext) -> Generator[Event | Offload, Any, Opened]:
    """Look through a folder without reading a weight. Raises AttentionError."""
    yield Progress(0, 1, f"looking into {place.name}")
    found: Opened = yield Offload(_probe, place)
    return found


def _probe(place: Path) -> Opened:
    from studio.ml.attention.errors import NotForThisModel
    from studio.ml.attention.folder import look
    from studio.ml.attention.own import is_own

    place = place.parent if place.is_file() else place
    if is_own(place):
        config = json.loads((place / "config.json").read_text(encoding="utf-8"))
        return Opened(str(place), place.name, takes_of(config["kind"]), config["kind"])
    folder = look(place)
    if "sound" in folder.takes:
        raise NotForThisModel(
            f"{folder.title} listens to sound, which this panel cannot give it. Choose a model of text or pictures."
        )
    return Opened(str(place), folder.title, tuple(sorted(folder.takes)), folder.kind)


def takes_of(kind: str) -> tuple[str, ...]:
    """What a model of a kind reads."""
    return {
        "vision": ("picture",), "clip": ("captions", "picture"), "encoder-decoder": ("target", "text"),
    }.get(kind, ("text",))  # fmt: skip


def save_sets(saved: tuple[Path, Saved], ctx: JobContext) -> Generator[Event | Offload, Any, Saved]:
    """Write the named sets of heads. Raises FileUnwritable."""
    yield from ()
    path, sets = saved
    yield Offload(write_text, path, json.dumps(sets.sets, ensure_ascii=False, indent=1))
    return sets


def load_sets(path: Path, ctx: JobContext) -> Generator[Event | Offload, Any, Saved]:
    """Read them; none where the file is not there or damaged."""
    yield from ()
    found: Saved = yield Offload(_load_sets, path)
    return found


def _load_sets(path: Path) -> Saved:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Saved()
    if not isinstance(stored, dict):
        return Saved()
    return Saved({str(name): tuple(map(str, heads)) for name, heads in stored.items() if isinstance(heads, list)})


@dataclass(frozen=True, eq=False)
class Session:
    """The fields of a request, as a file has them."""

    fields: dict[str, Any]


class NotASession(ValueError):
    """A file that holds no settings of this panel."""


def load_session(path: Path, ctx: JobContext) -> Generator[Event | Offload, Any, Session]:
    """Read a session file. Raises NotASession, OSError."""
    yield Progress(0, 1, f"reading {path.name}")
    found: Session = yield Offload(_load_session, path)
    return found


def _load_session(path: Path) -> Session:
    try:
        kind, fields = split_kind(path.read_bytes())
    except RequestError as error:
        raise NotASession(f"“{path.name}” is no session of the studio. {error}") from error
    if kind != AttentionRequest.kind:
        raise NotASession(
            f"“{path.name}” holds no reading of the Attention panel. Drop a session exported here, or a model folder."
        )
    return Session(fields)


@dataclass(frozen=True)
class SaveOrder:
    """Bytes for a file."""

    path: Path
    content: bytes


def save_file(order: SaveOrder, ctx: JobContext) -> Generator[Event | Offload, Any, Path]:
    """Write a file. Raises FileUnwritable."""
    yield Progress(0, 1, f"saving {order.path.name}")
    yield Offload(write_bytes, order.path, order.content)
    return order.path
