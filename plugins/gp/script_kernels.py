"""Kernels written as Python: as torch expressions of `a`, `b`, `difference` and `r(length)`, or as GPyTorch modules."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from studio.ml.gp.dot_product import Constant, Linear, Polynomial
from studio.ml.gp.errors import GPError
from studio.ml.gp.kernel import Kernel, Product, Scale, Sum
from studio.ml.gp.oscillating import Periodic
from studio.ml.gp.processes import Brownian
from studio.ml.gp.stationary import RBF, Matern12, Matern32, Matern52, RationalQuadratic, Stationary

_TORCH: Mapping[type[Kernel], str] = MappingProxyType(
    {
        RBF: "(-0.5 * r({length!r}) ** 2).exp()",
        Matern12: "(-r({length!r})).exp()",
        Matern32: "(1 + 3**0.5 * r({length!r})) * (-(3**0.5) * r({length!r})).exp()",
        Matern52: "(1 + 5**0.5 * r({length!r}) + 5 * r({length!r}) ** 2 / 3) * (-(5**0.5) * r({length!r})).exp()",
        RationalQuadratic: "(1 + r({length!r}) ** 2 / (2 * {alpha!r})) ** -{alpha!r}",
        Periodic: "(-2 * (torch.sin(math.pi * difference / {period!r}) / {length!r}).square().sum(dim=-1)).exp()",
        Linear: "(a - {center!r}) @ (b - {center!r}).T",
        Polynomial: "(a @ b.T + {offset!r}) ** {degree!r}",
        Constant: "torch.full((len(a), len(b)), {value!r})",
        Brownian: "0.5 * ((a - {start!r}).abs() + (b - {start!r}).abs().T - difference[..., 0].abs())",
    }
)
_GPYTORCH: Mapping[type[Kernel], str] = MappingProxyType(
    {
        RBF: "RBFKernel({ard}), lengthscale={lengths}",
        Matern12: "MaternKernel(nu=0.5{and_ard}), lengthscale={lengths}",
        Matern32: "MaternKernel(nu=1.5{and_ard}), lengthscale={lengths}",
        Matern52: "MaternKernel(nu=2.5{and_ard}), lengthscale={lengths}",
        RationalQuadratic: "RQKernel({ard}), lengthscale={lengths}, alpha={alpha!r}",
        Periodic: "PeriodicKernel(), lengthscale={square!r}, period_length={period!r}",  # its length-scale is ours squared
        Linear: "LinearKernel(), variance=1.0",
        Polynomial: "PolynomialKernel({degree!r}), offset={offset!r}",
        Constant: "ConstantKernel(), constant={value!r}",
    }
)


def torch_kernel(kernel: Kernel) -> str:
    """A torch expression. Raises GPError for a kernel whose formula is not written here."""
    if isinstance(kernel, Scale):
        return f"{kernel.variance!r} * ({torch_kernel(kernel.kernel)})"
    if isinstance(kernel, Sum | Product):
        return (" + " if isinstance(kernel, Sum) else " * ").join(f"({torch_kernel(part)})" for part in kernel.parts)
    return _of(_TORCH, kernel).format(**vars(kernel))


def gpytorch_kernel(kernel: Kernel, inputs: int) -> str:
    """An expression that makes a GPyTorch kernel. Raises GPError for one that GPyTorch has not in this form."""
    if isinstance(kernel, Scale):
        inner = gpytorch_kernel(kernel.kernel, inputs)
        return f"with_values(gpytorch.kernels.ScaleKernel({inner}), outputscale={kernel.variance!r})"
    if isinstance(kernel, Sum | Product):
        sign = " + " if isinstance(kernel, Sum) else " * "
        return f"({sign.join(gpytorch_kernel(part, inputs) for part in kernel.parts)})"
    if isinstance(kernel, Linear) and kernel.center:
        raise GPError("GPyTorch’s linear kernel passes through 0: set the centre of Linear to 0, or copy with torch.")
    if isinstance(kernel, Periodic) and inputs > 1:
        raise GPError("GPyTorch’s periodic kernel over several inputs is another one: copy with torch.")
    values = dict(vars(kernel))
    if isinstance(kernel, Stationary):
        many = isinstance(kernel.length, tuple)
        values |= {
            "lengths": [list(kernel.length)] if isinstance(kernel.length, tuple) else kernel.length,
            "ard": f"ard_num_dims={inputs}" if many else "", "and_ard": f", ard_num_dims={inputs}" if many else "",
        }  # fmt: skip
    if isinstance(kernel, Periodic):
        values["square"] = kernel.length**2
    return f"with_values(gpytorch.kernels.{_of(_GPYTORCH, kernel)})".format(**values)


def _of(written: Mapping[type[Kernel], str], kernel: Kernel) -> str:
    if type(kernel) not in written:
        known = ", ".join(kind.__name__ for kind in written)
        raise GPError(f"The script knows {known} and their sums and products, but not {kernel.name}.")
    return written[type(kernel)]
