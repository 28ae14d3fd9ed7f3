"""Runs kept in the History, to be compared with those of now."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.request import RequestError
from studio.ml.rl.errors import BadCheckpoint
from studio.ml.rl.record import Curve
from studio_plugins.rl.keeping import CURVES_FILE, curves_read
from studio_plugins.rl.plans import settings_of
from studio_plugins.rl.request import RlRequest, RunFields

if TYPE_CHECKING:
    from studio.host.results import ResultsStore

Running = Generator[Event | Offload, Any, Any]
MOST = 50
_TOLD = 3


@dataclass(frozen=True)
class KeptRun:
    """A record of the store. when: as a person writes it, in the time of this machine. about: settings of its own."""

    id: str
    title: str
    when: str
    about: str = ""


@dataclass(frozen=True)
class KeptRunList:
    """The newest first."""

    runs: tuple[KeptRun, ...]


def list_runs(_request: None, ctx: JobContext) -> Running:
    """The newest runs of the History that are not in its trash."""
    yield Progress(0, 1, "looking into the History")
    return KeptRunList((yield Offload(_listed, ctx.services["results"])))


def _listed(store: ResultsStore) -> tuple[KeptRun, ...]:
    return tuple(
        KeptRun(record.id, record.title or "A run", _when(record.created), _about(record.request))
        for record in store.records(kind=RlRequest.kind, limit=MOST)
    )


def _about(stored: Mapping[str, Any]) -> str:
    """The settings that differ from the agent's own, a few of them: what tells runs of one name apart."""
    try:
        run = RlRequest.from_json(stored).runs[0]
        usual, values = settings_of(RunFields(agent=run.agent)), run.values()
    except (RequestError, IndexError):
        return ""
    changed = [f"{name} {value}" for name, value in values.items() if getattr(usual, name, value) != value]
    return ", ".join(changed[:_TOLD]) + (" …" if len(changed) > _TOLD else "")


def _when(created: str) -> str:
    return datetime.fromisoformat(created).astimezone().strftime("%d %b %Y, %H:%M").lstrip("0")


@dataclass(frozen=True, eq=False)
class KeptCurves:
    """The curves of a kept run by measure, one for each seed."""

    run: KeptRun
    curves: Mapping[str, tuple[Curve, ...]]


def read_run(run: KeptRun, ctx: JobContext) -> Running:
    """Read the curves of a kept run. Raises ResultMissing, and BadCheckpoint where they are damaged."""
    yield Progress(0, 1, "reading a kept run")
    curves: Mapping[str, tuple[Curve, ...]] = yield Offload(_read, ctx.services["results"], run)
    return KeptCurves(run, curves)


def _read(store: ResultsStore, run: KeptRun) -> Mapping[str, tuple[Curve, ...]]:
    path: Path | None = store.get(run.id).files.get(CURVES_FILE)
    if path is None:
        raise BadCheckpoint(f"“{run.title}” of {run.when} has lost its curves; it can be run again from the History.")
    try:
        curves = curves_read(json.loads(path.read_bytes()))
        if "return" not in curves or not all(_is_whole(curve) for seeds in curves.values() for curve in seeds):
            raise ValueError("not all columns are there")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadCheckpoint(
            f"The curves of “{run.title}” of {run.when} are damaged ({type(error).__name__}: {error}). "
            "Its settings can still be run again from the History."
        ) from error
    return curves


def _is_whole(curve: Curve) -> bool:
    return len(curve.steps) == len(curve.episodes) == len(curve.seconds) == len(curve.values)
