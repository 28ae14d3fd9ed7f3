"""Solutions of the elastic net against scikit-learn's own estimators, closed forms and the conditions of optimality."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet, LogisticRegression, enet_path, lars_path
from studio.ml.linear.loss import Fit, gradient, kkt_violation, losses, mean_loss, objective
from studio.ml.linear.path import largest_strength, solve_path, strengths
from studio.ml.linear.penalty import Penalty, ball, soft_threshold
from studio.ml.linear.problem import prepare
from studio.ml.linear.samples import sample
from studio.ml.linear.solve import solve

FAMILIES = ("linear", "logistic", "multinomial")


def problem_of(name, family, seed=0):
    found = sample(name, family, seed)
    return prepare(found.features, found.target, found.names, family)


def unit(problem):
    """The gradient at zero, in whose units a violation is judged."""
    return max(1.0, float(np.abs(gradient(problem, Fit.zero(problem))[0]).max()))


@pytest.mark.parametrize("mix", [1.0, 0.5, 0.1])
def test_the_linear_path_is_that_of_scikit_learn(mix):
    problem = problem_of("diabetes", "linear")
    grid = strengths(problem, mix)
    path = solve_path(problem, mix, grid)
    _, reference, _ = enet_path(problem.X, problem.y, l1_ratio=mix, alphas=grid, tol=1e-14, max_iter=10**6)
    assert path.coef[:, 0] == pytest.approx(reference.T, abs=1e-6)
    assert path.violation.max() < 1e-6
    assert path.nonzero()[0] == 0 and path.nonzero()[-1] == 10
    assert path.explained[0] == pytest.approx(0) and (np.diff(path.explained) > -1e-12).all()


def test_the_lasso_path_is_that_of_least_angle_regression():
    problem = problem_of("diabetes", "linear")
    knots, _, reference = lars_path(problem.X, problem.y, method="lasso")
    assert largest_strength(problem, 1.0) == pytest.approx(knots[0], rel=1e-12)
    path = solve_path(problem, 1.0, knots[1:-1])
    assert path.coef[:, 0] == pytest.approx(reference.T[1:-1], abs=1e-6)


def test_a_ridge_is_its_closed_form():
    problem = problem_of("groups", "linear")
    grid = np.array([10.0, 1.0, 0.01])
    path = solve_path(problem, 0.0, grid)
    for strength, coef in zip(grid, path.coef[:, 0], strict=True):
        normal = problem.X.T @ problem.X + problem.n * strength * np.eye(problem.p)
        assert coef == pytest.approx(np.linalg.solve(normal, problem.X.T @ problem.y), abs=1e-10)
    assert path.violation.max() < 1e-10
    assert solve(problem, Penalty(1.0, 0.0)).coef[0] == pytest.approx(path.coef[1, 0], abs=1e-10)


@pytest.mark.parametrize("mix", [1.0, 0.5, 0.0])
@pytest.mark.parametrize(("name", "family"), [("sparse", "logistic"), ("wine", "multinomial"), ("groups", "logistic")])
def test_curved_losses_reach_the_optimum_of_scikit_learn(name, family, mix):
    problem = problem_of(name, family)
    grid = strengths(problem, mix, count=8, least=0.02)
    path = solve_path(problem, mix, grid)
    assert path.violation.max() < 1e-6
    chosen = 5
    penalty = Penalty(float(grid[chosen]), mix)
    given_names = penalty.in_scikit_learn(family, problem.n)
    reference = LogisticRegression(**given_names, solver="saga", tol=1e-8, max_iter=20_000).fit(problem.X, problem.y)
    theirs = Fit(reference.coef_, reference.intercept_)
    ours = path.fit(chosen)
    assert objective(problem, ours, penalty) <= objective(problem, theirs, penalty) + 1e-9
    probability = reference.predict_proba(problem.X)
    eta = ours.predictor(problem.X)
    mine = 1 / (1 + np.exp(-eta[:, 0])) if family == "logistic" else np.exp(eta) / np.exp(eta).sum(1, keepdims=True)
    assert mine == pytest.approx(probability[:, 1] if family == "logistic" else probability, abs=1e-4)
    if mix < 1:  # the lasso's multinomial coefficients are not unique
        assert ours.coef == pytest.approx(reference.coef_, abs=1e-3)


def test_raw_coefficients_predict_what_the_standardised_ones_do():
    found = sample("diabetes")
    problem = prepare(found.features, found.target, found.names, "linear")
    penalty = Penalty(2.0, 0.7)
    fit = solve(problem, penalty)
    coef, intercept = fit.raw(problem)
    assert found.features @ coef[0] + intercept[0] == pytest.approx(
        fit.predictor(problem.X)[:, 0] + problem.target_mean
    )
    reference = ElasticNet(**penalty.in_scikit_learn("linear", problem.n), tol=1e-12, max_iter=10**5)
    reference.fit(problem.X, found.target)
    assert fit.coef[0] == pytest.approx(reference.coef_, abs=1e-7)
    assert problem.target_mean == pytest.approx(reference.intercept_)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_agree_with_finite_differences(family):
    problem = problem_of("sparse", family).columns(range(4))
    rng = np.random.default_rng(0)
    fit = Fit(rng.standard_normal((problem.outputs, 4)), rng.standard_normal(problem.outputs))
    slope, level = gradient(problem, fit)
    step = 1e-6
    for k in range(problem.outputs):
        for j in range(4):
            up, down = fit.coef.copy(), fit.coef.copy()
            up[k, j] += step
            down[k, j] -= step
            numeric = mean_loss(problem, Fit(up, fit.intercept)) - mean_loss(problem, Fit(down, fit.intercept))
            assert slope[k, j] == pytest.approx(numeric / (2 * step), abs=1e-7)
        up, down = fit.intercept.copy(), fit.intercept.copy()
        up[k] += step
        down[k] -= step
        numeric = mean_loss(problem, Fit(fit.coef, up)) - mean_loss(problem, Fit(fit.coef, down))
        assert level[k] == pytest.approx(numeric / (2 * step), abs=1e-7)


def test_losses_do_not_overflow():
    y = np.array([0.0, 1.0])
    assert losses("logistic", y, np.array([[800.0], [-800.0]])) == pytest.approx([800, 800])
    assert losses("multinomial", y, np.array([[0.0, 900.0], [900.0, 0.0]])) == pytest.approx([900, 900])


@st.composite
def tables(draw):
    """Random data: any shape, scales over many orders of magnitude, correlated and repeated columns."""
    n, p = draw(st.integers(3, 25)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.standard_normal((n, p)) @ (np.eye(p) + draw(st.floats(0, 1)) * rng.standard_normal((p, p)))
    X *= 10.0 ** rng.integers(-9, 9, p)
    if p > 1 and draw(st.booleans()):
        X[:, -1] = X[:, 0]
    y = rng.standard_normal(n) * 10.0 ** draw(st.integers(-6, 6))
    return X, y


DEPENDENT = (
    np.array([
        [9.44057327e02, -3.77690228e-08, 1.29483949e02, 4.61336020e-03, 1.75792354e07, 7.20492522e-03, -3.14219761e-04, -1.12107290e03, -4.07197259e05, 2.90054525e-08],
        [4.81425100e02, -2.59277171e-10, -8.71260114e01, -6.11424746e-03, -1.15258162e07, 1.97781568e-04, -5.55152529e-05, 1.19664869e02, 1.32015103e06, -2.17974068e-09],
        [-6.49497396e01, 1.38290133e-08, 8.05871193e01, -3.57098460e-03, 3.34421569e05, -2.43115492e-03, 2.44338340e-04, -9.26990470e01, 8.54830341e05, 1.50784313e-08],
    ]),
    np.array([0.6576399, -0.30514443, -0.45246789]),
)  # fmt: skip
"""Three of its ten columns, which are dependent, once stayed in the support together."""


@example(DEPENDENT, "linear", 1.0, 0.5)
@given(tables(), st.sampled_from(FAMILIES), st.sampled_from([0.0, 0.05, 0.5, 0.95, 1.0]), st.floats(0.02, 1.2))
@hypothesis_settings(max_examples=60)
def test_every_solution_satisfies_the_kkt_conditions(table, family, mix, share):
    X, y = table
    target = y if family == "linear" else np.array(["no", "yes", "maybe"])[np.digitize(y, np.quantile(y, [0.4, 0.7]))]
    if family == "logistic":
        target = np.where(target == "maybe", "yes", target)
    if family != "linear" and len(set(target.tolist())) < 2:
        return
    problem = prepare(X, target, [f"x{i}" for i in range(X.shape[1])], family)
    penalty = Penalty(share * largest_strength(problem, mix), mix)
    fit = solve(problem, penalty)
    scale = max(float(np.abs(gradient(problem, Fit.zero(problem))[0]).max()), 1.0 if family != "linear" else 0.0)
    assert kkt_violation(problem, fit, penalty) <= 1e-6 * scale
    if share >= 1 and mix > 0.01:
        assert not fit.coef.any()


@given(st.floats(-50, 50), st.floats(0, 20), st.floats(0.01, 10), st.floats(0, 1))
def test_one_coordinates_update_is_its_minimum(rho, strength, curvature, mix):
    penalty = Penalty(strength, mix)
    found = penalty.update(rho, curvature)

    def value(w):
        return 0.5 * curvature * w * w - rho * w + penalty.value([w])

    near = [found + step for step in (-1e-3, -1e-5, 1e-5, 1e-3)]
    assert all(value(found) <= value(w) + 1e-12 * (1 + abs(value(w))) for w in near)


def test_soft_thresholding_shrinks_and_cuts():
    assert soft_threshold([-3.0, -1.0, 0.0, 0.5, 2.5], 1.0) == pytest.approx([-2, 0, 0, 0, 1.5])


@pytest.mark.parametrize("mix", [0.0, 0.3, 1.0])
def test_the_border_of_the_ball_has_one_penalty(mix):
    border = ball(mix, 2.0, np.linspace(0, 2 * np.pi, 50))
    assert [Penalty(1.0, mix).value(point) for point in border] == pytest.approx([2.0] * 50)


def test_a_violation_is_seen():
    problem = problem_of("diabetes", "linear")
    penalty = Penalty(5.0, 0.5)
    fit = solve(problem, penalty)
    assert kkt_violation(problem, fit, penalty) < 1e-6 * unit(problem)
    moved = fit.coef.copy()
    moved[0, 2] += 1.0
    assert kkt_violation(problem, Fit(moved, fit.intercept), penalty) > 0.5
    assert kkt_violation(problem, Fit(fit.coef, fit.intercept + 1), penalty) > 0.5
