"""The structure search: finds what made the data, grows a tree, says what is best."""

from __future__ import annotations

import math

import numpy as np
import pytest

from studio.ml.gp.errors import GPError
from studio.ml.gp.exact import Posterior
from studio.ml.gp.fitting import completed
from studio.ml.gp.grammar import parse
from studio.ml.gp.model import Data, Model
from studio.ml.gp.search import bic, search, structure

X = np.linspace(0, 10, 40)
NOISE = 0.1 * np.random.default_rng(0).standard_normal(40)


@pytest.mark.parametrize(("y", "found"), [(1.5 * X + NOISE, "Linear"), (np.sin(4 * X) + NOISE, "Periodic")])
def test_the_simplest_true_structure_wins(y: np.ndarray, found: str) -> None:
    end = completed(search(Data.of(X, y), rounds=1))
    assert end.best is not None
    assert end.tree[end.best].structure == found


def test_the_tree_grows_by_children_of_the_best() -> None:
    data = Data.of(X, np.sin(4 * X) + 0.5 * X + NOISE)
    steps = search(data, rounds=2, iterations=40)
    sizes, last = [], None
    while True:
        try:
            last = next(steps)
            sizes.append(len(last.tree))
        except StopIteration as stop:
            end = stop.value
            break
    assert sizes == sorted(sizes)
    assert math.isnan(last.tree[last.fitting].bic)
    children = [node for node in end.tree if node.parent is not None]
    assert {node.parent for node in children} == {min(range(4), key=lambda i: end.tree[i].bic)}
    assert len({node.structure for node in end.tree}) == len(end.tree)
    best = end.tree[end.best]
    assert best.bic == min(node.bic for node in end.tree) < min(node.bic for node in end.tree[:4])
    assert best.bic == bic(best.model, Posterior.of(best.model, data).evidence.total, len(data))


def test_structure_knows_no_order_and_no_numbers() -> None:
    assert structure(parse("2*RBF(3)*Linear + Periodic")) == structure(parse("Periodic(9) + Linear*RBF"))
    assert structure(parse("3*(RBF + Linear)*Periodic")) == "(Linear + RBF) * Periodic"


def test_bic_by_hand() -> None:
    assert bic(Model(parse("2*RBF"), 0.1), -10.0, 100) == pytest.approx(20 + 3 * math.log(100))


def test_too_few_points_say_so() -> None:
    with pytest.raises(GPError, match="three points"):
        next(search(Data.of([1.0, 2.0], [1.0, 2.0])))
