"""Names of quantities as the panel and its files write them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from studio.ml.linear.problem import Family

FAMILY_WORDS: Mapping[Family, str] = MappingProxyType(
    {"linear": "Linear", "logistic": "Logistic", "multinomial": "Multinomial"}
)
EXPLAINED: Mapping[Family, str] = MappingProxyType(
    {"linear": "R²", "logistic": "deviance explained", "multinomial": "deviance explained"}
)
ERROR: Mapping[Family, str] = MappingProxyType(
    {"linear": "mean squared error", "logistic": "deviance", "multinomial": "deviance"}
)


def number(value: float) -> str:
    """Four significant digits, with a true minus sign."""
    return f"{value + 0.0:.4g}".replace("-", "−")


def penalty_word(mix: float) -> str:
    """What a mix is called."""
    return "lasso" if mix == 1 else "ridge" if mix == 0 else "elastic net"
