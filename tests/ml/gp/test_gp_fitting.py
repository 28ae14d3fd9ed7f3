"""Fitting: the replayed optimiser against scipy's own, published optima, landscapes, uncertainty, starting values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process import kernels as sk

from studio.ml.gp.datasets import CO2_KERNEL, co2
from studio.ml.gp.descent import descend
from studio.ml.gp.errors import BadKernel, GPError, NotPositiveDefinite
from studio.ml.gp.exact import Posterior
from studio.ml.gp.fitting import completed, fit
from studio.ml.gp.grammar import parse
from studio.ml.gp.landscape import landscape
from studio.ml.gp.mean import ConstantMean
from studio.ml.gp.model import Data, Model, points
from studio.ml.gp.nuts import Draw, nuts
from studio.ml.gp.objective import Freedom, Gamma, LogNormal, Objective, Prior
from studio.ml.gp.starting import likely_period, scaled_to, starting
from studio.ml.gp.uncertainty import laplace, mixed, sampled

Array = NDArray[np.float64]
RNG = np.random.default_rng(0)
X = RNG.uniform(0, 10, 40)
DATA = Data.of(X, np.sin(X) + 0.2 * RNG.standard_normal(40))
MODEL = Model(parse("1*RBF(1)"), 0.1)


def rosenbrock(x: Array) -> tuple[float, Array]:
    a, b = x
    return (1 - a) ** 2 + 100 * (b - a * a) ** 2, np.array([-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)])


def test_the_replayed_optimiser_is_scipys() -> None:
    bounds, start, asked = np.array([[-3.0, 0.8], [-3.0, 3.0]]), np.array([-1.2, 1.0]), []
    steps = descend(lambda x: (asked.append(x), rosenbrock(x))[1], start, bounds)
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as stop:
            end = stop.value
            break
    scipys = minimize(rosenbrock, start, jac=True, method="L-BFGS-B", bounds=bounds)
    np.testing.assert_array_equal(end.x, scipys.x)
    assert end.x[0] == pytest.approx(0.8)
    assert len(asked) == len(seen) == end.evaluations == scipys.nfev
    assert len(end.path) == scipys.nit + 1 == seen[-1].iteration + 2
    assert end.converged


def test_fit_reaches_what_scikit_learn_reaches() -> None:
    kernel = sk.ConstantKernel(1.0) * sk.RBF(1.0) + sk.WhiteKernel(0.1)
    oracle = GaussianProcessRegressor(kernel, alpha=0).fit(DATA.x, DATA.y)
    fitted = completed(fit(MODEL, DATA))
    assert fitted.evidence.total == pytest.approx(oracle.log_marginal_likelihood_value_, abs=1e-6)
    np.testing.assert_allclose(fitted.model.theta, oracle.kernel_.theta, atol=1e-3)
    assert fitted.runs[0].converged


def test_each_evaluation_is_a_step_and_the_best_only_rises() -> None:
    steps = list(fit(MODEL, DATA, restarts=2, seed=3))
    assert {step.run for step in steps} == {0, 1, 2}
    best = [step.best for step in steps]
    assert best == sorted(best)
    for step in steps[::7]:
        assert step.value == pytest.approx(Posterior.of(step.model, DATA).evidence.total)
    fitted = completed(fit(MODEL, DATA, restarts=2, seed=3))
    assert fitted.value == max(run.value for run in fitted.runs) == pytest.approx(best[-1], abs=1e-9)
    assert [len(run.path[0]) for run in fitted.runs] == [3, 3, 3]


def test_restarts_find_the_better_of_two_hills() -> None:
    """From a huge length-scale all is noise; another start finds the curve (Rasmussen & Williams, figure 5.5)."""
    everything_is_noise = Model(parse("0.01*RBF(10000)"), 1.0)
    alone = completed(fit(everything_is_noise, DATA))
    several = completed(fit(everything_is_noise, DATA, restarts=6))
    assert several.value > alone.value + 5


def test_bounds_and_fixed_values_hold() -> None:
    freedom = Freedom(bounds={"RBF.length": (2.0, 3.0)}, fixed=frozenset({"noise"}))
    fitted = completed(fit(MODEL, DATA, freedom)).model
    values = {p.name: p.value for p in fitted.parameters()}
    assert 2 <= values["RBF.length"] <= 3
    assert fitted.noise == MODEL.noise
    nothing = Freedom(fixed=frozenset(p.name for p in MODEL.parameters()))
    assert completed(fit(MODEL, DATA, nothing)).model == MODEL == MODEL.with_theta(MODEL.theta)


def test_priors_pull() -> None:
    tight = Freedom(priors={"RBF.length": LogNormal(5.0, 0.01)})
    fitted = completed(fit(MODEL, DATA, tight)).model
    assert {p.name: p.value for p in fitted.parameters()}["RBF.length"] == pytest.approx(5, rel=0.05)


@pytest.mark.parametrize("prior", [LogNormal(2.0, 0.7), Gamma(3.0, 1.5)])
def test_priors_are_densities_of_theta_with_their_slopes(prior: Prior) -> None:
    assert quad(lambda t: math.exp(prior.log_density(t)[0]), -20, 20)[0] == pytest.approx(1, rel=1e-6)
    ahead, behind = prior.log_density(0.3 + 1e-6)[0], prior.log_density(0.3 - 1e-6)[0]
    assert prior.log_density(0.3)[1] == pytest.approx((ahead - behind) / 2e-6, rel=1e-5)


def test_mean_parameters_are_fitted_too() -> None:
    data = Data.of(X, DATA.y + 100)
    fitted = completed(fit(Model(MODEL.kernel, 0.1, ConstantMean(0.0)), data)).model
    assert fitted.mean.theta[0] == pytest.approx(100, abs=1)


@pytest.mark.parametrize("units", [1e-12, 1e12])
def test_units_may_be_anything(units: float) -> None:
    plain = completed(fit(MODEL, DATA))
    kernel = scaled_to(MODEL.kernel, Data.of(X * units, DATA.y * units))
    scaled = completed(fit(Model(kernel, 0.1 * float(DATA.y.var()) * units**2), Data.of(X * units, DATA.y * units)))
    assert scaled.evidence.total + len(X) * math.log(units) == pytest.approx(plain.evidence.total, abs=1e-3)


def test_data_that_no_model_can_hold_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.ml.gp.factor.JITTERS", (0.0,))
    with pytest.raises(NotPositiveDefinite, match="Raise the noise"):
        completed(fit(Model(MODEL.kernel), Data.of([1.0, 1.0], [0.0, 1.0]), restarts=1))


@pytest.mark.parametrize("y", [np.zeros(5), np.full(5, 3.0)])
def test_constant_data_are_fitted(y: Array) -> None:
    data = Data.of(np.arange(5.0), y)
    posterior = Posterior.of(completed(fit(MODEL, data)).model, data)
    np.testing.assert_allclose(posterior.predict(points([2.5])).mean, y[:1], atol=0.1)


def test_carbon_dioxide_at_its_published_optimum() -> None:
    """scikit-learn's example ends at -115.050; here from near there, from its own start in the bench."""
    near = parse(
        "2000*RBF(52)+7*RBF(91)*Periodic(1,1.48)+0.288*RationalQuadratic(0.968,2.89)+0.0355*RBF(0.122)+White(0.0367)"
    )
    period = Freedom(fixed=frozenset({"Periodic.period"}))
    start = Objective(Model(parse(CO2_KERNEL)), co2(), period)
    assert start(start.start)[0] == pytest.approx(-380.276, abs=0.001)
    fitted = completed(fit(Model(near), co2(), period, iterations=6))
    assert fitted.evidence.total == pytest.approx(-115.050, abs=0.01)


