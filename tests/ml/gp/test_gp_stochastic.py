"""SVGP: the translation to GPyTorch, and what comes back against the exact posterior and the collapsed bound."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
import torch

from studio.ml.gp.errors import BadData, BadKernel, GPError
from studio.ml.gp.exact import Posterior
from studio.ml.gp.fitting import completed
from studio.ml.gp.grammar import parse
from studio.ml.gp.mean import ConstantMean, LinearMean
from studio.ml.gp.model import Data, Model, points
from studio.ml.gp.sparse import SparsePosterior, spread
from studio.ml.gp.stochastic import train
from studio.ml.gp.translation import GPyTorchMissing, Slots, translated, translated_mean

with warnings.catch_warnings():
    # It compiles with torch.jit as it is imported, which torch 2.13 deprecates.
    warnings.simplefilter("ignore", DeprecationWarning)
    import gpytorch

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 10, 200)
DATA = Data.of(X, np.sin(X) + 0.2 * RNG.standard_normal(200), RNG.uniform(0, 0.05, 200))
MODEL = Model(parse("1.2*RBF(0.9) + 0.3*Matern52(2)"), 0.03, LinearMean(0.1, (0.05,)))
GRID = points(np.linspace(-1, 11, 40))
Z = points(np.linspace(0, 10, 12))

SHARED = (
    "RBF(0.7)", "Matern12(0.7)", "Matern32(0.7)", "Matern52(0.7)", "RQ(0.8, 1.7)", "Periodic(3.1, 0.9)", "Linear(0.4)",
    "Polynomial(2, 0.7)", "Polynomial(3, 0.2)", "Constant(1.3)", "1.5*RBF(1000)",
    "1.2*RBF(0.4) + 0.3*Periodic(1, 0.8)*Linear(-1)", "2*(RBF(0.4) + 0.5*Matern32(2))*Constant(0.3) + Polynomial(2, 1)",
    "0.5*(2*(RQ(0.5, 3)*Matern12(9)))",
)  # fmt: skip
SHARED_2D = (
    "RBF([0.7, 3])", "Matern12([0.7, 3])", "Matern32([0.7, 3])", "Matern52([0.7, 3])", "RQ([0.7, 3], 1.7)", "RBF(0.7)",
    "Periodic(3.1, 0.9)", "Linear(0.4)", "Polynomial(2, 0.7)", "2*RBF([0.3, 5])*Linear + Matern52([1, 2])",
)  # fmt: skip


# --- translation ---


def theirs(text: str, a: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    slots, kernel = Slots(), parse(text)
    made = translated(kernel, slots).double()
    slots.write(kernel.theta)
    with torch.no_grad():
        lazy = made(torch.from_numpy(a), torch.from_numpy(a if b is None else b))
        return lazy.to_dense().numpy()


@pytest.mark.parametrize(
    ("text", "dimensions"), [*((text, 1) for text in SHARED), *((text, 2) for text in SHARED_2D)]
)
def test_a_kernel_and_its_translation_are_equal(text: str, dimensions: int) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(30, dimensions)), rng.normal(size=(20, dimensions))
    kernel = parse(text)
    np.testing.assert_allclose(theirs(text, a, b), kernel(a, b), atol=1e-6)
    np.testing.assert_allclose(theirs(text, a), kernel(a), atol=1e-6)
    slots = Slots()
    made = translated(kernel, slots).double()
    slots.write(kernel.theta)
    assert str(kernel.with_theta(slots.read())) == str(kernel)
    with torch.no_grad():
        np.testing.assert_allclose(made(torch.from_numpy(a), diag=True).numpy(), kernel.diagonal(a), atol=1e-6)


@pytest.mark.parametrize("text", SHARED)
def test_slopes_by_the_parameters_are_those_by_theta(text: str) -> None:
    """In the order of theta, so that one step of theirs is one of ours."""
    a = np.random.default_rng(1).normal(size=(15, 1))
    weights = np.random.default_rng(2).normal(size=(15, 15))
    kernel, slots = parse(text), Slots()
    made = translated(kernel, slots).double()
    slots.write(kernel.theta)
    (made(torch.from_numpy(a)).to_dense() * torch.from_numpy(weights)).sum().backward()
    factors = [factor for parameter, factor in slots._with_factors() for _ in range(parameter.numel())]
    found = np.concatenate([parameter.grad.numpy().reshape(-1) for parameter in slots.parameters()]) * factors
    np.testing.assert_allclose(found, kernel.with_pullback(a)[1](weights), atol=1e-6)


@pytest.mark.parametrize("mean", [ConstantMean(1.5), LinearMean(0.3, (1.0, -2.0))])
def test_a_mean_and_its_translation_are_equal(mean: ConstantMean | LinearMean) -> None:
    a, slots = np.random.default_rng(1).normal(size=(9, 2)), Slots()
    made = translated_mean(mean, slots).double()
    slots.write(mean.theta)
    with torch.no_grad():
        np.testing.assert_allclose(made(torch.from_numpy(a)).numpy(), mean(a), atol=1e-12)
    np.testing.assert_allclose(slots.read(), mean.theta)


@pytest.mark.parametrize(("text", "name"), [
    ("RBF + Brownian", "Brownian"), ("2*ArcCosine", "ArcCosine"), ("ChangePoint(RBF, Linear)", "ChangePoint"),
    ("RBF*SM([1, 0.5], [0.3, 1], [0.1, 0.2])", "SpectralMixture"),
])  # fmt: skip
def test_a_kernel_without_a_counterpart_is_named(text: str, name: str) -> None:
    with pytest.raises(GPError, match=f"{name}.* has no counterpart in GPyTorch"):
        next(train(Model(parse(text), 0.1), DATA, 5))


# --- the bound ---


def test_one_natural_step_over_all_data_reaches_the_collapsed_bound() -> None:
    """With a Gaussian likelihood the optimal q(u) is one natural step of length 1 away (Hensman et al. 2013)."""
    collapsed = SparsePosterior.of(MODEL, DATA, Z)
    found = completed(train(MODEL, DATA, Z, steps=1, batch=len(DATA), fit_model=False))
    assert found.model == MODEL
    assert found.evidence.total == pytest.approx(collapsed.evidence.total, abs=1e-3)
    assert found.evidence.slack == pytest.approx(collapsed.evidence.slack, rel=1e-4)
    ours, other = found.predict(GRID), collapsed.predict(GRID)
    np.testing.assert_allclose(ours.mean, other.mean, atol=1e-4)
    np.testing.assert_allclose(ours.variance, other.variance, atol=1e-4)
    joint = found.at(GRID)
    np.testing.assert_allclose(joint.covariance.diagonal(), ours.variance, atol=1e-9)
    np.testing.assert_allclose(joint.covariance, collapsed.at(GRID).covariance, atol=1e-4)


def test_batches_come_close_to_the_collapsed_bound_and_stay_below_the_evidence() -> None:
    found = completed(train(MODEL, DATA, Z, steps=200, batch=50))
    exact = Posterior.of(found.model, DATA).evidence.total
    collapsed = SparsePosterior.of(found.model, DATA, Z)
    assert found.evidence.total <= collapsed.evidence.total <= exact
    assert found.evidence.total == pytest.approx(collapsed.evidence.total, abs=1.0)
    assert found.evidence.total > SparsePosterior.of(MODEL, DATA, Z).evidence.total + 3  # the model was fitted, too
    np.testing.assert_allclose(found.predict(GRID).mean, collapsed.predict(GRID).mean, atol=0.05)
    deviations = [np.sqrt(posterior.predict(GRID).variance) for posterior in (found, collapsed)]
    np.testing.assert_allclose(*deviations, rtol=0.1, atol=0.01)


def test_the_estimate_of_a_step_over_all_data_is_the_bound_of_the_moment_before() -> None:
    steps = train(MODEL, DATA, Z, steps=5, batch=len(DATA))
    before = next(steps).posterior().evidence.total
    for step in steps:
        # GPyTorch adds the jitter, 1e-8 of the variance, at the data, too.
        assert step.elbo * len(DATA) == pytest.approx(before, abs=1e-3)
        before = step.posterior().evidence.total
    assert step.number == 5


def test_it_is_exact_above_the_size_where_gpytorch_turns_to_conjugate_gradients() -> None:
    x = np.linspace(0, 100, 900)
    data, model = Data.of(x, np.sin(x)), Model(parse("Matern12(2)"), 0.1)
    first, second = train(model, data, points(x[:-90]), steps=2, batch=900, fit_model=False)
    assert second.elbo * 900 == pytest.approx(first.posterior().evidence.total, abs=1e-3)
    collapsed = SparsePosterior.of(model, data, points(x[:-90])).evidence.total
    assert first.posterior().evidence.total == pytest.approx(collapsed, abs=1e-3)


def test_adam_takes_the_variational_distribution_there_more_slowly() -> None:
    collapsed = SparsePosterior.of(MODEL, DATA, Z).evidence.total
    natural, adam = (
        completed(train(MODEL, DATA, Z, steps=150, batch=100, fit_model=False, natural=natural)).evidence.total
        for natural in (True, False)
    )
    assert adam < natural <= collapsed and adam > collapsed - 40 and natural > collapsed - 1


def test_data_that_may_not_be_written_to_are_taken_as_they_are() -> None:
    x, y, places = X.copy(), DATA.y.copy(), Z.copy()
    for array in (x, y, places):
        array.flags.writeable = False
    found = completed(train(MODEL, Data.of(x, y), places, steps=2))
    assert np.isfinite(found.evidence.total) and np.array_equal(y, DATA.y)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = {"steps": 1, "batch": len(DATA)}
    whole = completed(train(MODEL, DATA, Z, **arguments)).evidence
    monkeypatch.setattr("studio.ml.gp.stochastic.BLOCK", 7)
    parts = completed(train(MODEL, DATA, Z, **arguments)).evidence
    np.testing.assert_allclose(parts.total, whole.total, atol=1e-8)


def test_inducing_points_that_may_move_find_better_places() -> None:
    crowded = points(np.linspace(0, 3, 8))
    stay, moved = (
        completed(train(MODEL, DATA, crowded, steps=150, batch=200, fit_model=False, move_inducing=move))
        for move in (False, True)
    )
    np.testing.assert_array_equal(stay.inducing, crowded)
    assert moved.inducing.max() > 5 and moved.evidence.total > stay.evidence.total + 50


def test_the_noise_of_many_points_is_recovered() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 10, 20_000)
    data = Data.of(x, np.sin(2 * x) + 0.2 * rng.standard_normal(20_000))
    found = completed(train(Model(parse("1*RBF(1)"), 0.5), data, 30, steps=200))
    # The data tell the standard deviation to 0.2 / sqrt(40000), that is 0.5 %; measured 0.6 % off, as is SGPR.
    assert np.sqrt(found.model.noise) == pytest.approx(0.2, rel=0.02)
    np.testing.assert_allclose(found.predict(points([1.0, 4.0])).mean, np.sin([2.0, 8.0]), atol=0.03)
    collapsed = SparsePosterior.of(found.model, data, found.inducing).evidence.total
    assert collapsed - 2 < found.evidence.total <= collapsed
    np.testing.assert_array_equal(found.inducing, spread(Model(parse("1*RBF(1)"), 0.5), data, 30))


def test_the_same_seed_learns_the_same() -> None:
    one, same, other = (
        completed(train(MODEL, DATA, 8, steps=20, batch=30, seed=seed)).model.theta for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-6


def test_huge_and_tiny_scales_are_learned_as_well_as_others() -> None:
    """Parameters are logarithms, so another unit of x gives the same steps."""
    plain, wide = (
        completed(train(Model(parse(f"RBF({scale})"), 0.1), Data.of(X * scale, DATA.y), points(Z * scale), steps=30))
        for scale in (1.0, 1e6)
    )
    np.testing.assert_allclose(wide.model.theta - plain.model.theta, [np.log(1e6), 0], atol=1e-5)


# --- what cannot be done is said ---


def test_a_missing_library_is_told_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpytorch", None)
    with pytest.raises(GPyTorchMissing, match=r"pip install 'glassbox-studio\[gpytorch\]'"):
        next(train(MODEL, DATA, Z))


def test_bad_input_is_refused() -> None:
    rbf = parse("RBF")
    for error, message, arguments in (
        (BadKernel, "noise above 0", (Model(rbf), Data.of([1.0], [1.0]), points([1.0]))),
        (BadKernel, "Take White out", (Model(parse("RBF + White"), 0.1), DATA, Z)),
        (BadKernel, "2 length-scales", (Model(parse("RBF([1, 2])"), 0.1), DATA, Z)),
        (BadData, r"\[points, 1\]", (MODEL, DATA, np.zeros((3, 2)))),
        (BadData, "one inducing point", (MODEL, DATA, 0)),
        (BadData, "no points", (Model(rbf, 0.1), Data.of([], []), 3)),
    ):
        with pytest.raises(error, match=message):
            next(train(*arguments))
    with pytest.raises(GPError, match="at least one step"):
        next(train(MODEL, DATA, Z, steps=0))


def test_a_fit_that_runs_away_is_stopped() -> None:
    huge = Data.of(X, DATA.y * 1e200)
    with pytest.raises(GPError, match="ran away"):
        completed(train(MODEL, huge, Z, steps=3))


def test_gpytorchs_settings_are_as_they_were() -> None:
    before = gpytorch.settings.max_cholesky_size.value()
    completed(train(MODEL, DATA, Z, steps=1))
    assert gpytorch.settings.max_cholesky_size.value() == before and gpytorch.settings.fast_computations.solves.on()
