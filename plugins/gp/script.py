"""“Copy as Python”: the posterior and its likelihood with torch alone, by the conditional formula."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from studio.ml.gp.components import noise_apart
from studio.ml.gp.dot_product import Constant, Linear, Polynomial
from studio.ml.gp.errors import GPError
from studio.ml.gp.kernel import Kernel, Product, Scale, Sum
from studio.ml.gp.oscillating import Periodic
from studio.ml.gp.processes import Brownian
from studio.ml.gp.stationary import RBF, Matern12, Matern32, Matern52, RationalQuadratic
from studio_plugins.gp.document import Scene

_TEMPLATE = '''\
"""A Gaussian process of Glassbox Studio, with torch alone: kernel {kernel}."""

import math

import torch

torch.set_default_dtype(torch.float64)
x = torch.tensor({x})
y = torch.tensor({y})
noise = {noise!r} + torch.tensor({own})  # variance of each observation


def k(a, b):
    """Covariance of f at every pair of places."""
    a, b = a[:, None], b[None, :]
    r = (a - b).abs()
    one = torch.ones_like(r)
    return {expression}


def m(a):
    """Mean function."""
    return {mean}


S11 = k(x, x) + torch.diag(noise + {jitter!r})
L = torch.linalg.cholesky(S11)
alpha = torch.cholesky_solve((y - m(x))[:, None], L)[:, 0]


def predict(at):
    """Mean and standard deviation of f, by the conditional of a joint Gaussian."""
    S21 = k(at, x)
    V = torch.linalg.solve_triangular(L, S21.T, upper=False)
    variance = k(at, at).diagonal() - V.square().sum(dim=0)
    return m(at) + S21 @ alpha, variance.clamp(min=0).sqrt()


grid = torch.linspace({low!r}, {high!r}, 400)
mean, sd = predict(grid)
fit = -0.5 * ((y - m(x)) @ alpha)
complexity = -L.diagonal().log().sum()
evidence = fit + complexity - 0.5 * len(y) * math.log(2 * math.pi)
print("log marginal likelihood:", float(evidence))
'''
_TERMS: Mapping[type[Kernel], str] = MappingProxyType(
    {
        RBF: "(-0.5 * (r / {length!r}) ** 2).exp()",
        Matern12: "(-r / {length!r}).exp()",
        Matern32: "(1 + 3**0.5 * r / {length!r}) * (-(3**0.5) * r / {length!r}).exp()",
        Matern52: "(1 + 5**0.5 * r / {length!r} + 5 * (r / {length!r}) ** 2 / 3) * (-(5**0.5) * r / {length!r}).exp()",
        RationalQuadratic: "(1 + (r / {length!r}) ** 2 / (2 * {alpha!r})) ** -{alpha!r}",
        Periodic: "(-2 * (torch.sin(math.pi * r / {period!r}) / {length!r}) ** 2).exp()",
        Linear: "(a - {center!r}) * (b - {center!r})",
        Polynomial: "(a * b + {offset!r}) ** {degree!r}",
        Constant: "{value!r} * one",
        Brownian: "0.5 * ((a - {start!r}).abs() + (b - {start!r}).abs() - r)",
    }
)


def script(scene: Scene, jitter: float, span: tuple[float, float]) -> str:
    """Python source that works out what the stage shows over a stretch of x. Raises GPError for a kernel whose formula
    it does not write."""
    model, points = noise_apart(scene.model), scene.points
    mean = [repr(value) for value in model.mean.theta.tolist()]
    return _TEMPLATE.format(
        kernel=scene.kernel,
        x=points.x[:, 0].tolist(),
        y=points.y.tolist(),
        own=(points.own**2).tolist(),
        noise=model.noise,
        expression=_expression(model.kernel),
        mean=("torch.zeros_like(a)", "torch.full_like(a, {0})", "{0} + {1} * a")[len(mean)].format(*mean),
        jitter=jitter,
        low=span[0],
        high=span[1],
    )


def _expression(kernel: Kernel) -> str:
    if isinstance(kernel, Scale):
        return f"{kernel.variance!r} * ({_expression(kernel.kernel)})"
    if isinstance(kernel, Sum | Product):
        return (" + " if isinstance(kernel, Sum) else " * ").join(f"({_expression(part)})" for part in kernel.parts)
    if type(kernel) not in _TERMS:
        known = ", ".join(kind.__name__ for kind in _TERMS)
        raise GPError(f"The script knows {known} and their sums and products, but not {kernel.name}.")
    return _TERMS[type(kernel)].format(**vars(kernel))
