"""A run on disk: its plan, its curves as a table, its agents, and a small picture of its return."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from studio.host.export import Table
from studio.host.export.tables import csv_text
from studio.host.results import ResultsStore
from studio.ml.rl.record import Curve
from studio_plugins.rl.catalogue import title_of
from studio_plugins.rl.plans import agent_title
from studio_plugins.rl.request import RlRequest, RunFields

if TYPE_CHECKING:
    from studio.ml.rl.plan import Plan
    from studio.ml.rl.session import Session

CURVES_FILE, RUN_FILE, RETURNS_FILE = "curves.json", "run.json", "returns.npz"
_SIDE, _LARGE, _LAST = 192, 640, 100
_INK, _FAINT = "#0b6b80", "#c8dfe5"


def keep(session: Session, store: ResultsStore) -> str:
    """Save a run as it stands; returns the id of the record. Raises StoreUnwritable."""
    plan, view = session.plan, session.view()
    last = [float(np.mean(curve.values[-_LAST:])) for curve in view.curves["return"] if len(curve.values)]
    mean = round(float(np.mean(last)), 3) if last else None
    told = {
        "plan": plan.to_json(), "steps": view.steps, "seconds": round(view.seconds, 2), "finished": view.finished,
        "trouble": view.trouble, "edits": [asdict(note) for note in view.notes], "final_return": mean,
    }  # fmt: skip
    files: dict[str, bytes | Path | Callable[[Path], object]] = {
        RUN_FILE: json.dumps(told, indent=1, ensure_ascii=False).encode(),
        CURVES_FILE: json.dumps(curves_told(view.curves)).encode(),
        RETURNS_FILE: lambda path: np.savez(path, **_totals(session)),
        "returns.png": picture(view.curves["return"], _LARGE),
        "returns.csv": csv_text(returns_table(view.curves["return"], plan.seed)).encode(),
    }
    record = store.add(
        RlRequest.kind, request_of(plan), files, title=title(plan), thumbnail=picture(view.curves["return"]),
        provenance={"edits": len(view.notes), "steps": view.total},
        metrics={"final_return": mean, "steps": view.steps, "seconds": round(view.seconds, 1)},
    )  # fmt: skip
    return record.id


def _totals(session: Session) -> dict[str, NDArray[np.float64]]:
    """The return of every episode, by seed: no clock is in them, so that a run done again is compared by them."""
    return {f"seed {session.plan.seed + k}": np.array(record.totals) for k, record in enumerate(session.records)}


def title(plan: Plan) -> str:
    """What a run is called: "Sarsa in Cliff walking, 10 seeds"."""
    seeds = f"{plan.seeds} seeds" if plan.seeds > 1 else f"seed {plan.seed}"
    return f"{agent_title(plan)} in {title_of(plan.world)}, {seeds}"


def request_of(*plans: Plan) -> RlRequest:
    """The request that these runs begin with, edits on the way left out."""
    first = plans[0]
    most = max(plan.steps for plan in plans)
    runs = tuple(
        RunFields(
            agent=plan.kind, settings=tuple(asdict(plan.settings).items()), steps=plan.steps if plan.steps < most else 0
        )
        for plan in plans
    )
    world = json.dumps(first.world.to_json(), ensure_ascii=False)
    return RlRequest.checked(world=world, runs=runs, seed=first.seed, seeds=first.seeds, steps=most)


def curves_told(curves: Any) -> dict[str, list[dict[str, list[float | None]]]]:
    """Curves as JSON data: measure → one a seed → columns. What is no number is None."""
    return {
        name: [{column: _numbers(getattr(curve, column)) for column in Curve.__slots__} for curve in seeds]
        for name, seeds in curves.items()
    }


def curves_read(told: dict[str, list[dict[str, list[float | None]]]]) -> dict[str, tuple[Curve, ...]]:
    """What `curves_told` gave. Raises KeyError, TypeError, ValueError."""

    def column(numbers: list[float | None]) -> Any:
        return np.array([np.nan if x is None else x for x in numbers], dtype=np.float64)

    return {
        name: tuple(
            Curve(
                column(seed["steps"]).astype(np.int64), column(seed["episodes"]).astype(np.int64),
                column(seed["seconds"]), column(seed["values"]),
            )
            for seed in seeds
        )
        for name, seeds in told.items()
    }  # fmt: skip


def returns_table(curves: Any, first_seed: int) -> Table:
    """A row for each point of each seed's return: seed, steps, episodes, seconds, return."""
    seeds = np.concatenate([np.full(len(c.values), first_seed + k) for k, c in enumerate(curves)]).astype(int)
    columns = {name: np.concatenate([getattr(c, name) for c in curves]).tolist() for name in Curve.__slots__}
    columns["return"] = columns.pop("values")
    return Table({"seed": seeds.tolist(), **columns})


def _numbers(values: Any) -> list[float | None]:
    return [None if value != value or abs(value) == float("inf") else value for value in np.asarray(values).tolist()]


def picture(curves: Any, side: int = _SIDE) -> bytes:
    """Every seed's return, and their mean, as a square PNG."""
    image, thick = Image.new("RGB", (side, side), "white"), max(1, side // 256)
    draw = ImageDraw.Draw(image)
    drawn = [c for c in curves if len(c.values) > 1]
    if drawn:
        low, high = np.percentile(np.concatenate([c.values for c in drawn]), (2, 100))
        end, span = max(float(c.steps[-1]) for c in drawn), max(float(high - low), 1e-9)
        x = np.linspace(0, end, side - 16)
        lines = [np.interp(x, c.steps, c.values) for c in drawn]
        seeds = [(line, _FAINT, thick) for line in lines[:20]]
        for line, ink, width in [*seeds, (np.mean(lines, axis=0), _INK, thick + 2)]:
            y = side - 10 - (side - 20) * np.clip((line - low) / span, 0, 1)
            draw.line([(8 + k, float(value)) for k, value in enumerate(y)], fill=ink, width=width)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
