"""Bytes: of weights, of the cache of keys and values, of activations, and of training with its optimiser's states."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from studio.ml.anatomy.shape import BlockShape, StackShape, Term

Precision = Literal["float32", "bfloat16", "float16", "int8", "int4"]
Optimiser = Literal["sgd", "momentum", "adam", "adam8"]

BYTES: Mapping[str, float] = MappingProxyType({"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1, "int4": 0.5})
"""Bytes a weight; integer weights without the scales that go with them."""
OPTIMISERS: Mapping[str, str] = MappingProxyType(
    {"sgd": "SGD", "momentum": "SGD with momentum", "adam": "Adam", "adam8": "Adam, 8-bit states"}
)
STATES: Mapping[str, int] = MappingProxyType({"sgd": 0, "momentum": 4, "adam": 8, "adam8": 2})
"""Bytes of the optimiser's states a parameter: float32 moments, or 8-bit ones (Dettmers et al. 2022)."""


def active_bytes(precision: str) -> int:
    """Bytes a number of activations and caches: integer weights still compute in 16 bits."""
    return 4 if precision == "float32" else 2


def weight_bytes(parameters: int, precision: str) -> int:
    """Bytes of the weights."""
    return round(parameters * BYTES[precision])


def kept_tokens(tokens: int, window: int) -> int:
    """Tokens a layer keeps keys and values of: all, or of a sliding window one less than it sees, since the newest
    token brings its own."""
    return min(tokens, window - 1) if window else tokens


def cache_bytes(stack: StackShape, tokens: int, batch: int, size: int, source: int = 0) -> int:
    """Bytes of the keys and values of all layers after `tokens` tokens, `size` bytes a number: 2·L·H_kv·d·T·B·bytes.

    source: tokens of the encoder, whose keys and values a layer with cross-attention keeps as well.
    """
    windows = stack.windows or (0,) * stack.layers
    rows = sum(kept_tokens(tokens, window) for window in windows) + (stack.layers * source if stack.block.cross else 0)
    return 2 * stack.block.keys * rows * batch * size


def cache_term(stack: StackShape, tokens: int, batch: int, size: int, source: int = 0) -> Term:
    """The same with its arithmetic."""
    value = cache_bytes(stack, tokens, batch, size, source)
    block, sliding = stack.block, len([window for window in stack.windows if window and window <= tokens])
    symbols = "2·L·H_kv·d·T·B·bytes"
    numbers = f"2·{stack.layers}·{block.kv_heads}·{block.head_dim}·{tokens}·{batch}·{size}"
    if block.cross:
        symbols, numbers = "2·L·H_kv·d·(T + S)·B·bytes", numbers.replace(f"·{tokens}·", f"·({tokens} + {source})·", 1)
    if sliding:
        symbols = "2·H_kv·d·Σ min(T, window − 1)·B·bytes"
        numbers = f"{sliding} of {stack.layers} layers keep {min(w for w in stack.windows if w) - 1} tokens"
    return Term("keys and values", symbols, numbers, value)


def moment_terms(
    block: BlockShape, tokens: int, batch: int, size: int, *, fused: bool, source: int = 0
) -> tuple[Term, ...]:
    """The tensors that must be there at once in inference, at the larger of two moments of a layer: an own tally.

    The residual stream, and either queries, keys, values and the mixed values (with plain attention the scores and
    their softmax, too), or the inner activations of the feed-forward network.
    """
    rows = tokens * batch
    stream = Term("residual stream", "B·T·D·bytes", f"{batch}·{tokens}·{block.width}·{size}", rows * block.width * size)
    attending = Term(
        "q, k, v and their mix", "B·T·(2H·d + 2H_kv·d)·bytes",
        f"{batch}·{tokens}·{2 * block.queries + 2 * block.keys}·{size}",
        rows * (2 * block.queries + 2 * block.keys) * size,
    )  # fmt: skip
    longest = max(tokens, source if block.cross else 0)
    scores = Term(
        "scores and softmax", "2·B·H·T²·bytes", f"2·{batch}·{block.heads}·{tokens}·{longest}·{size}",
        0 if fused else 2 * batch * block.heads * tokens * longest * size,
    )  # fmt: skip
    count = block.matrices
    inner = Term(
        "inner activations", f"{count}·B·T·F·bytes", f"{count}·{batch}·{tokens}·{block.inner}·{size}",
        count * rows * block.inner * size,
    )  # fmt: skip
    if attending.value + scores.value >= inner.value:
        return (stream, attending) if fused else (stream, attending, scores)
    return stream, inner


def moment_bytes(block: BlockShape, tokens: int, batch: int, size: int, *, fused: bool, source: int = 0) -> int:
    """The sum of `moment_terms`."""
    return sum(term.value for term in moment_terms(block, tokens, batch, size, fused=fused, source=source))


def korthikanti(block: BlockShape, tokens: int, batch: int) -> Term:
    """Bytes of activations a layer keeps for the backward pass: s·b·h·(34 + 5·a·s/h), Korthikanti et al. 2022, eq. 1.

    For 16-bit numbers, GELU, F = 4D, as many heads of keys as of queries, dropout and plain attention.
    """
    value = tokens * batch * (34 * block.width + 5 * block.heads * tokens)
    shown = f"{tokens}·{batch}·{block.width}·(34 + 5·{block.heads}·{tokens}/{block.width})"
    return Term("activations a layer", "T·B·D·(34 + 5·H·T/D)", shown, value)


def training_terms(parameters: int, optimiser: str, *, mixed: bool) -> tuple[Term, ...]:
    """Bytes of weights, gradients and optimiser states; activations come on top.

    Mixed precision keeps 16-bit weights and gradients and a float32 master copy: with Adam 2 + 2 + 12 = 16 bytes a
    parameter (Rajbhandari et al. 2020, ZeRO, sec. 3.1).
    """
    small = 2 if mixed else 4
    parts = [("weights", small), ("gradients", small)]
    if mixed:
        parts.append(("float32 master copy", 4))
    if STATES[optimiser]:
        parts.append(("optimiser states", STATES[optimiser]))
    return tuple(Term(name, f"{size}·P", f"{size}·{parameters}", size * parameters) for name, size in parts)


def bytes_words(count: float) -> str:
    """A number of bytes in binary units."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            return f"{count:,.0f} {unit}" if unit == "B" or count >= 100 else f"{count:,.3g} {unit}"
        count /= 1024
    return ""
