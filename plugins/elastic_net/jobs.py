"""The jobs behind the panel: the path and the fit at one λ (while a slider moves), cross-validation, keeping."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from typing import Any

import numpy as np

from studio.engine import Event, JobContext, Offload, Progress
from studio.ml.linear.descent import Update, coordinate_descent
from studio.ml.linear.loss import Fit, explained, kkt_violation
from studio.ml.linear.penalty import Penalty
from studio.ml.linear.plane import LossPlane, loss_plane
from studio.ml.linear.problem import Problem
from studio_plugins.elastic_net import keeping
from studio_plugins.elastic_net.request import ElasticNetRequest
from studio_plugins.elastic_net.results import Answer, Kept, Known, Validated
from studio_plugins.elastic_net.source import load
from studio_plugins.elastic_net.table import Column, fingerprint, read_table

Running = Generator[Event | Offload, Any, Any]
MAX_UPDATES = 3000
SOLVER = "studio.ml.linear.scikit"


@dataclass(frozen=True, eq=False)
class Order:
    """What to work out: `known` of an earlier answer spares what has not changed; plane and updates where wanted."""

    request: ElasticNetRequest
    known: Known | None = None
    plane: bool = False
    updates: bool = False


@dataclass(frozen=True, eq=False)
class ValidationOrder(Order):
    """Which settings to cross-validate."""


@dataclass(frozen=True, eq=False)
class KeepOrder:
    """What to keep in the store: a fit, and its cross-validation where there is one."""

    answer: Answer
    validated: Validated | None = None


@dataclass(frozen=True, eq=False)
class TableRead:
    """An opened table: its columns, without their values."""

    path: str
    sha256: str
    names: tuple[str, ...]
    numeric: tuple[str, ...]
    rows: int


def answer(order: Order, ctx: JobContext) -> Generator[Event | Offload, Any, Answer]:
    """The path and the fit at today's λ. Raises UnfitData, TableUnreadable, NotConverged."""
    request = order.request
    yield Progress(0, 1, "reading the data")
    if SOLVER not in sys.modules:  # scikit-learn takes a second to load, which no other task should wait for
        yield Offload(import_module, SOLVER)
    known = order.known
    if known is None or not known.holds_path(request):
        known = yield from _known(request, known)
    from studio.ml.linear.solve import solve

    grid = known.path.strengths
    penalty = Penalty(float(request.strength * grid[0]), request.mix)
    fit = solve(known.problem, penalty, known.path.fit(known.path.nearest(penalty.strength)))
    output = min(request.output, known.problem.outputs - 1)
    pair = pair_of(request, known, fit, output) if order.plane else None
    return Answer(
        request,
        known,
        penalty,
        fit,
        kkt_violation(known.problem, fit, penalty),
        explained(known.problem, fit),
        pair,
        _plane(known.problem, fit, penalty, pair, output, request.others) if pair is not None else None,
        tuple(_updates(known.problem, penalty)) if order.updates else (),
    )


def _known(request: ElasticNetRequest, before: Known | None) -> Generator[Event | Offload, Any, Known]:
    """The data, unless `before` holds them, and their path, one λ of a curved loss after another."""
    from studio.ml.linear.path import collect, strengths, walk

    if before is not None and before.holds_data(request):
        problem, truth, reading = before.problem, before.truth, before.reading
    else:
        data = (yield Offload(load, request)) if request.data == "own" else load(request)
        problem, truth, reading = data.problem, data.truth, data.reading
    grid = strengths(problem, request.mix, count=request.count, least=request.least)
    fits: list[Fit] = []
    for fit in walk(problem, request.mix, grid):
        fits.append(fit)
        if problem.family != "linear":
            yield Progress(len(fits), len(grid), "following the path")
    return Known(request, problem, collect(problem, request.mix, grid, fits), truth, reading)


