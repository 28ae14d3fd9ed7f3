"""A sum of kernels taken apart: what each term says of the data, and which part of it is noise.

With f = f_1 + ... + f_q, independent before the data, the posterior of one term (Duvenaud 2014, section 2.4.5) is

    f_i(x) | y ~ N(k_i(x, X) K^-1 (y - m), k_i(x, x) - k_i(x, X) K^-1 k_i(X, x)).

The means add up to the posterior's mean less m(x); the variances do not add up, because the data make the terms depend
on each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from studio.ml.gp.errors import BadKernel, GPError
from studio.ml.gp.exact import Posterior
from studio.ml.gp.jet import Array
from studio.ml.gp.kernel import Kernel, Scale, Sum
from studio.ml.gp.model import Model
from studio.ml.gp.processes import White


class Component(NamedTuple):
    """The posterior of a part of the sum at points [m, d]: mean [m], variance [m]."""

    kernel: Kernel
    mean: Array
    variance: Array


def terms(kernel: Kernel) -> tuple[Kernel, ...]:
    """The terms of a kernel's sum, those in brackets included: c*(A + B) is c*A and c*B."""
    if isinstance(kernel, Sum):
        return tuple(term for part in kernel.parts for term in terms(part))
    if isinstance(kernel, Scale):
        return tuple(Scale(kernel.variance, term) for term in terms(kernel.kernel))
    return (kernel,)


def decomposed(posterior: Posterior, x: Array, groups: Sequence[Sequence[int]] | None = None) -> list[Component]:
    """The parts of f at points [m, d]: one for each term, or for each group of term numbers.

    White terms are 0 at new points, where nothing is known of their noise. Raises GPError for a number without a term.
    """
    parts = terms(posterior.model.kernel)
    wanted = [[i] for i in range(len(parts))] if groups is None else groups
    if any(not 0 <= i < len(parts) for group in wanted for i in group):
        raise GPError(f"The kernel has {len(parts)} terms, numbered from 0: {posterior.model.kernel}")
    chosen = (parts[group[0]] if len(group) == 1 else Sum(tuple(parts[i] for i in group)) for group in wanted)
    return [_component(posterior, kernel, x) for kernel in chosen]


def noise_apart(model: Model) -> Model:
    """The same model with White terms of its kernel moved into its noise, so that f is a function of x.

    Raises BadKernel where nothing but noise is left.
    """
    parts = terms(model.kernel)
    functions = tuple(part for part in parts if white_variance(part) is None)
    if len(functions) == len(parts):
        return model
    if not functions:
        raise BadKernel(f"{model.kernel} is noise alone: add a kernel for the function")
    noise = math.fsum(white_variance(part) or 0.0 for part in parts)
    kernel = functions[0] if len(functions) == 1 else Sum(functions)
    return replace(model, kernel=kernel, noise=model.noise + noise)


def white_variance(kernel: Kernel) -> float | None:
    """The variance of a White term, however scaled; None for any other kernel."""
    if isinstance(kernel, Scale):
        inner = white_variance(kernel.kernel)
        return None if inner is None else kernel.variance * inner
    return kernel.variance if isinstance(kernel, White) else None


def _component(posterior: Posterior, kernel: Kernel, x: Array) -> Component:
    K = kernel(x, posterior.data.x)
    V = posterior.factor.half_solve(K.T)
    variance = kernel.diagonal(x) - np.einsum("ij,ij->j", V, V)
    return Component(kernel, K @ posterior.alpha, np.maximum(variance, 0))
