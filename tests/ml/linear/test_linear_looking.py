"""What the panel shows of the elastic net: cross-validation, coordinate descent, the loss and the ball in a plane."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import ElasticNetCV, LogisticRegression
from sklearn.metrics import log_loss
from studio.ml.linear.crossval import CrossValidation, held_out_errors, held_out_rows
from studio.ml.linear.descent import coordinate_descent
from studio.ml.linear.loss import Fit, objective
from studio.ml.linear.path import largest_strength, strengths
from studio.ml.linear.penalty import Penalty
from studio.ml.linear.plane import loss_plane
from studio.ml.linear.problem import UnfitData, prepare
from studio.ml.linear.samples import sample
from studio.ml.linear.solve import solve


def problem_of(name, family, **options):
    found = sample(name, family)
    return prepare(found.features, found.target, found.names, family, **options)


def test_the_folds_hold_every_row_out_once_and_spread_the_classes():
    problem = problem_of("wine", "multinomial")
    held = held_out_rows(problem, 5, seed=1)
    assert sorted(np.concatenate(held).tolist()) == list(range(problem.n))
    counts = np.array([np.bincount(problem.y[rows].astype(int), minlength=3) for rows in held])
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()
    assert not np.array_equal(held[0], held_out_rows(problem, 5, seed=2)[0])


def test_the_error_curve_is_that_of_scikit_learn():
    problem = problem_of("diabetes", "linear", standardise=False)  # scikit-learn does not scale its folds
    grid = strengths(problem, 0.5, count=12)
    held = held_out_rows(problem, 5, seed=0)
    splits = [(np.setdiff1d(np.arange(problem.n), rows), rows) for rows in held]
    reference = ElasticNetCV(l1_ratio=0.5, alphas=grid, cv=splits, tol=1e-10, max_iter=10**5).fit(problem.X, problem.y)
    errors = np.array([held_out_errors(problem, 0.5, grid, rows) for rows in held])
    assert errors.T == pytest.approx(reference.mse_path_, rel=1e-6)
    found = CrossValidation(grid, errors, np.array([len(rows) for rows in held]))
    assert found.strengths[found.best] == pytest.approx(reference.alpha_, rel=0.5)


def test_the_deviance_is_twice_the_held_out_log_loss():
    problem = problem_of("sparse", "logistic")
    held = held_out_rows(problem, 4, seed=0)[0]
    grid = strengths(problem, 0.5, count=3, least=0.1)
    errors = held_out_errors(problem, 0.5, grid, held)
    raw = problem.X * problem.scale + problem.mean
    rest = np.setdiff1d(np.arange(problem.n), held)
    mean, spread = raw[rest].mean(axis=0), raw[rest].std(axis=0)
    names = Penalty(float(grid[2]), 0.5).in_scikit_learn("logistic", len(rest))
    reference = LogisticRegression(**names, solver="saga", tol=1e-8, max_iter=3000)
    reference.fit((raw[rest] - mean) / spread, problem.y[rest])
    expected = 2 * log_loss(problem.y[held], reference.predict_proba((raw[held] - mean) / spread))
    assert errors[2] == pytest.approx(expected, rel=1e-4)


def test_the_one_standard_error_rule_takes_the_largest_penalty_within_reach():
    errors = np.array([[4.0, 2.2, 1.0, 1.0], [6.0, 2.0, 2.0, 2.2]])
    found = CrossValidation(np.array([8.0, 4.0, 2.0, 1.0]), errors, np.array([10, 10]))
    assert found.mean == pytest.approx([5.0, 2.1, 1.5, 1.6]) and found.best == 2
    assert found.standard_error[2] == pytest.approx(0.5)  # the spread 0.5 over √(2 − 1)
    assert found.simplest == 2
    wider = CrossValidation(found.strengths, np.array([[4.0, 2.2, 0.8, 1.0], [6.0, 2.0, 2.2, 2.2]]), found.sizes)
    assert wider.best == 2 and wider.simplest == 1


def test_folds_that_cannot_be_made_are_refused_in_words():
    problem = prepare([[1.0], [2.0], [4.0], [3.0]], ["a", "a", "a", "b"], ["x"], "logistic")
    with pytest.raises(UnfitData, match="“b” has 1 row"):
        held_out_rows(problem, 2, 0)
    with pytest.raises(UnfitData, match="at most 4 folds"):
        held_out_rows(problem, 9, 0)


@pytest.mark.parametrize(
    ("name", "family", "mix"), [("diabetes", "linear", 0.5), ("sparse", "logistic", 0.7), ("wine", "multinomial", 0.5)]
)
def test_coordinate_descent_falls_to_scikit_learns_solution(name, family, mix):
    problem = problem_of(name, family)
    penalty = Penalty(0.3 * largest_strength(problem, mix), mix)
    updates = list(coordinate_descent(problem, penalty, tolerance=1e-9, sweeps=400))
    values = [update.objective for update in updates]
    assert (np.diff(values) <= 1e-12 * abs(values[0])).all()
    best = solve(problem, penalty)
    assert values[-1] == pytest.approx(objective(problem, best, penalty), rel=1e-7)
    assert updates[-1].coef == pytest.approx(best.coef, abs=1e-4 * max(1, abs(best.coef).max()))
    first = updates[0]
    assert first.before == 0 and first.after == pytest.approx(penalty.update(first.rho, first.curvature))


def test_the_first_linear_step_is_the_plain_regression_on_one_feature():
    problem = problem_of("diabetes", "linear")
    update = next(iter(coordinate_descent(problem, Penalty(0.0, 1.0))))
    x = problem.X[:, 0]
    assert update.rho == pytest.approx(x @ problem.y / problem.n) and update.curvature == pytest.approx(1)
    assert update.after == pytest.approx(np.polyfit(x, problem.y, 1)[0])


@pytest.mark.parametrize(("name", "family"), [("diabetes", "linear"), ("sparse", "logistic"), ("wine", "multinomial")])
def test_the_ball_touches_the_loss_where_the_fit_is(name, family):
    problem = problem_of(name, family)
    mix, pair = 0.6, (1, 2)
    penalty = Penalty(0.1 * largest_strength(problem, mix), mix)
    fit = solve(problem, penalty)
    plane = loss_plane(problem, fit, penalty.strength, (mix, 1.0, 0.0), pair, cells=31)
    elastic = plane.touching[0]
    assert elastic.point == pytest.approx(fit.coef[0, list(pair)], abs=1e-5)
    # No point of the ball has a smaller loss, and the level lines have one tangent where the ball is smooth.
    for touching in plane.touching:
        for point in touching.ball[::20]:
            coef = fit.coef.copy()
            coef[0, list(pair)] = point
            moved = objective(problem, Fit(coef, fit.intercept), Penalty(0.0, 1.0))
            assert moved >= touching.loss - 1e-7
    ridge = plane.touching[2]
    outward = -np.array(ridge.slope) / np.array(ridge.point)
    assert outward[0] == pytest.approx(outward[1], rel=1e-4) == pytest.approx(penalty.strength, rel=1e-3)


@pytest.mark.parametrize("family", ["linear", "logistic", "multinomial"])
def test_the_plane_holds_the_true_losses(family):
    problem = problem_of("sparse", family)
    fit = solve(problem, Penalty(0.05, 0.5))
    plane = loss_plane(problem, fit, 0.05, (0.5,), (0, 3), cells=21)
    coef = fit.coef.copy()
    coef[0, 0], coef[0, 3] = plane.u[4], plane.v[17]
    assert plane.loss[4, 17] == pytest.approx(objective(problem, Fit(coef, fit.intercept), Penalty(0.0, 1.0)))
    assert plane.loss.min() >= objective(problem, Fit(coef_at(fit, plane.bottom), fit.intercept), Penalty(0, 1)) - 1e-9


def coef_at(fit, point):
    coef = fit.coef.copy()
    coef[0, 0], coef[0, 3] = point
    return coef
