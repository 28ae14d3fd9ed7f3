"""Names of kernels, features and quantities as the panel and its files write them."""

from __future__ import annotations

from collections.abc import Sequence

from studio.ml.linear.kernels import Kernel, Monomial

CLASSES = ("A", "B")
_SUBSCRIPTS, _SUPERSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"), str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 4) -> str:
    """Some significant digits, with a true minus sign."""
    return f"{value + 0.0:.{digits}g}".replace("-", "−")


def kernel_words(kernel: Kernel) -> str:
    """A kernel with its numbers."""
    if kernel.name == "rbf":
        return f"Gaussian kernel, γ = {kernel.gamma:g}"
    if kernel.name == "linear":
        return "linear kernel"
    return f"polynomial kernel (x·z + {kernel.offset:g})^{kernel.degree}"


def monomial_words(monomial: Monomial) -> str:
    """√2 x₁x₂ and the like; weights that are no small roots in digits."""
    factors = [
        f"x{i + 1}".translate(_SUBSCRIPTS) + (str(power).translate(_SUPERSCRIPTS) if power > 1 else "")
        for i, power in enumerate(monomial.powers)
        if power
    ]
    square = monomial.weight**2
    if abs(square - round(square)) < 1e-9:
        root = round(monomial.weight)
        weight = str(root) if root * root == round(square) else f"√{round(square)}"
    else:
        weight = number(monomial.weight, 3)
    return " ".join(([weight] if weight != "1" or not factors else []) + ["".join(factors)] * bool(factors))


def feature_words(monomials: Sequence[Monomial], most: int = 12) -> str:
    """φ(x) as a list, the first ones where they are many."""
    shown = ", ".join(monomial_words(monomial) for monomial in monomials[:most])
    return f"({shown}{f', … {len(monomials)} in all' if len(monomials) > most else ''})"
