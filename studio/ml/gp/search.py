"""Searching the structure of a kernel by BIC: greedy growth of sums and products (Duvenaud et al. 2013, after Lloyd's
automatic statistician).

Each round adds a base kernel to the best kernel so far, or multiplies one of its terms by it, fits every candidate and
keeps the best by BIC = -2 log p(y) + p log n. The search is greedy: it says which of the kernels tried is best, not
that no other is better.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import NamedTuple

from studio.ml.gp.dot_product import Linear
from studio.ml.gp.errors import GPError
from studio.ml.gp.fitting import Fitted, fit
from studio.ml.gp.kernel import Kernel, Product, Scale, Sum
from studio.ml.gp.mean import Mean, ZeroMean
from studio.ml.gp.model import Data, Model
from studio.ml.gp.oscillating import Periodic
from studio.ml.gp.starting import likely_period
from studio.ml.gp.stationary import RBF, RationalQuadratic

NOISE_SHARE = 0.1
"""Of the variance of y, as the noise that every fit starts from."""


class Node(NamedTuple):
    """One kernel of the tree. parent: its index in the tree, None for the base kernels; evidence: the log marginal
    likelihood; bic: nan until it is fitted, inf where no fit succeeded.
    """

    parent: int | None
    structure: str
    model: Model
    evidence: float
    bic: float


class Growth(NamedTuple):
    """The tree so far, the node that is being fitted, the best node fitted so far (None before the first)."""

    tree: tuple[Node, ...]
    fitting: int
    best: int | None


def search(
    data: Data, mean: Mean | None = None, *, rounds: int = 3, iterations: int = 100
) -> Generator[Growth, None, Growth]:
    """Grow the tree; one `next()` is one evaluation of one fit. mean: the mean function of every model, zero if None.

    Raises GPError for fewer than three points.
    """
    if len(data) < 3:
        raise GPError("A search needs three points or more: fewer say nothing about structure")
    bases = _bases(data)
    tree: list[Node] = []
    tried: set[str] = set()
    best: int | None = None
    noise = NOISE_SHARE * (float(data.y.var()) or 1.0)
    for _ in range(rounds):
        kernel = None if best is None else tree[best].model.kernel
        before = best
        for grown in _grown(kernel, bases, data):
            name = structure(grown)
            if name in tried:
                continue
            tried.add(name)
            started = Model(grown, noise, mean or ZeroMean()) if before is None else tree[before].model
            model = replace(started, kernel=grown)
            tree.append(Node(before, name, model, math.nan, math.nan))
            at = len(tree) - 1
            tree[at] = yield from _fitted(tree, at, best, data, iterations)
            if math.isfinite(tree[at].bic) and (best is None or tree[at].bic < tree[best].bic):
                best = at
        if best == before:
            break
    return Growth(tuple(tree), len(tree) - 1, best)


def bic(model: Model, evidence: float, n: int) -> float:
    """-2 log p(y) + p log n for the p hyper-parameters of the model: lower is better."""
    return -2 * evidence + len(model.theta) * math.log(n)


def structure(kernel: Kernel) -> str:
    """The kernel without its numbers, its terms and factors sorted: the same for kernels that differ by order alone."""
    if isinstance(kernel, Sum):
        return " + ".join(sorted(structure(part) for part in kernel.parts))
    if isinstance(kernel, Product):
        texts = (f"({structure(p)})" if isinstance(_unscaled(p), Sum) else structure(p) for p in kernel.parts)
        return " * ".join(sorted(texts))
    return structure(kernel.kernel) if isinstance(kernel, Scale) else kernel.name


def _fitted(
    tree: list[Node], at: int, best: int | None, data: Data, iterations: int
) -> Generator[Growth, None, Node]:
    node = tree[at]
    steps = fit(node.model, data, iterations=iterations)
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            fitted: Fitted = stop.value
            value = fitted.evidence.total
            return node._replace(model=fitted.model, evidence=value, bic=bic(fitted.model, value, len(data)))
        except GPError:
            return node._replace(evidence=-math.inf, bic=math.inf)
        tree[at] = node._replace(model=step.model, evidence=step.value)
        yield Growth(tuple(tree), at, best)


def _bases(data: Data) -> tuple[Kernel, ...]:
    """The base kernels with units of the data: a quarter of the likely period is where a smooth curve turns."""
    period = likely_period(data)
    return RBF(period / 4), RationalQuadratic(period / 4), Periodic(period), Linear(float(data.x.mean()))


def _grown(kernel: Kernel | None, bases: tuple[Kernel, ...], data: Data) -> Iterator[Kernel]:
    """Every kernel one step beyond `kernel`; the bases themselves for None, each as tall as the data at first."""
    height = float(data.y.var()) or 1.0

    def size(base: Kernel) -> float:
        return float(base.diagonal(data.x).mean()) or 1.0

    for base in bases:
        term = Scale(height / size(base), base)
        if kernel is None:
            yield term
            continue
        terms = _scaled_terms(kernel)
        yield Sum((*terms, term))
        for i, old in enumerate(terms):
            multiplied = _times(old, base, size(base))
            yield Sum((*terms[:i], multiplied, *terms[i + 1 :])) if len(terms) > 1 else multiplied


def _scaled_terms(kernel: Kernel) -> tuple[Scale, ...]:
    terms = kernel.parts if isinstance(kernel, Sum) else (kernel,)
    return tuple(term if isinstance(term, Scale) else Scale(1.0, term) for term in terms)


def _times(term: Scale, base: Kernel, size: float) -> Scale:
    """term * base / size, its variance kept in front."""
    inner = term.kernel
    return Scale(term.variance / size, Product((*(inner.parts if isinstance(inner, Product) else (inner,)), base)))


def _unscaled(kernel: Kernel) -> Kernel:
    return _unscaled(kernel.kernel) if isinstance(kernel, Scale) else kernel
