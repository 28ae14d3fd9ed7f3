"""An anatomy on disk: the counts as CSV, its numbers as JSON, the script, and a small picture."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

from studio.host.export.tables import csv_text
from studio.host.results import ResultsStore
from studio.ml.anatomy.flops import crossing
from studio.ml.anatomy.memory import active_bytes, cache_bytes, weight_bytes
from studio_plugins.anatomy.results import Look
from studio_plugins.anatomy.script import script
from studio_plugins.anatomy.sheets import cost_table, count_table, part_table, tree_table
from studio_plugins.anatomy.words import parameters_words

_SIDE = 192
_INKS = {"projections": "#0b6b80", "ffn": "#c2571a", "scores": "#b3326e"}


def keep(look: Look, store: ResultsStore) -> str:
    """Save it; returns the id of the record. Raises StoreUnwritable."""
    files: dict[str, bytes | Path | Callable[[Path], object]] = {
        "anatomy.json": json.dumps(summary(look), indent=1, ensure_ascii=False).encode(),
        "modules.csv": csv_text(tree_table(look)).encode(),
    }
    if look.stack is not None:
        files["counts.csv"] = csv_text(count_table(look)).encode()
        files["operations.csv"] = csv_text(cost_table(look)).encode()
    if look.measured is not None and look.measured.diagram is not None:
        files["layer.csv"] = csv_text(part_table(look)).encode()
    if not look.anatomy.blueprint.own:
        files["anatomy.py"] = script(look).encode()
    record = store.add(
        look.request.kind,
        look.request,
        files,
        title=f"{look.anatomy.blueprint.title}: {parameters_words(look.parameters)} parameters"
        + (f", T = {look.tokens:,}" if look.stack is not None else ""),
        thumbnail=_picture(look),
        metrics={"parameters": look.parameters},
    )
    return record.id


def summary(look: Look) -> dict[str, object]:
    """The numbers as plain data."""
    found: dict[str, object] = {
        "model": look.anatomy.blueprint.title,
        "type": look.anatomy.blueprint.model_type,
        "class": look.anatomy.model_class,
        "hypothetical": look.change is not None,
        "parameters": look.parameters,
        "unexplained": look.shown_anatomy.count.residual,
        "weight_bytes": weight_bytes(look.parameters, look.request.precision),
    }
    if look.stack is not None:
        cost = look.cost()
        found |= {
            "sizes": dict(look.stack.sizes()),
            "tokens": look.tokens,
            "batch": look.request.batch,
            "operations_by_formula": cost.total,
            "operations_of_scores": cost.scores,
            "crossing": crossing(look.stack.block).rest,
        }
        if look.stack.caches:
            size = active_bytes(look.request.precision)
            found["cache_bytes"] = cache_bytes(look.stack, look.tokens, look.request.batch, size, look.source)
    if look.measured is not None and look.measured.metered is not None:
        found["operations_counted"] = dict(look.measured.metered.stacks)
        found["operations_of_the_model"] = look.measured.metered.total
    if look.timed is not None:
        timing = look.timed.timing
        found["seconds_of_one_layer"] = list(timing.seconds)
        found["operations_a_second"] = timing.rate
        found["timed_on"] = f"{timing.device}, {timing.dtype}, {timing.attention} attention"
    return found


def _picture(look: Look) -> bytes:
    """Where parameters or operations go, as a small PNG."""
    image = Image.new("RGB", (_SIDE, _SIDE), "white")
    draw = ImageDraw.Draw(image)
    if look.stack is not None:
        for row, length in enumerate(64 * 4**i for i in range(7)):
            cost = look.cost(length)
            x = 10.0
            for name, ink in _INKS.items():
                wide = (_SIDE - 20) * getattr(cost, name) / cost.total
                draw.rectangle([x, 12 + row * 25, x + wide, 28 + row * 25], fill=ink)
                x += wide
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
