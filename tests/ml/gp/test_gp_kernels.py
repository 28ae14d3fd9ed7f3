"""Kernels: gradients and derivatives by finite differences, features against the kernel, positive definiteness."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from studio.ml.gp.errors import BadKernel, NotDifferentiable
from studio.ml.gp.grammar import KERNELS, parse
from studio.ml.gp.kernel import Kernel, Sum
from studio.ml.gp.stationary import RBF

ONE_INPUT = [
    "RBF(0.4)", "Matern12(0.7)", "Matern32(1.3)", "Matern52(0.9)", "RQ(0.8, 1.7)", "Periodic(1.3, 0.8)", "Linear(0.3)",
    "SpectralMixture([1, 0.5], [0.3, 1], [0.1, 0.2])", "Polynomial(3, 0.7)", "Constant(2)", "White(0.3)",
    "ArcCosine(0, 1.2, 0.5)", "ArcCosine(1, 2, 0.5)", "ArcCosine(2, 1, 0.3)", "Brownian(-0.5)",
    "ChangePoint(RBF(0.5), 2*Matern32(0.5), 0.2, 3)", "1.2*RBF(0.4) + Periodic(1)*Linear",
    "2*(RBF + Linear)*Periodic(2, 0.7)", "RBF + White(0.2) + 3",
]  # fmt: skip
TWO_INPUTS = [
    "RBF([0.4, 2])", "Matern12([1, 2])", "Matern32([0.5, 1])", "Matern52([2, 0.7])", "RQ([0.8, 2], 1.7)", "RBF(0.6)",
    "Periodic(1.3, 0.8)", "Linear", "Polynomial(2)", "ArcCosine(1)", "RBF([1, 2])*Linear + 0.5*Matern52",
]  # fmt: skip
CASES = [(text, 1) for text in ONE_INPUT] + [(text, 2) for text in TWO_INPUTS]
ROUGH = ("Matern12", "White", "ArcCosine", "Brownian")
STEP = 1e-6


def places(dimensions: int, n: int = 7, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n, dimensions))


def by_differences(kernel: Kernel, value: Callable[[Kernel], float]) -> NDArray[np.float64]:
    theta = kernel.theta
    steps = STEP * np.eye(len(theta))
    ends = [(value(kernel.with_theta(theta + e)), value(kernel.with_theta(theta - e))) for e in steps]
    return np.array([(above - below) / 2 / STEP for above, below in ends])


@pytest.mark.parametrize(("text", "dimensions"), CASES)
@pytest.mark.parametrize("square", [True, False])
def test_pullback_is_the_gradient(text: str, dimensions: int, square: bool) -> None:
    kernel, a = parse(text), places(dimensions)
    b = None if square else places(dimensions, 5, seed=1)
    K, pull = kernel.with_pullback(a, b)
    weights = np.random.default_rng(2).normal(size=K.shape)
    weights = weights + weights.T if square else weights
    expected = by_differences(kernel, lambda k: float((weights * k(a, b)).sum()))
    np.testing.assert_allclose(pull(weights), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("text", "dimensions"), CASES)
def test_diagonal_is_that_of_the_matrix_and_so_is_its_gradient(text: str, dimensions: int) -> None:
    kernel, a = parse(text), places(dimensions)
    weights = np.random.default_rng(3).normal(size=len(a))
    np.testing.assert_allclose(kernel.diagonal(a), kernel(a).diagonal(), rtol=1e-12)
    expected = by_differences(kernel, lambda k: float(weights @ k.diagonal(a)))
    np.testing.assert_allclose(kernel.diagonal_pullback(a, weights), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("text", "dimensions"), CASES)
def test_matrix_is_symmetric_and_positive_semi_definite(text: str, dimensions: int) -> None:
    K = parse(text)(places(dimensions, 20))
    np.testing.assert_allclose(K, K.T, atol=1e-13)
    assert np.linalg.eigvalsh(K).min() > -1e-12 * np.trace(K)


@pytest.mark.parametrize(("text", "dimensions"), CASES)
def test_jet_is_the_derivative_by_the_inputs(text: str, dimensions: int) -> None:
    kernel, a, b, axis = parse(text), places(dimensions), places(dimensions, 5, seed=1), dimensions - 1
    if any(word in text for word in ROUGH):
        with pytest.raises(NotDifferentiable, match="have no derivative"):
            kernel.jet(a, b, axis)
        return
    step = 1e-4 * np.eye(dimensions)[axis]
    jet = kernel.jet(a, b, axis)
    np.testing.assert_allclose(jet.value, kernel(a, b), rtol=1e-12)
    np.testing.assert_allclose(jet.first, (kernel(a + step, b) - kernel(a - step, b)) / 2e-4, atol=1e-5)
    np.testing.assert_allclose(jet.second, (kernel(a, b + step) - kernel(a, b - step)) / 2e-4, atol=1e-5)
    mixed = kernel(a + step, b + step) - kernel(a + step, b - step)
    mixed += kernel(a - step, b - step) - kernel(a - step, b + step)
    np.testing.assert_allclose(jet.both, mixed / 4e-8, atol=2e-4)


@pytest.mark.parametrize("text", ["RBF(0.4)", "Matern32", "Matern52", "RQ(1, 2)", "Periodic", "Linear"])
def test_a_slope_varies_at_a_point_as_the_curvature_says(text: str) -> None:
    """d^2 k / dx dx' at x = x' is the variance of the slope: finite and positive where the derivative exists."""
    a = places(1)
    variance = parse(text).jet(a, a, 0).both.diagonal()
    nearby = (parse(text)(a, a) - parse(text)(a, a + 1e-3)).diagonal() * 2e6 if text != "Linear" else np.ones(len(a))
    np.testing.assert_allclose(variance, nearby, rtol=5e-3)


@pytest.mark.parametrize(("text", "dimensions"), [c for c in CASES if "White" not in c[0] and "Brown" not in c[0]])
def test_features_average_to_the_kernel(text: str, dimensions: int) -> None:
    """The error of the mean of c products is estimated from themselves: 6 standard errors, over 36 entries."""
    kernel, x, count = parse(text), places(dimensions, 6), 40_001
    phi = kernel.features(np.random.default_rng(4), count, dimensions)(x)
    products = phi[:, None] * phi[None]
    spread = products.std(axis=2) / np.sqrt(products.shape[2])
    assert (np.abs(products.mean(axis=2) - kernel(x, x)) <= 6 * spread + 1e-3 * kernel(x, x).max()).all()


@pytest.mark.parametrize("text", ["White", "Brownian", "RBF + White"])
def test_what_has_no_features_says_so(text: str) -> None:
    with pytest.raises(BadKernel, match=r"noise|random features"):
        parse(text).features(np.random.default_rng(0), 10, 1)


def test_white_noise_belongs_to_observations() -> None:
    a, white = places(1), parse("White(0.3)")
    np.testing.assert_array_equal(white(a), 0.3 * np.eye(len(a)))
    np.testing.assert_array_equal(white(a, a), 0)


def test_brownian_motion_is_the_smaller_of_two_times() -> None:
    x = np.abs(places(1))
    np.testing.assert_allclose(parse("Brownian")(x), np.minimum(x, x.T), atol=1e-15)


def test_periodic_repeats() -> None:
    a = places(1)
    np.testing.assert_allclose(parse("Periodic(1.7)")(a, a + 3 * 1.7), parse("Periodic(1.7)")(a, a), atol=1e-12)


def test_change_point_is_one_kernel_on_either_side() -> None:
    kernel, x = parse("ChangePoint(RBF(0.5), 3*Matern12, 0, 200)"), np.array([[-2.0], [-1.5], [1.0], [1.2]])
    K = kernel(x)
    np.testing.assert_allclose(K[:2, :2], parse("RBF(0.5)")(x[:2]), atol=1e-12)
    np.testing.assert_allclose(K[2:, 2:], parse("3*Matern12")(x[2:]), atol=1e-12)
    np.testing.assert_allclose(K[:2, 2:], 0, atol=1e-12)


def test_arc_cosine_is_a_wide_layer_of_rectified_units() -> None:
    """k_1 = 2 E[max(0, w.u) max(0, w.u')] by integration over the angle of w in the plane (Cho & Saul 2009, eq. 1)."""
    x = np.array([[0.4], [-1.1], [2.0]])
    u = np.hstack([x / 0.8, np.full((3, 1), np.sqrt(0.5))])
    angles = np.linspace(0, 2 * np.pi, 20_001)[:-1]
    responses = np.maximum(0, u @ np.array([np.cos(angles), np.sin(angles)]))
    # A standard normal vector in the plane has E|w|^2 = 2.
    expected = 2 * 2 * (responses @ responses.T) / len(angles)
    np.testing.assert_allclose(parse("ArcCosine(1, 0.8, 0.5)")(x), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", KERNELS[:-1])
def test_theta_goes_there_and_back(kind: type[Kernel]) -> None:
    kernel = kind()
    moved = kernel.with_theta(kernel.theta + 0.3)
    np.testing.assert_allclose(moved.theta, kernel.theta + 0.3, atol=1e-14)
    assert [p.name.split(".")[0] for p in kernel.parameters()] == [kind.__name__] * len(kernel.theta)


def test_parameters_have_names_of_their_own() -> None:
    names = [p.name for p in parse("2*RBF([1, 2]) + 3*RBF").parameters()]
    assert names == ["Scale.variance", "RBF.length[0]", "RBF.length[1]", "Scale#2.variance", "RBF#2.length"]


@pytest.mark.parametrize(("make", "says"), [
    (lambda: RBF(-1.0), "length must be a number above 0"),
    (lambda: RBF(float("nan")), "above 0"),
    (lambda: parse("RBF([1, 2])")(places(1)), "2 length-scales, but the inputs have 1"),
    (lambda: parse("SM")(places(2)), "one input dimension"),
    (lambda: parse("Brownian")(places(2)), "one input dimension"),
    (lambda: RBF().with_theta([0.0, 1.0]), "1 hyper-parameters, not 2"),
])  # fmt: skip
def test_what_does_not_fit_is_said(make: Callable[[], object], says: str) -> None:
    with pytest.raises(BadKernel, match=says):
        make()


def test_operators_build_the_same_as_text() -> None:
    assert 2.0 * RBF(1.0) + RBF(2.0) * RBF(3.0) + RBF(4.0) == parse("2*RBF(1) + RBF(2)*RBF(3) + RBF(4)")
    assert isinstance(RBF() + RBF(), Sum)