def test_landscape_is_the_target_row_by_row() -> None:
    objective = Objective(MODEL, DATA, Freedom(priors={"noise": LogNormal(0.1)}))
    rows = list(landscape(objective, ("noise", "RBF.length"), reach=2.0, resolution=5))
    assert [row.done for row in rows] == [1, 2, 3, 4, 5]
    assert np.isnan(rows[0].values[1:]).all()
    theta = objective.start
    np.testing.assert_allclose(rows[-1].values[2, 2], objective(theta)[0])
    theta[[2, 1]] = rows[-1].down[4], rows[-1].across[1]
    np.testing.assert_allclose(rows[-1].values[4, 1], objective(theta)[0])
    for names in (("noise", "noise"), ("noise", "RBF.size")):
        with pytest.raises(GPError, match="two different hyper-parameters of Scale"):
            next(landscape(objective, names))


class Bell:
    """log N(theta | mean, C) in place of an objective; it is its own Laplace approximation."""

    C = np.array([[4.0, 1.2, 0.0], [1.2, 1.0, 0.3], [0.0, 0.3, 0.25]])
    mean = np.array([1.0, -2.0, 3.0])

    def __call__(self, x: Array) -> tuple[float, Array]:
        pull = np.linalg.solve(self.C, x - self.mean)
        return -0.5 * float((x - self.mean) @ pull), -pull


