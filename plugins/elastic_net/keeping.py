"""A fit on disk: coefficients, path and cross-validation as CSV, its numbers as JSON, and a small picture."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from studio.host.atomic import write_text
from studio.host.export.tables import csv_text
from studio.host.results import ResultsStore
from studio_plugins.elastic_net.results import Answer, Validated
from studio_plugins.elastic_net.sheets import coefficient_table, path_table, validation_table
from studio_plugins.elastic_net.words import FAMILY_WORDS

_SIDE = 192
_INKS = ("#0b6b80", "#c2571a", "#6a4fb3", "#2f7d4a", "#b3326e", "#8a6d00", "#3565c4", "#6b6f76")


def keep(answer: Answer, validated: Validated | None, store: ResultsStore) -> str:
    """Save it; returns the id of the record. Raises StoreUnwritable."""
    problem, penalty = answer.problem, answer.penalty
    used = int(answer.fit.coef.any(axis=0).sum())
    summary = {
        "family": problem.family,
        "lambda": penalty.strength,
        "alpha": penalty.mix,
        "scikit_learn": dict(penalty.in_scikit_learn(problem.family, problem.n)),
        "intercept": answer.fit.raw(problem)[1].tolist(),
        "explained": answer.explained,
        "kkt_violation": answer.violation,
        "classes": list(problem.classes),
        "notes": list(problem.notes),
    }
    files: dict[str, bytes | Path | Callable[[Path], object]] = {
        "fit.json": json.dumps(summary, indent=1, ensure_ascii=False).encode(),
        "coefficients.csv": csv_text(coefficient_table(answer)).encode(),
        "path.csv": csv_text(path_table(answer.known)).encode(),
    }
    if validated is not None and validated.fits(answer.request):
        files["cross-validation.csv"] = csv_text(validation_table(validated)).encode()
    record = store.add(
        answer.request.kind,
        answer.request,
        files,
        title=f"{FAMILY_WORDS[problem.family]} model, {used} of {problem.p} features, α = {penalty.mix:g}",
        thumbnail=_picture(answer),
        metrics={"explained": round(answer.explained, 6), "features": used},
    )
    return record.id


def write_pasted(folder: Path, text: str) -> Path:
    """Write pasted text as a CSV file named by its content. Raises FileUnwritable."""
    path = folder / f"pasted-{hashlib.sha256(text.encode()).hexdigest()[:12]}.csv"
    write_text(path, text)
    return path


def _picture(answer: Answer) -> bytes:
    """The paths of the coefficients, as a small PNG."""
    image = Image.new("RGB", (_SIDE, _SIDE), "white")
    draw = ImageDraw.Draw(image)
    coef = answer.known.path.coef[:, answer.output]
    top = max(float(np.abs(coef).max()), np.finfo(float).tiny)
    x = np.linspace(_SIDE - 8, 8, len(coef))
    for rank, feature in enumerate(np.argsort(-np.abs(coef[-1]))[:40]):
        y = _SIDE / 2 - (_SIDE / 2 - 10) * coef[:, feature] / top
        draw.line([(float(a), float(b)) for a, b in zip(x, y, strict=True)], fill=_INKS[rank % len(_INKS)], width=2)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
