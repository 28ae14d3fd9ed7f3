"""“Copy as Python”: the posterior and its likelihood by the conditional formula, with torch alone or with GPyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from studio.ml.gp.classification import Classifier
from studio.ml.gp.components import noise_apart
from studio.ml.gp.errors import GPError
from studio.ml.gp.exact import Posterior
from studio.ml.gp.jet import Array
from studio.ml.gp.model import Model
from studio.ml.gp.sparse import STEADY, SparsePosterior
from studio.ml.gp.stochastic import StochasticPosterior
from studio.ml.gp.student import StudentPosterior
from studio_plugins.gp.answers import Answer
from studio_plugins.gp.document import Scene
from studio_plugins.gp.script_kernels import gpytorch_kernel, torch_kernel

LIBRARIES: Mapping[str, str] = MappingProxyType({"torch": "torch alone", "gpytorch": "GPyTorch"})
INLINE = 2000
"""Points up to which the script holds them; more are read from the table that Export writes."""

_HEAD = '''\
"""A Gaussian process of Glassbox Studio, with {library}: kernel {kernel}."""

import math

import torch

torch.set_default_dtype(torch.float64)
{data}
'''
_FUNCTIONS = '''

def k(a, b):
    """Covariance of f at every pair of places a [n, d], b [m, d]."""
    difference = a[:, None] - b[None, :]

    def r(length):
        return (difference / torch.tensor(length)).square().sum(dim=-1).sqrt()

    return {expression}


def m(a):
    """Mean function."""
    return {mean}

'''
_EXACT = '''
S11 = k(x, x) + torch.diag(noise + {jitter!r})
L = torch.linalg.cholesky(S11)
alpha = torch.cholesky_solve((y - m(x))[:, None], L)[:, 0]


def predict(at):
    """Mean and standard deviation of f, by the conditional of a joint Gaussian."""
    S21 = k(at, x)
    V = torch.linalg.solve_triangular(L, S21.T, upper=False)
    variance = k(at, at).diagonal() - V.square().sum(dim=0)
    return m(at) + S21 @ alpha, variance.clamp(min=0).sqrt()


fit = -0.5 * ((y - m(x)) @ alpha)
complexity = -L.diagonal().log().sum()
evidence = fit + complexity - 0.5 * len(y) * math.log(2 * math.pi)
'''
_SPARSE = '''
# The collapsed bound with inducing points Z (Titsias 2009).
Z = torch.tensor({inducing})
K = k(Z, Z)
L = torch.linalg.cholesky(K + {steady!r} * K.diagonal().mean() * torch.eye(len(Z)))
A = torch.linalg.solve_triangular(L, k(Z, x), upper=False)
left = k(x[:1], x[:1]).new_tensor([k(one[None], one[None])[0, 0] for one in x]) - A.square().sum(dim=0)
A = A / noise.sqrt()
B = torch.linalg.cholesky(torch.eye(len(Z)) + A @ A.T)
r = (y - m(x)) / noise.sqrt()
weights = torch.cholesky_solve((A @ r)[:, None], B)[:, 0]


def predict(at):
    """Mean and standard deviation of f."""
    V = torch.linalg.solve_triangular(L, k(Z, at), upper=False)
    W = torch.linalg.solve_triangular(B, V, upper=False)
    variance = k(at, at).diagonal() - V.square().sum(dim=0) + W.square().sum(dim=0)
    return m(at) + V.T @ weights, variance.clamp(min=0).sqrt()


fit = -0.5 * (r @ r - (A @ r) @ weights)
complexity = -B.diagonal().log().sum() - 0.5 * noise.log().sum()
slack = -0.5 * (left.clamp(min=0) / noise).sum()
evidence = fit + complexity - 0.5 * len(y) * math.log(2 * math.pi) + slack
'''
_GPYTORCH = '''
import gpytorch


def with_values(module, **values):
    """A GPyTorch module at these values of its parameters."""
    return module.initialize(**{{name: torch.tensor(value) for name, value in values.items()}})


class Process(gpytorch.models.ExactGP):
    def __init__(self):
        super().__init__(x, y, gpytorch.likelihoods.FixedNoiseGaussianLikelihood(noise + {jitter!r}))
        self.mean_module = {mean}
        self.covar_module = {expression}

    def forward(self, at):
        return gpytorch.distributions.MultivariateNormal(self.mean_module(at), self.covar_module(at))


process = Process()
# GPyTorch leaves Cholesky for conjugate gradients above 800 points, which is not exact.
exactly = gpytorch.settings.max_cholesky_size(10**9)


def predict(at):
    """Mean and standard deviation of f."""
    process.eval()
    with torch.no_grad(), exactly, gpytorch.settings.fast_pred_var(False):
        f = process(at)
        return f.mean, f.variance.clamp(min=0).sqrt()


process.train()
with torch.no_grad(), exactly:
    evidence = process.likelihood(process(x)).log_prob(y)
'''
_TAIL = '''
grid = {grid}
mean, sd = predict(grid)
print("{label}:", float(evidence))
'''


def script(scene: Scene, answer: Answer, grid: Array, library: str = "torch") -> str:
    """Python source that works out what the stage shows at `grid` [m, D]. Raises GPError for what it does not write."""
    found, model = answer.found, noise_apart(scene.model)
    if isinstance(found, StochasticPosterior):
        raise GPError("The script does not learn from batches: choose inducing points as the method, or export the predictions.")
    if isinstance(found, Classifier):
        raise GPError("The script writes Gaussian posteriors: choose Gaussian or Student-t noise for the observations.")
    head = _HEAD.format(library=LIBRARIES[library], kernel=scene.kernel, data=_data(scene, answer, model))
    tail = _TAIL.format(grid=_grid(grid), label=_label(answer))
    gaussian = answer.gaussian
    if library == "gpytorch":
        if not isinstance(found, Posterior):
            raise GPError("With GPyTorch the script writes the exact posterior alone; copy it with torch.")
        body = _GPYTORCH.format(
            jitter=found.factor.jitter, mean=_gpytorch_mean(model, scene.points.inputs),
            expression=gpytorch_kernel(model.kernel, scene.points.inputs),
        )  # fmt: skip
        return head + body + tail
    body = _FUNCTIONS.format(expression=torch_kernel(model.kernel), mean=_mean(model))
    if isinstance(found, SparsePosterior):
        body += _SPARSE.format(inducing=found.inducing.tolist(), steady=STEADY)
    elif gaussian is not None:
        body += _EXACT.format(jitter=gaussian.factor.jitter)
    return head + body + tail


def _label(answer: Answer) -> str:
    if isinstance(answer.found, SparsePosterior):
        return "lower bound of the log marginal likelihood"
    if isinstance(answer.found, StudentPosterior):
        return "log N(y) with these noises (the bound of the studio counts the weights, too)"
    return "log marginal likelihood"


def _data(scene: Scene, answer: Answer, model: Model) -> str:
    points, found = scene.points, answer.found
    own = points.own**2
    comment = "variance of each observation"
    if isinstance(found, StudentPosterior):
        own = model.noise / found.weights - model.noise
        comment = "σ² over the expected weight of each point: how Student-t noise sees them"
    if len(points) <= INLINE:
        return (
            f"x = torch.tensor({points.x.tolist()})\ny = torch.tensor({points.y.tolist()})\n"
            f"noise = {model.noise!r} + torch.tensor({own.tolist()})  # {comment}"
        )
    return (
        "# Export the points as CSV beside this script first.\n"
        "import numpy as np\n\n"
        f'table = torch.tensor(np.loadtxt("points.csv", delimiter=",", skiprows=1, usecols=range({points.inputs + 2})))\n'
        f"x, y = table[:, :{points.inputs}], table[:, {points.inputs}]\n"
        f"noise = table[:, {points.inputs + 1}].square()  # {comment}"
    )


def _mean(model: Model) -> str:
    values = model.mean.theta.tolist()
    if not values:
        return "torch.zeros(len(a))"
    if len(values) == 1:
        return f"torch.full((len(a),), {values[0]!r})"
    return f"{values[0]!r} + a @ torch.tensor({values[1:]})"


def _gpytorch_mean(model: Model, inputs: int) -> str:
    values = model.mean.theta.tolist()
    if not values:
        return "gpytorch.means.ZeroMean()"
    if len(values) == 1:
        return f"with_values(gpytorch.means.ConstantMean(), constant={values[0]!r})"
    slopes = [[value] for value in values[1:]]
    return f"with_values(gpytorch.means.LinearMean({inputs}), weights={slopes}, bias={values[0]!r})"


def _grid(grid: Array) -> str:
    if grid.shape[1] == 1:
        return f"torch.linspace({float(grid[0, 0])!r}, {float(grid[-1, 0])!r}, {len(grid)})[:, None]"
    side = round(len(grid) ** 0.5)
    sides = (
        f"torch.linspace({float(grid[0, axis])!r}, {float(grid[-1, axis])!r}, {side})" for axis in range(grid.shape[1])
    )
    return f'torch.stack(torch.meshgrid({", ".join(sides)}, indexing="xy"), dim=-1).reshape(-1, {grid.shape[1]})'
