"""Numbers and names as the panel and its files write them."""

from __future__ import annotations

from collections.abc import Sequence

from studio.ml.anatomy.memory import bytes_words

__all__ = [
    "big", "bytes_words", "flops_words", "full", "parameters_words", "percent", "plain", "seconds_words", "shape_words",
    "sub",
]  # fmt: skip


def full(value: int) -> str:
    """All digits, in groups, with a true minus sign."""
    return f"{value:,}".replace("-", "−")


def big(value: float) -> str:
    """Three significant digits with k, M, G (10⁹), T, P, E."""
    for unit, size in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            shown = value / size
            return f"{shown:.0f} {unit}" if shown >= 100 else f"{shown:.3g} {unit}"
    return f"{value:.3g}"


def parameters_words(value: float) -> str:
    """As models are spoken of: 124 M, 6.74 B."""
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            shown = value / size
            return f"{shown:.0f} {unit}" if shown >= 100 else f"{shown:.3g} {unit}"
    return f"{value:.0f}"


def flops_words(value: float) -> str:
    """Operations."""
    return f"{big(value)}FLOP" if value >= 1e3 else f"{value:.0f} FLOP"


def percent(share: float) -> str:
    if share == 0:
        return "0 %"
    return f"{100 * share:.3g} %" if share >= 0.001 else "< 0.1 %"


def seconds_words(value: float) -> str:
    """A duration."""
    if value < 1e-3:
        return f"{value * 1e6:.3g} µs"
    if value < 1:
        return f"{value * 1e3:.3g} ms"
    if value < 120:
        return f"{value:.3g} s"
    return f"{value / 60:.3g} min" if value < 7200 else f"{value / 3600:.3g} h"


def shape_words(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) if shape else "1"


def plain(symbols: str) -> str:
    """H_kv where no rich text is drawn."""
    return symbols.replace("H_kv", "Hₖᵥ")


def sub(symbols: str) -> str:
    """H_kv as rich text."""
    return symbols.replace("H_kv", "H<sub>kv</sub>").replace("W_ffn", "W<sub>ffn</sub>")
