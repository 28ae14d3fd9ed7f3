"""Parameters counted in the modules, beside what the formulas say; what is left over is told, down to zero or not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.ml.anatomy.shape import StackShape, Term
from studio.ml.anatomy.stacks import ATTENTION, CROSS

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Line:
    """One part, by the formula and counted. expected: None where no formula is known. times: how often it is there."""

    where: str
    part: str
    symbols: str
    numbers: str
    expected: int | None
    counted: int
    times: int = 1

    @property
    def difference(self) -> int | None:
        """Counted less the formula, of one."""
        return None if self.expected is None else self.counted - self.expected


@dataclass(frozen=True)
class Count:
    """lines: every part, of one layer with how many layers, then what is once. total: all parameters, tied ones once.
    explained: how many of them a formula gives.
    """

    lines: tuple[Line, ...]
    total: int

    @property
    def explained(self) -> int:
        return sum(line.times * line.expected for line in self.lines if line.expected is not None)

    @property
    def residual(self) -> int:
        """Parameters that no formula gives: 0 for the known families."""
        return self.total - self.explained


def count(model: nn.Module, stacks: tuple[StackShape, ...]) -> Count:
    """Count a model whose stacks are known."""
    lines: list[Line] = []
    for stack in stacks:
        lines += _stack_lines(model, stack)
    lines += _rest_lines(model, stacks)
    return Count(tuple(lines), sum(parameter.numel() for parameter in model.parameters()))


def part_of_parameter(path: str, owner: nn.Module) -> str:
    """Which part of a block a parameter belongs to, by its path in the block and the module that holds it."""
    name, kind = path.rsplit(".", 1)[-1], type(owner).__name__.lower()
    place = path.rsplit(".", 1)[0]
    if "norm" in kind or "norm" in place.rsplit(".", 1)[-1].lower():
        return "norms"
    if kind == "embedding":
        return "relative positions"
    if "layerscale" in kind or "layer_scale" in place or "lambda" in name:
        return "scales"
    if name.endswith("bias") and kind in ("linear", "conv1d", "conv2d"):
        return "biases"
    if kind not in ("linear", "conv1d"):
        return "other"
    if CROSS.search(place):
        return "cross-attention"
    return "attention" if ATTENTION.search(place) else "feed-forward"


def block_parts(block: nn.Module) -> Mapping[str, int]:
    """Parameters of one layer by part."""
    parts: Counter[str] = Counter()
    owners = dict(block.named_modules())
    for path, parameter in block.named_parameters():
        parts[part_of_parameter(path, owners[path.rpartition(".")[0]])] += parameter.numel()
    return parts


def _stack_lines(model: nn.Module, stack: StackShape) -> list[Line]:
    layers = list(model.get_submodule(stack.path).children())
    counted = [block_parts(layer) for layer in layers]
    typical = counted[-1]
    where = stack.name
    terms = {term.name: term for term in stack.block.terms()}
    lines = []
    for name in [*terms, *(name for name in typical if name not in terms)]:
        term = terms.get(name, Term(name, "", "", 0))
        expected = term.value if name in terms else None
        lines.append(
            Line(where, name, term.symbols, term.numbers, expected, typical.get(name, 0), stack.layers)
        )
    return lines + _uneven_lines(stack, counted)


def _uneven_lines(stack: StackShape, counted: list[Mapping[str, int]]) -> list[Line]:
    """What some layers have more (or less) of than the last one."""
    once = {term.name: term for term in stack.once}
    extra: Counter[str] = Counter()
    for parts in counted:
        for name in {*parts, *counted[-1]}:
            extra[name] += parts.get(name, 0) - counted[-1].get(name, 0)
    lines = []
    for name in sorted({*once, *(name for name, more in extra.items() if more)}):
        term = once.get(name)
        symbols, numbers, expected = (term.symbols, term.numbers, term.value) if term else ("", "", None)
        lines.append(Line(stack.name, f"{name}, first layer", symbols, numbers, expected, extra[name]))
    return lines


def _rest_lines(model: nn.Module, stacks: tuple[StackShape, ...]) -> list[Line]:
    """Embeddings, last norms, heads: each tensor is the product of its sides; what is tied counts once, and says so."""
    inside = tuple(f"{stack.path}." for stack in stacks)
    first: dict[int, str] = {}
    lines = []
    for path, parameter in model.named_parameters(remove_duplicate=False):
        met = first.setdefault(id(parameter), path)
        if path.startswith(inside):
            continue
        sides = "·".join(map(str, parameter.shape)) or "1"
        if met != path:
            lines.append(Line("rest", path, "tied", f"the same tensor as {met}", 0, 0))
            continue
        expected = math.prod(parameter.shape)
        lines.append(Line("rest", path, _rest_symbols(model, path), sides, expected, parameter.numel()))
    return lines


def _rest_symbols(model: nn.Module, path: str) -> str:
    owner_path, _, name = path.rpartition(".")
    owner = model.get_submodule(owner_path)
    kind = type(owner).__name__
    if kind == "Embedding":
        return "rows·D"
    if name == "weight" and kind in ("Linear", "Conv1D"):
        return "out·in"
    if kind.startswith("Conv") and name == "weight":
        return "out·in·window"
    return "length" if name in ("weight", "bias") else "sides"
