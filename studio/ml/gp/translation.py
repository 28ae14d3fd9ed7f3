"""Our kernels and means as GPyTorch's, and their hyper-parameters back again.

GPyTorch keeps positive values behind softplus by default; here they are kept as their logarithms, so that its
parameters are the entries of our theta and one learning rate suits all scales.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import singledispatch
from typing import Any

import numpy as np

from studio.ml.gp.dot_product import Constant, Linear, Polynomial
from studio.ml.gp.errors import GPError
from studio.ml.gp.jet import Array
from studio.ml.gp.kernel import Kernel, Product, Scale, Sum
from studio.ml.gp.mean import ConstantMean, LinearMean, Mean
from studio.ml.gp.oscillating import Periodic
from studio.ml.gp.stationary import RBF, Matern12, Matern32, Matern52, RationalQuadratic, Stationary


class GPyTorchMissing(GPError):
    """The optional library is not installed; the message says how to get it."""

    def __init__(self) -> None:
        super().__init__(
            "Stochastic fits of very many points use GPyTorch, which is not installed: "
            "pip install 'glassbox-studio[gpytorch]'. Up to about 100,000 points the sparse bound works without it."
        )


class Slots:
    """Where each of our hyper-parameters sits in GPyTorch's modules, in the order of theta. A slot's numbers are those
    of theta times a factor: GPyTorch's periodic length-scale is the square of ours, so its logarithm is twice as large.
    """

    def __init__(self) -> None:
        self._slots: list[tuple[Any, str, float]] = []

    def add(self, module: Any, name: str, factor: float = 1.0) -> None:
        """The next entries of theta are in this parameter of the module."""
        self._slots.append((module, name, factor))

    def extend(self, other: Slots) -> None:
        """The entries of theta after these are where those of `other` are."""
        self._slots += other._slots

    def parameters(self) -> list[Any]:
        """The parameters to learn."""
        return [getattr(module, name) for module, name, _ in self._slots]

    def read(self) -> Array:
        """theta [p]."""
        values = [(parameter.detach().reshape(-1).cpu().numpy(), f) for parameter, f in self._with_factors()]
        return np.concatenate([np.asarray(array, dtype=float) / factor for array, factor in values] or [np.empty(0)])

    def write(self, theta: Array) -> None:
        """Set theta [p]."""
        import torch

        start = 0
        for parameter, factor in self._with_factors():
            values = theta[start : start + parameter.numel()] * factor
            parameter.data.copy_(torch.from_numpy(np.ascontiguousarray(values)).reshape(parameter.shape))
            start += parameter.numel()

    def _with_factors(self) -> Iterator[tuple[Any, float]]:
        return ((getattr(module, name), factor) for module, name, factor in self._slots)


@singledispatch
def translated(kernel: Kernel, slots: Slots) -> Any:
    """GPyTorch's kernel of the same form; its values are set by `slots.write`. Raises GPError where it has none."""
    raise GPError(
        f"{kernel.name} has no counterpart in GPyTorch, so the stochastic fit cannot use it: take another kernel, or "
        "the sparse bound"
    )


@translated.register(RBF)
@translated.register(Matern12)
@translated.register(Matern32)
@translated.register(Matern52)
@translated.register(RationalQuadratic)
def _stationary(kernel: Stationary, slots: Slots) -> Any:
    k, logarithm = gpytorch_or_told().kernels, _as_logarithm
    each = len(kernel.length) if isinstance(kernel.length, tuple) else None
    options = {"ard_num_dims": each, "lengthscale_constraint": logarithm()}
    match kernel:
        case RationalQuadratic():
            made = k.RQKernel(alpha_constraint=logarithm(), **options)
        case Matern12() | Matern32() | Matern52():
            made = k.MaternKernel({"Matern12": 0.5, "Matern32": 1.5, "Matern52": 2.5}[kernel.name], **options)
        case _:
            made = k.RBFKernel(**options)
    slots.add(made, "raw_lengthscale")
    if isinstance(kernel, RationalQuadratic):
        slots.add(made, "raw_alpha")
    return made


@translated.register
def _periodic(kernel: Periodic, slots: Slots) -> Any:
    made = gpytorch_or_told().kernels.PeriodicKernel(
        period_length_constraint=_as_logarithm(), lengthscale_constraint=_as_logarithm()
    )
    slots.add(made, "raw_period_length")
    slots.add(made, "raw_lengthscale", 2.0)
    return made


@translated.register
def _constant(kernel: Constant, slots: Slots) -> Any:
    made = gpytorch_or_told().kernels.ConstantKernel(constant_constraint=_as_logarithm())
    slots.add(made, "raw_constant")
    return made


@translated.register
def _polynomial(kernel: Polynomial, slots: Slots) -> Any:
    made = gpytorch_or_told().kernels.PolynomialKernel(kernel.degree, offset_constraint=_as_logarithm())
    slots.add(made, "raw_offset")
    return made


@translated.register
def _linear(kernel: Linear, slots: Slots) -> Any:
    """GPyTorch's lines pass through 0 and have a variance; ours a centre, and slopes of variance 1."""
    import torch

    k = gpytorch_or_told().kernels

    class Centred(k.Kernel):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.lines = k.LinearKernel()
            self.lines.initialize(variance=1.0).requires_grad_(False)
            self.center = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x1: Any, x2: Any, diag: bool = False, **options: Any) -> Any:
            return self.lines.forward(x1 - self.center, x2 - self.center, diag=diag, **options)

    made = Centred()
    slots.add(made, "center")
    return made


@translated.register
def _scale(kernel: Scale, slots: Slots) -> Any:
    k = gpytorch_or_told().kernels
    inner = Slots()
    made = k.ScaleKernel(translated(kernel.kernel, inner), outputscale_constraint=_as_logarithm())
    slots.add(made, "raw_outputscale")
    slots.extend(inner)
    return made


@translated.register
def _sum(kernel: Sum, slots: Slots) -> Any:
    return gpytorch_or_told().kernels.AdditiveKernel(*(translated(part, slots) for part in kernel.parts))


@translated.register
def _product(kernel: Product, slots: Slots) -> Any:
    return gpytorch_or_told().kernels.ProductKernel(*(translated(part, slots) for part in kernel.parts))


def translated_mean(mean: Mean, slots: Slots) -> Any:
    """GPyTorch's mean function of the same form; its values are set by `slots.write`."""
    means = gpytorch_or_told().means
    match mean:
        case ConstantMean():
            made = means.ConstantMean()
            slots.add(made, "raw_constant")
        case LinearMean():
            made = means.LinearMean(len(mean.slopes))
            slots.add(made, "bias")
            slots.add(made, "weights")
        case _:
            made = means.ZeroMean()
    return made


def _as_logarithm() -> Any:
    """A positive value kept as its logarithm, like theta: one rate suits lengths of 1e-3 and of 1e3."""
    import torch

    return gpytorch_or_told().constraints.Positive(transform=torch.exp, inv_transform=torch.log)


def exactly() -> Any:
    """GPyTorch left to itself takes conjugate gradients with a tolerance of 1 above 800 points; here never."""
    from contextlib import ExitStack

    settings, stack = gpytorch_or_told().settings, ExitStack()
    stack.enter_context(settings.fast_computations(covar_root_decomposition=False, log_prob=False, solves=False))
    stack.enter_context(settings.max_cholesky_size(10**9))
    return stack


def gpytorch_or_told() -> Any:
    """The library. Raises GPyTorchMissing."""
    try:
        import gpytorch
    except ImportError as error:
        raise GPyTorchMissing from error
    return gpytorch
