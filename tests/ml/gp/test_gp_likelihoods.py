"""Classes against scikit-learn's classifier; Student-t noise against quadrature, its limits and its gradient."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import gamma, norm, t
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process import kernels as sk

from studio.ml.gp.classification import Classifier
from studio.ml.gp.errors import BadData, BadKernel
from studio.ml.gp.exact import Posterior
from studio.ml.gp.fitting import completed, fit
from studio.ml.gp.grammar import parse
from studio.ml.gp.mean import ConstantMean, LinearMean
from studio.ml.gp.model import Data, Model, points
from studio.ml.gp.objective import Conditioned
from studio.ml.gp.student import StudentPosterior, rounds

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 10, 40)
LABELS = Data.of(X, (np.sin(X) + 0.4 * RNG.standard_normal(40) > 0).astype(float))
CLASSES = Model(parse("2*RBF(1.3)"))
GRID = points(np.linspace(-2, 12, 30))


def by_differences(condition: object, model: Model, data: Data, step: float = 1e-5) -> NDArray[np.float64]:
    theta = model.theta

    def value(moved: NDArray[np.float64]) -> float:
        posterior: Conditioned = condition(model.with_theta(moved), data)
        return posterior.evidence.total

    return np.array([(value(theta + e) - value(theta - e)) / 2 / step for e in step * np.eye(len(theta))])


@pytest.mark.parametrize("n", [2, 40])
def test_classes_agree_with_scikit_learn(n: int) -> None:
    labels = Data.of(X[:n], np.arange(n) % 2 if n == 2 else LABELS.y)
    oracle = GaussianProcessClassifier(sk.ConstantKernel(2.0) * sk.RBF(1.3), optimizer=None).fit(labels.x, labels.y)
    ours = Classifier.of(CLASSES, labels)
    value, gradient = oracle.log_marginal_likelihood(oracle.kernel_.theta, eval_gradient=True)
    assert ours.evidence.total == pytest.approx(value, rel=1e-8)
    # Theirs stops at a Newton gain of 1e-10, so its mode is exact to about 1e-5.
    np.testing.assert_allclose(ours.gradient(), gradient, atol=1e-4)
    latent, variance = oracle.latent_mean_and_variance(GRID)
    np.testing.assert_allclose(ours.latent(GRID).mean, latent, atol=1e-4)
    np.testing.assert_allclose(ours.latent(GRID).variance, variance, atol=1e-4)
    # Theirs approximates the logistic function by five error functions.
    np.testing.assert_allclose(ours.probability(GRID), oracle.predict_proba(GRID)[:, 1], atol=2e-3)


def test_probability_is_the_mean_of_the_logistic_function() -> None:
    ours = Classifier.of(CLASSES, LABELS)
    mean, variance = (float(v[3]) for v in ours.latent(GRID))
    expected = quad(lambda f: norm(mean, variance**0.5).pdf(f) / (1 + np.exp(-f)), -30, 30, epsabs=1e-12)[0]
    assert ours.probability(GRID)[3] == pytest.approx(expected, abs=1e-8)


def test_gradient_of_the_classifier_by_finite_differences() -> None:
    model = Model(parse("2*RBF(1.3) + 0.5*Matern32(0.7)"), 0.0, LinearMean(0.2, (0.1,)))
    expected = by_differences(Classifier.of, model, LABELS)
    np.testing.assert_allclose(Classifier.of(model, LABELS).gradient(), expected, atol=1e-5)


def test_the_classifier_is_fitted_like_any_other() -> None:
    kernel = sk.ConstantKernel(2.0) * sk.RBF(1.3)
    oracle = GaussianProcessClassifier(kernel, random_state=0).fit(LABELS.x, LABELS.y)
    fitted = completed(fit(CLASSES, LABELS, condition=Classifier.of))
    assert fitted.evidence.total >= oracle.log_marginal_likelihood_value_ - 1e-4
    assert ((Classifier.of(fitted.model, LABELS).probability(LABELS.x) > 0.5) == LABELS.y).mean() > 0.8


def test_one_class_and_huge_variances_settle() -> None:
    same = Data.of(X, np.ones(40))
    assert (Classifier.of(CLASSES, same).probability(GRID) > 0.5).all()
    assert np.isfinite(Classifier.of(Model(parse("1000000*RBF(0.01)")), LABELS).evidence.total)


def test_what_a_classifier_cannot_take_is_said() -> None:
    with pytest.raises(BadData, match="0 or 1"):
        Classifier.of(CLASSES, Data.of([1.0], [2.0]))
    with pytest.raises(BadKernel, match="takes no noise"):
        Classifier.of(Model(parse("RBF"), 0.1), LABELS)


OUTLIERS = Data.of(X, np.sin(X) + 0.1 * RNG.standard_normal(40) + np.where(np.arange(40) % 10 == 3, 4.0, 0.0))
TAILS = Model(parse("1.2*RBF(1.1)"), 0.01, ConstantMean(0.1))


def test_one_point_by_quadrature() -> None:
    """The bound is E_q[log p(y, f, l) - log q(f) q(l)], somewhat below the evidence; the mean is near the true one."""
    model, data, degrees = Model(parse("RBF"), 0.3), Data.of([0.0], [1.5]), 4.0

    def joint(f: float) -> float:
        return t(degrees, f, model.noise**0.5).pdf(1.5) * norm(0, 1).pdf(f)

    evidence = quad(joint, -12, 12, points=[0, 1.5])[0]
    mean = quad(lambda f: f * joint(f), -12, 12, points=[0, 1.5])[0] / evidence
    ours = StudentPosterior.of(model, data, degrees)
    assert np.log(evidence) - 0.2 < ours.evidence.total <= np.log(evidence)
    at, spread = ours.predict(points([0.0])).mean[0], ours.predict(points([0.0])).variance[0] ** 0.5
    shape, rate = (degrees + 1) / 2, (degrees + ours.spread[0] / model.noise) / 2
    precisions = np.linspace(1e-6, 12, 20_001)[:, None]
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    f, q = at + spread * nodes, gamma(shape, scale=1 / rate)
    log_ratio = norm(f, (model.noise / precisions) ** 0.5).logpdf(1.5) + norm(0, 1).logpdf(f)
    log_ratio += gamma(degrees / 2, scale=2 / degrees).logpdf(precisions) - q.logpdf(precisions)
    log_ratio -= norm(at, spread).logpdf(f)
    expected = np.trapezoid(q.pdf(precisions[:, 0]) * (log_ratio @ weights / weights.sum()), precisions[:, 0])
    assert ours.evidence.total == pytest.approx(expected, abs=1e-5)
    assert at == pytest.approx(mean, abs=spread / 4)


def test_each_round_raises_the_bound() -> None:
    bounds = [step.evidence.total for step in rounds(TAILS, OUTLIERS)]
    assert len(bounds) > 3
    assert all(later >= earlier - 1e-9 for earlier, later in zip(bounds, bounds[1:], strict=False))


def test_many_degrees_of_freedom_are_gaussian_noise() -> None:
    gaussian, ours = Posterior.of(TAILS, OUTLIERS), StudentPosterior.of(TAILS, OUTLIERS, 1e9)
    np.testing.assert_allclose(ours.predict(GRID).mean, gaussian.predict(GRID).mean, atol=1e-4)
    assert ours.evidence.total == pytest.approx(gaussian.evidence.total, rel=1e-4)


def test_outliers_lose_their_weight() -> None:
    ours, gaussian = StudentPosterior.of(TAILS, OUTLIERS), Posterior.of(TAILS, OUTLIERS)
    wild = np.arange(40) % 10 == 3
    assert ours.weights[wild].max() < 0.02 < 0.2 < ours.weights[~wild].min()
    inside = points(np.linspace(1, 9, 40))
    errors = [np.abs(p.predict(inside).mean - np.sin(inside[:, 0])).mean() for p in (ours, gaussian)]
    assert errors[0] < 0.3 * errors[1]


def test_gradient_of_the_bound_by_finite_differences() -> None:
    model = Model(parse("1.2*RBF(1.1) + 0.3*Matern52(3)"), 0.02, LinearMean(0.1, (0.05,)))
    expected = by_differences(partial(StudentPosterior.of, degrees=3.0), model, OUTLIERS, 1e-4)
    np.testing.assert_allclose(StudentPosterior.of(model, OUTLIERS, 3.0).gradient(), expected, atol=2e-3)


def test_the_scale_of_the_tails_is_fitted() -> None:
    start = Model(parse("1*RBF(1)"), 0.1)
    fitted = completed(fit(start, OUTLIERS, condition=StudentPosterior.of)).model
    gaussian = completed(fit(start, OUTLIERS)).model
    assert fitted.noise**0.5 < 0.2 < gaussian.noise**0.5


def test_what_student_noise_cannot_take_is_said() -> None:
    for model, degrees in ((Model(parse("RBF")), 4.0), (TAILS, 0.0)):
        with pytest.raises(BadKernel, match="above 0"):
            next(rounds(model, OUTLIERS, degrees))
    with pytest.raises(BadData, match="leave out the noise"):
        next(rounds(TAILS, Data.of([1.0], [1.0], [0.1])))


def test_the_latent_function_of_a_classifier_jointly():
    """Rasmussen & Williams, eq. 3.24, by explicit inverses: K** - K*' (K + W^-1)^-1 K*."""
    x = np.array([-1.5, -0.4, 0.2, 1.1, 2.0])[:, None]
    found = Classifier.of(Model(parse("2*RBF(0.8)")), Data.of(x, np.array([0.0, 0, 1, 1, 0])))
    at = np.linspace(-2, 3, 7)[:, None]
    K, Ks, Kss = found.model.kernel(x), found.model.kernel(at, x), found.model.kernel(at)
    explicit = Kss - Ks @ np.linalg.inv(K + np.diag(1 / found.root**2)) @ Ks.T
    joint = found.at(at)
    assert np.abs(joint.covariance - explicit).max() < 1e-10
    assert np.abs(joint.mean - Ks @ found.slope).max() < 1e-12
    assert np.abs(joint.covariance.diagonal() - found.latent(at).variance).max() < 1e-12