def pair_of(request: ElasticNetRequest, known: Known, fit: Fit, output: int) -> tuple[int, int] | None:
    """The two features of the ball: those asked for, else the largest coefficients; None of a single feature."""
    names = known.problem.names
    if len(names) < 2:
        return None
    order = np.argsort(-np.abs(fit.coef[output]) - 1e-9 * np.abs(known.path.coef[-1, output]), kind="stable")
    asked = [names.index(name) for name in (request.first, request.second) if name in names]
    first, second = (asked + [int(at) for at in order if at not in asked])[:2]
    return first, second


def _plane(problem: Problem, fit: Fit, penalty: Penalty, pair: tuple[int, int], output: int, others: str) -> LossPlane:
    """The loss over two coefficients, with the others held, or in a model of these two features alone."""
    mixes = (penalty.mix, 1.0, 0.0)
    if others == "held":
        return loss_plane(problem, fit, penalty.strength, mixes, pair, output)
    from studio.ml.linear.solve import solve

    alone = problem.columns(pair)
    return loss_plane(alone, solve(alone, penalty), penalty.strength, mixes, (0, 1), output)


def _updates(problem: Problem, penalty: Penalty) -> Iterator[Update]:
    return islice(coordinate_descent(problem, penalty, tolerance=1e-6), MAX_UPDATES)


def crossvalidate(order: ValidationOrder, ctx: JobContext) -> Generator[Event | Offload, Any, Validated]:
    """The held-out error of every λ, a fold a step. Raises as `answer`, UnfitData."""
    request, known = order.request, order.known
    yield Progress(0, request.folds, "cross-validating")
    if SOLVER not in sys.modules:
        yield Offload(import_module, SOLVER)
    if known is None or not known.holds_path(request):
        known = yield from _known(request, known)
    from studio.ml.linear.crossval import CrossValidation, held_out_errors, held_out_rows

    held_out = held_out_rows(known.problem, request.folds, request.seed)
    errors = []
    for rows in held_out:
        errors.append(held_out_errors(known.problem, request.mix, known.path.strengths, rows))
        yield Progress(len(errors), len(held_out), f"fold {len(errors)} of {len(held_out)}")
    sizes = np.array([len(rows) for rows in held_out], dtype=np.float64)
    curve = CrossValidation(known.path.strengths, np.array(errors), sizes)
    return Validated(request, known.problem, curve, known.path.nonzero())


def elastic_net(request: ElasticNetRequest, ctx: JobContext) -> Generator[Event | Offload, Any, Kept]:
    """The whole of it: path, cross-validation, and both kept in the store."""
    found = yield from answer(Order(request), ctx)
    validated = yield from crossvalidate(ValidationOrder(request, found.known), ctx)
    kept: Kept = yield from keep(KeepOrder(found, validated), ctx)
    return kept


def keep(order: KeepOrder, ctx: JobContext) -> Generator[Event | Offload, Any, Kept]:
    """Keep a fit in the store. Raises StoreUnwritable."""
    yield Progress(0, 1, "keeping the fit")
    record_id: str = yield Offload(keeping.keep, order.answer, order.validated, ctx.services["results"])
    return Kept(record_id)


def open_table(path: Any, ctx: JobContext) -> Generator[Event | Offload, Any, TableRead]:
    """Look into a table. Raises TableUnreadable."""
    yield Progress(0, 1, f"reading {path.name}")
    columns, sha256 = yield Offload(_columns_of, path)
    names, numeric = (c.name for c in columns), (c.name for c in columns if c.numeric)
    return TableRead(str(path), sha256, tuple(names), tuple(numeric), len(columns[0].values))


def paste_table(order: tuple[Any, str], ctx: JobContext) -> Generator[Event | Offload, Any, TableRead]:
    """Keep pasted text (folder, text) as a file, and look into it. Raises TableUnreadable, FileUnwritable."""
    folder, text = order
    path = yield Offload(keeping.write_pasted, folder, text)
    read: TableRead = yield from open_table(path, ctx)
    return read


def _columns_of(path: Any) -> tuple[list[Column], str]:
    return read_table(path), fingerprint(path)
