"""The formula of each part of a layer, with the shapes of this model."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from studio.ml.anatomy.tracing import Part
from studio_plugins.anatomy.words import full, shape_words

_NORMS: Mapping[str, str] = MappingProxyType(
    {
        "rms": "y = x / √(mean(x²) + ε) · γ",
        "layer": "y = (x − mean(x)) / √(var(x) + ε) · γ + β",
    }
)
_ACTIVATIONS = (
    ("gelutanh", "GELU(x) ≈ ½x (1 + tanh(√(2/π)(x + 0.0447x³)))"),
    ("newgelu", "GELU(x) ≈ ½x (1 + tanh(√(2/π)(x + 0.0447x³)))"),
    ("quickgelu", "x · σ(1.702 x)"),
    ("gelu", "GELU(x) = x · Φ(x)"),
    ("silu", "SiLU(x) = x · σ(x)"),
    ("relu", "ReLU(x) = max(0, x)"),
    ("tanh", "c · tanh(x / c)"),
)
_PLAIN: Mapping[str, str] = MappingProxyType(
    {
        "input": "x",
        "output": "x, for the next layer",
        "scores": "S = Q Kᵀ / √d",
        "softmax": "A = softmax(S), each row sums to 1",
        "mix": "O = A V",
        "gate": "h = act(x W<sub>gate</sub>) ⊙ (x W<sub>up</sub>)",
        "embedding": "a row of a table for each distance",
        "scale": "y = λ ⊙ x",
        "module": "y = module(x)",
    }
)


def formula(part: Part) -> str:
    """What a part computes, as rich text."""
    if part.kind == "linear":
        biased = any(name == "bias" for name, _ in part.weights)
        return f"y = x W{'' if part.module == 'Conv1D' else '<sup>T</sup>'}{' + b' if biased else ''}"
    if part.kind == "norm":
        return _NORMS["rms" if not any(name == "bias" for name, _ in part.weights) else "layer"]
    if part.kind == "activation":
        name = (part.module or part.name).lower()
        return next((words for key, words in _ACTIVATIONS if key in name), f"y = {part.module or part.name}(x)")
    if part.kind == "sum":
        return "y = x + f(x)" if "residual" in part.name else "S + bias of the distance"
    return _PLAIN.get(part.kind, part.name)


def numbers(part: Part) -> str:
    """The same with the shapes, as rich text with $names."""
    return "<br>".join(f"{name}: ${name}" for name in values(part))


def values(part: Part) -> dict[str, str]:
    """Shapes and costs by name."""
    found: dict[str, str] = {}
    if part.inputs:
        found["in"] = ", ".join(shape_words(shape) for shape in dict.fromkeys(part.inputs))
    for name, shape in part.weights:
        found[name] = shape_words(shape)
    found["out"] = shape_words(part.output)
    if part.parameters:
        found["parameters"] = full(part.parameters)
    if part.flops:
        found["FLOP"] = f"{_product(part)} = {full(part.flops)}"
    return found


def _product(part: Part) -> str:
    """2 for each multiply-add, times the sides of the product."""
    if part.kind == "linear" and part.inputs:
        rows = 1
        for side in part.inputs[0][:-1]:
            rows *= side
        return f"2·{rows}·{part.inputs[0][-1]}·{part.output[-1]}"
    if len(part.output) >= 3 and part.output:
        size = 1
        for side in part.output:
            size *= side
        return f"2·{size:,}·{part.flops // (2 * size)}" if size and part.flops % (2 * size) == 0 else "counted"
    return "counted"
