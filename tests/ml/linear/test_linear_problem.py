"""Data for linear models: what is left out and said, what is refused in words."""

from __future__ import annotations

import numpy as np
import pytest
from studio.ml.linear.problem import UnfitData, family_of, prepare
from studio.ml.linear.samples import sample

X = np.array([[1.0, 5.0, 2.0], [2.0, 5.0, 1.0], [3.0, 5.0, 7.0], [4.0, 5.0, 1.0]])
NAMES = ["a", "b", "c"]


def test_columns_are_centred_and_scaled_and_constant_ones_left_out():
    problem = prepare(X, [1.0, 2.0, 4.0, 9.0], NAMES, "linear")
    assert problem.names == ("a", "c") and problem.notes == ("“b” is constant and was left out",)
    assert problem.X.mean(axis=0) == pytest.approx([0, 0], abs=1e-15) and problem.X.std(axis=0) == pytest.approx([1, 1])
    assert problem.X * problem.scale + problem.mean == pytest.approx(X[:, [0, 2]])
    assert problem.y.mean() == 0 and problem.target_mean == 4
    plain = prepare(X, [1.0, 2.0, 4.0, 9.0], NAMES, "linear", standardise=False)
    assert plain.scale.tolist() == [1, 1] and plain.X.std(axis=0) == pytest.approx(X[:, [0, 2]].std(axis=0))


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
def test_rows_with_gaps_are_left_out_and_counted(gap):
    holes = X.copy()
    holes[1, 2] = gap
    problem = prepare(holes, [1.0, 2.0, None, 9.0], NAMES, "linear")
    assert problem.n == 2 and problem.notes[0] == "2 of 4 rows have gaps and were left out"


@pytest.mark.parametrize(
    ("target", "family", "words"),
    [
        ([1.0, 1.0, 1.0, 1.0], "linear", "1 in every row"),
        (["x", "y", "x", "y"], "linear", "text, not numbers"),
        (["x", "x", "x", "x"], "logistic", "of the class “x”"),
        (["x", "y", "z", "x"], "logistic", "multinomial"),
        ([None, None, None, 1.0], "linear", "Only 1 rows"),
        ([1.0, 2.0], "linear", "as many of each"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_said_in_words(target, family, words):
    with pytest.raises(UnfitData, match=words):
        prepare(X, target, NAMES, family)


def test_too_many_classes_and_only_constant_features_are_refused():
    with pytest.raises(UnfitData, match="30 different values"):
        prepare(np.arange(30.0)[:, None], list(range(30)), ["a"], "multinomial")
    with pytest.raises(UnfitData, match="Every feature is constant"):
        prepare(np.ones((4, 2)), [1.0, 2.0, 3.0, 4.0], ["a", "b"], "linear")
    with pytest.raises(UnfitData, match="one name a column"):
        prepare(X, [1.0] * 4, ["a"], "linear")


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_huge_and_tiny_columns_become_the_same_problem(scale):
    here = prepare(X[:, [0, 2]], [1.0, 2.0, 4.0, 9.0], ["a", "c"], "linear")
    there = prepare(X[:, [0, 2]] * scale, [1.0, 2.0, 4.0, 9.0], ["a", "c"], "linear")
    assert there.X == pytest.approx(here.X, rel=1e-9)


def test_the_family_follows_the_response():
    assert family_of([1.0, 2.5, 3.0]) == "linear"
    assert family_of([0.0, 1.0, np.nan, 1.0]) == "logistic"
    assert family_of(["a", "b", None, "c"]) == "multinomial"


def test_rows_alone_are_scaled_by_themselves():
    problem = prepare(X, [1.0, 2.0, 4.0, 9.0], NAMES, "linear")
    part = problem.rows(np.array([0, 1, 3]))
    assert part.X.mean(axis=0) == pytest.approx([0, 0], abs=1e-15) and part.target_mean == 4
    assert part.X * part.scale + part.mean == pytest.approx(X[[0, 1, 3]][:, [0, 2]])
    constant = problem.rows(np.array([1, 3]))
    assert constant.X[:, 1].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("name", "shape", "family"),
    [("diabetes", (442, 10), "linear"), ("cancer", (569, 30), "logistic"), ("wine", (178, 13), "multinomial")],
)
def test_the_bundled_sets_are_those_of_scikit_learn(name, shape, family):
    found = sample(name)
    assert found.features.shape == shape and found.truth is None and family_of(found.target) == family
    assert prepare(found.features, found.target, found.names, family).notes == ()


@pytest.mark.parametrize("family", ["linear", "logistic", "multinomial"])
@pytest.mark.parametrize(
    ("name", "shape", "count"), [("sparse", (100, 30), 5), ("groups", (50, 40), 15), ("wide", (60, 500), 6)]
)
def test_made_up_sets_know_their_truth(name, shape, count, family):
    found, again = sample(name, family, seed=3), sample(name, family, seed=3)
    assert found.features.shape == shape and np.count_nonzero(found.truth.any(axis=0)) == count
    assert (found.features == again.features).all() and (found.target == again.target).all()
    assert family_of(found.target) == family
    if family == "linear":
        noise = found.target - found.features @ found.truth[0]
        assert noise.std() == pytest.approx(1, abs=0.35)
