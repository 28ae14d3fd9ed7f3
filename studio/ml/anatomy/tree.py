"""The tree of a model's modules with their parameters; repeated ones stand once, with how often."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Weight:
    """One tensor of a module. tied: the path of the same tensor where it was met first; it counts there alone."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    tied: str = ""

    @property
    def count(self) -> int:
        return 0 if self.tied else math.prod(self.shape)


@dataclass(frozen=True)
class Node:
    """A module: its own tensors, the modules in it, and how many of its kind it stands for (`repeat`, with a name such
    as "0 … 11"). parameters: all of them, of all repetitions.
    """

    name: str
    path: str
    kind: str
    weights: tuple[Weight, ...]
    children: tuple[Node, ...]
    repeat: int = 1

    @property
    def each(self) -> int:
        """Parameters of one repetition."""
        return sum(weight.count for weight in self.weights) + sum(child.parameters for child in self.children)

    @property
    def parameters(self) -> int:
        return self.repeat * self.each

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def tree_of(module: nn.Module, name: str = "", *, dtype: str = "") -> Node:
    """The tree of a module, parameters only (buffers are no parameters). dtype: the number format to show where it is
    not that of the modules, which are built in torch's own."""
    return _node(module, name or type(module).__name__, "", {}, dtype)


def tree_of_tensors(shapes: Mapping[str, tuple[str, Sequence[int]]], name: str) -> Node:
    """The tree that the dotted names of tensors make: name -> (number format, shape)."""
    inner: dict[str, Any] = {}
    for path, (dtype, shape) in shapes.items():
        *folders, last = path.split(".")
        place = inner
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = Weight(last, tuple(shape), dtype)
    return _from_names(inner, name, "")


def _from_names(inner: Mapping[str, Any], name: str, path: str) -> Node:
    weights = tuple(value for value in inner.values() if isinstance(value, Weight))
    children = [
        _from_names(value, key, f"{path}.{key}".lstrip(".")) for key, value in inner.items() if isinstance(value, dict)
    ]
    return Node(name, path, "", weights, _grouped(children))


def _node(module: nn.Module, name: str, path: str, met: dict[int, str], dtype: str) -> Node:
    weights = []
    for key, parameter in module.named_parameters(recurse=False):
        place = f"{path}.{key}".lstrip(".")
        first = met.setdefault(id(parameter), place)
        shown = dtype or str(parameter.dtype).removeprefix("torch.")
        weights.append(Weight(key, tuple(parameter.shape), shown, "" if first == place else first))
    children = [_node(child, key, f"{path}.{key}".lstrip("."), met, dtype) for key, child in module.named_children()]
    return Node(name, path, type(module).__name__, tuple(weights), _grouped(children))


def _grouped(children: Sequence[Node]) -> tuple[Node, ...]:
    """Runs of numbered neighbours that are alike as one."""
    runs: list[list[Node]] = []
    for child in children:
        before = runs[-1][-1] if runs else None
        if before is not None and _stem(before) == _stem(child) and _alike(before, child):
            runs[-1].append(child)
        else:
            runs.append([child])
    return tuple(
        run[0] if len(run) == 1 else replace(run[0], name=f"{run[0].name} … {run[-1].name}", repeat=len(run))
        for run in runs
    )


def _stem(node: Node) -> str:
    return _DIGITS.sub("#", node.name)


def _alike(first: Node, second: Node) -> bool:
    """Whether two modules have the same kinds, names and shapes all the way down."""
    if (first.kind, first.repeat, len(first.children)) != (second.kind, second.repeat, len(second.children)):
        return False
    own, other = (
        [(weight.name, weight.shape, weight.dtype, bool(weight.tied)) for weight in node.weights]
        for node in (first, second)
    )
    pairs = zip(first.children, second.children, strict=True)
    return own == other and all(one.name == two.name and _alike(one, two) for one, two in pairs)
