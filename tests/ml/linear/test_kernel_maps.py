"""Kernels against their feature maps: the same Gram matrix two ways, exactly or as exactly as random features can."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.kernel_approximation import RBFSampler
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from studio.ml.linear.fourier import FourierFeatures, expected_error, gram_errors
from studio.ml.linear.kernels import Kernel, features, monomials

RNG = np.random.default_rng(0)
POINTS = RNG.uniform(-1.5, 1.5, (40, 2))


@given(st.integers(1, 8), st.floats(0, 3), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_a_polynomial_kernel_is_the_dot_product_of_its_features(degree, offset, inputs, seed):
    A, B = np.random.default_rng(seed).uniform(-1.5, 1.5, (2, 7, inputs))
    kernel = Kernel("polynomial", degree=degree, offset=offset)
    gram = kernel.gram(A, B)
    assert features(kernel, A) @ features(kernel, B).T == pytest.approx(
        gram, rel=1e-10, abs=1e-10 * abs(gram).max() + 1e-300
    )


def test_kernels_are_those_of_scikit_learn():
    assert Kernel("rbf", gamma=0.7).gram(POINTS, POINTS) == pytest.approx(rbf_kernel(POINTS, gamma=0.7), abs=1e-12)
    cubic = polynomial_kernel(POINTS, degree=3, gamma=1.0, coef0=0.5)
    assert Kernel("polynomial", degree=3, offset=0.5).gram(POINTS, POINTS) == pytest.approx(cubic, rel=1e-12)
    assert Kernel("linear").gram(POINTS, POINTS) == pytest.approx(POINTS @ POINTS.T)


def test_the_quadratic_kernel_has_the_six_features_of_the_textbook():
    found = {monomial.powers: monomial.weight for monomial in monomials(Kernel("polynomial", degree=2, offset=1.0), 2)}
    root = np.sqrt(2)
    assert found == pytest.approx({(0, 0): 1, (1, 0): root, (0, 1): root, (2, 0): 1, (1, 1): root, (0, 2): 1})
    homogeneous = monomials(Kernel("polynomial", degree=2, offset=0.0), 2)
    assert [monomial.powers for monomial in homogeneous] == [(2, 0), (1, 1), (0, 2)]
    assert [monomial.powers for monomial in monomials(Kernel("linear"), 2)] == [(1, 0), (0, 1)]
    with pytest.raises(ValueError, match="infinitely many"):
        monomials(Kernel("rbf"), 2)


def test_random_fourier_features_approach_the_gaussian_as_the_variance_says():
    counts = [4, 16, 64, 256, 1024]
    found = gram_errors(POINTS, 0.8, counts, list(range(24)))
    assert np.sqrt(np.square(found.errors).mean(axis=0)) == pytest.approx(found.expected, rel=0.25)
    assert found.expected[0] / found.expected[2] == pytest.approx(4)
    one = FourierFeatures.drawn(0.8, 2, 64, seed=3)(POINTS)
    assert np.square(one).sum(axis=1) == pytest.approx(1)
    more = FourierFeatures.drawn(0.8, 2, 128, seed=3)
    assert (more.frequencies[:32] == FourierFeatures.drawn(0.8, 2, 64, seed=3).frequencies).all()


def test_our_features_are_nearer_than_scikit_learns_random_phases():
    exact = Kernel("rbf", gamma=0.8).gram(POINTS, POINTS)

    def error(waves):
        return np.square(waves @ waves.T - exact).mean()

    ours = np.mean([error(FourierFeatures.drawn(0.8, 2, 100, seed)(POINTS)) for seed in range(20)])
    theirs = [
        error(RBFSampler(gamma=0.8, n_components=100, random_state=seed).fit_transform(POINTS)) for seed in range(20)
    ]
    assert ours < np.mean(theirs)
    assert np.sqrt(ours) == pytest.approx(expected_error(exact, 100), rel=0.2)