def test_nuts_draws_from_a_known_gaussian() -> None:
    draws = [d for d in nuts(Bell(), np.zeros(3), 1500, warmup=300, seed=1) if isinstance(d, Draw) and not d.warmup]
    x, sd = np.array([d.x for d in draws]), np.sqrt(Bell.C.diagonal())
    assert len(x) == 1500
    assert not any(d.divergent for d in draws)
    # 1,500 draws are worth some 700 independent ones: standard error 0.04 sd, of a variance 0.05 of it.
    np.testing.assert_allclose((x.mean(axis=0) - Bell.mean) / sd, 0, atol=0.15)
    np.testing.assert_allclose(np.cov(x.T) / np.outer(sd, sd), Bell.C / np.outer(sd, sd), atol=0.2)
    assert draws[-1].log_density == pytest.approx(Bell()(draws[-1].x)[0])


def test_nuts_reports_a_wall() -> None:
    def cliff(x: Array) -> tuple[float, Array]:
        return (-math.inf, np.zeros(1)) if x[0] > 0.1 else (-0.5 * float(x @ x), -x)

    draws = [d for d in nuts(cliff, np.zeros(1), 200, warmup=50) if isinstance(d, Draw)]
    assert any(d.divergent for d in draws)
    assert all(d.x[0] <= 0.1 for d in draws)


def test_laplace_and_samples_agree_where_the_posterior_is_a_bell() -> None:
    objective = Objective(MODEL, DATA, Freedom(priors={p.name: LogNormal(p.value, 0.3) for p in MODEL.parameters()}))
    fitted = completed(fit(MODEL, DATA, objective.freedom))
    top = fitted.model.theta
    bell = completed(laplace(objective, top))
    draws = [d for d in sampled(objective, 400, warmup=150) if isinstance(d, Draw) and not d.warmup]
    thetas = np.array([d.x for d in draws])
    sd = np.sqrt(bell.covariance.diagonal())
    np.testing.assert_allclose((thetas.mean(axis=0) - bell.mean) / sd, 0, atol=0.5)
    np.testing.assert_allclose(thetas.std(axis=0) / sd, 1, atol=0.3)
    low, high = bell.intervals()["RBF.length"]
    np.testing.assert_allclose(np.log([low, high]), bell.mean[1] + np.array([-2, 2]) * sd[1])
    grid = points([2.0, 5.0])
    together = mixed(objective, thetas[:20], grid)
    assert together.each.shape == (20, 2)
    each = [Posterior.of(objective.model_at(t), DATA).predict(grid) for t in thetas[:20]]
    second = np.mean([p.variance + p.mean**2 for p in each], axis=0)
    np.testing.assert_allclose(together.variance, second - together.mean**2, rtol=1e-9)


def test_undetermined_hyper_parameters_have_no_bell() -> None:
    lone = Data.of([0.0], [0.0])
    with pytest.raises(GPError, match="undetermined"):
        completed(laplace(Objective(MODEL, lone), MODEL.theta))


@pytest.mark.parametrize(("freedom", "says"), [
    (Freedom(fixed=frozenset({"RBF.size"})), "no hyper-parameter RBF.size; there are RBF.length"),
    (Freedom(bounds={"RBF.length": (2.0, 1.0)}), "two numbers, the smaller first, above 0"),
    (Freedom(bounds={"noise": (0.0, 1.0)}), "above 0"),
])  # fmt: skip
def test_freedom_that_does_not_fit_is_refused(freedom: Freedom, says: str) -> None:
    with pytest.raises(GPError, match=says):
        Objective(MODEL, DATA, freedom)


def test_priors_out_of_range_are_refused() -> None:
    for make in (lambda: LogNormal(0.0), lambda: Gamma(1.0, 0.0)):
        with pytest.raises(BadKernel, match="above 0"):
            make()


def test_starting_values_follow_the_data() -> None:
    x = np.arange(120) / 12 * 1e6
    data = Data.of(x, 1e-3 * np.sin(2 * np.pi * x / 1.7e6) + 1e-9 * x)
    assert likely_period(data) == pytest.approx(1.7e6, rel=0.1)
    kernel = starting(parse("2*RBF(0.5)*Periodic + RBF([1])"), data)
    values = {p.name: p.value for p in kernel.parameters()}
    assert values["RBF.length"] == pytest.approx(0.5 * x.std())
    assert values["Periodic.period"] == likely_period(data)
    assert values["RBF#2.length[0]"] == pytest.approx(x.std())
    assert scaled_to(parse("RBF"), Data.of([], [])) == parse("RBF")
    assert likely_period(Data.of([1.0, 1.0], [0.0, 1.0])) == 1
