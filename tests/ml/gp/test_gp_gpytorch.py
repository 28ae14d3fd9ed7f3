"""The exact posterior against GPyTorch."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from studio.ml.gp.exact import Posterior
from studio.ml.gp.grammar import parse
from studio.ml.gp.model import Data, Model, points

with warnings.catch_warnings():
    # It compiles with torch.jit as it is imported, which torch 2.13 deprecates.
    warnings.simplefilter("ignore", DeprecationWarning)
    import gpytorch

GRID = points(np.linspace(-1, 11, 60))
NOISE = 0.05


def sine(n: int) -> Data:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 10, n)
    return Data.of(x, np.sin(x) + 0.2 * rng.standard_normal(n))


class Oracle(gpytorch.models.ExactGP):
    """GPyTorch's exact regression with a zero mean."""

    def __init__(self, data: Data, kernel: gpytorch.kernels.Kernel) -> None:
        likelihood = gpytorch.likelihoods.GaussianLikelihood()
        super().__init__(torch.from_numpy(data.x), torch.from_numpy(data.y), likelihood)
        self.mean_module, self.covar_module = gpytorch.means.ZeroMean(), kernel
        self.double()
        likelihood.noise = NOISE
        self.eval()

    def forward(self, x: torch.Tensor) -> gpytorch.distributions.MultivariateNormal:
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def of_gpytorch(text: str) -> gpytorch.kernels.Kernel:
    """The same kernel; GPyTorch's periodic length-scale is the square of ours, its alpha and scales are set."""
    k = gpytorch.kernels
    kernels = {
        "RBF(0.7)": (k.RBFKernel(), {"lengthscale": 0.7}),
        "Matern12(0.7)": (k.MaternKernel(0.5), {"lengthscale": 0.7}),
        "Matern32(0.7)": (k.MaternKernel(1.5), {"lengthscale": 0.7}),
        "Matern52(0.7)": (k.MaternKernel(2.5), {"lengthscale": 0.7}),
        "RQ(0.8, 1.7)": (k.RQKernel(), {"lengthscale": 0.8, "alpha": 1.7}),
        "Periodic(3.1, 0.9)": (k.PeriodicKernel(), {"lengthscale": 0.81, "period_length": 3.1}),
        "1.5*Linear": (k.LinearKernel(), {"variance": 1.5}),
        "Polynomial(2, 0.7)": (k.PolynomialKernel(2), {"offset": torch.tensor([0.7])}),
        "SM([1, 0.5], [0.3, 1], [0.1, 0.2])": (
            k.SpectralMixtureKernel(2),
            {
                "mixture_weights": torch.tensor([1, 0.5]),
                "mixture_means": torch.tensor([0.3, 1]).reshape(2, 1, 1),
                "mixture_scales": torch.tensor([0.1, 0.2]).reshape(2, 1, 1),
            },
        ),
    }
    kernel, values = kernels[text]
    kernel.double().initialize(**{n: v.double() if isinstance(v, torch.Tensor) else v for n, v in values.items()})
    return kernel


@pytest.mark.parametrize("text", [
    "RBF(0.7)", "Matern12(0.7)", "Matern32(0.7)", "Matern52(0.7)", "RQ(0.8, 1.7)", "Periodic(3.1, 0.9)", "1.5*Linear",
    "Polynomial(2, 0.7)", "SM([1, 0.5], [0.3, 1], [0.1, 0.2])",
])  # fmt: skip
@pytest.mark.parametrize("n", [1, 2, 100])
def test_agrees_with_gpytorch(text: str, n: int) -> None:
    agree_with_gpytorch(text, sine(n))


def test_agrees_with_gpytorch_beyond_its_switch_to_conjugate_gradients() -> None:
    agree_with_gpytorch("RBF(0.7)", sine(1000))


def agree_with_gpytorch(text: str, data: Data) -> None:
    """To 1e-6, with Cholesky forced: above 800 points GPyTorch uses conjugate gradients with a tolerance of 1."""
    oracle, posterior = Oracle(data, of_gpytorch(text)), Posterior.of(Model(parse(text), NOISE), data)
    exact = gpytorch.settings.fast_computations(covar_root_decomposition=False, log_prob=False, solves=False)
    with torch.no_grad(), exact, gpytorch.settings.max_cholesky_size(10_000):
        theirs = oracle(torch.from_numpy(GRID))
        evidence = oracle.likelihood(oracle.forward(oracle.train_inputs[0])).log_prob(oracle.train_targets)
    ours = posterior.predict(GRID)
    np.testing.assert_allclose(ours.mean, theirs.mean.numpy(), atol=1e-6)
    np.testing.assert_allclose(np.sqrt(ours.variance), theirs.stddev.numpy(), atol=1e-6)
    assert posterior.evidence.total == pytest.approx(float(evidence), rel=1e-6)
