"""A boundary on disk: the points, both Gram matrices, the numbers as JSON, and a small picture."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from studio.host.export.tables import csv_text
from studio.host.results import ResultsStore
from studio_plugins.kernel_trick.request import EDGE
from studio_plugins.kernel_trick.results import Look
from studio_plugins.kernel_trick.sheets import gram_table, point_table
from studio_plugins.kernel_trick.words import kernel_words

_SIDE = 192
_INKS = ((11, 107, 128), (194, 87, 26))


def keep(look: Look, store: ResultsStore) -> str:
    """Save it; returns the id of the record. Raises StoreUnwritable."""
    boundary, difference = look.boundary, look.grams.difference
    summary = {
        "kernel": kernel_words(look.kernel),
        "intercept": boundary.intercept if boundary else None,
        "norm": boundary.norm if boundary else None,
        "support_vectors": len(boundary.support) if boundary else None,
        "features": look.grams.count,
        "largest_gram_difference": float(np.abs(difference).max(initial=0.0)),
    }
    files: dict[str, bytes | Path | Callable[[Path], object]] = {
        "boundary.json": json.dumps(summary, indent=1, ensure_ascii=False).encode(),
        "points.csv": csv_text(point_table(look)).encode(),
        "gram.csv": csv_text(gram_table(look)).encode(),
    }
    record = store.add(
        look.request.kind,
        look.request,
        files,
        title=f"{len(look.points)} points, {kernel_words(look.kernel)}",
        thumbnail=_picture(look),
        metrics={"points": len(look.points), "wrong": boundary.wrong if boundary else 0},
    )
    return record.id


def _picture(look: Look) -> bytes:
    """The field and the points, as a small PNG."""
    pixels = np.full((_SIDE, _SIDE, 3), 255, np.uint8)
    if look.field is not None:
        at = np.linspace(0, len(look.field) - 1, _SIDE).round().astype(int)
        side = look.field[np.ix_(at, at)].T[::-1] > 0
        pixels[:] = np.where(side[..., None], (252, 226, 210), (208, 232, 238))
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    for (x, y), label in zip(look.points, look.labels, strict=True):
        across, down = (x + EDGE) / (2 * EDGE) * _SIDE, (EDGE - y) / (2 * EDGE) * _SIDE
        draw.ellipse([across - 3, down - 3, across + 3, down + 3], fill=_INKS[label])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
