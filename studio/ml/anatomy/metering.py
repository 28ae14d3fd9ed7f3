"""Floating-point operations as torch's own counter sees them, on the meta device with plain ("eager") attention.

With fused attention the counter of torch 2.13 misses exactly the T² part of some kernels; plain attention is two matrix
products, which it counts. https://docs.pytorch.org/docs/stable/module_tracker.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studio.ml.anatomy.errors import Untraceable

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Metered:
    """total: operations of one forward pass. stacks: of each stack by its path. rest: module -> operations outside."""

    total: int
    stacks: Mapping[str, int] = field(default_factory=dict)
    rest: Mapping[str, int] = field(default_factory=dict)


def meter(model: nn.Module, given: Mapping[str, Any], paths: tuple[str, ...]) -> Metered:
    """Run a model of the meta device and count. Raises Untraceable where it needs real numbers on its way."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(**given)
    except (RuntimeError, NotImplementedError, TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
        raise Untraceable(
            f"The arithmetic of {type(model).__name__} cannot be counted without real numbers: "
            f"{' '.join(str(error).split())[:200]}"
        ) from error
    counts = {name: sum(kinds.values()) for name, kinds in counter.get_flop_counts().items()}
    root = type(model).__name__
    total = int(counter.get_total_flops())
    stacks = {
        path: sum(counts.get(f"{root}.{path}.{i}", 0) for i in range(len(list(model.get_submodule(path).children()))))
        for path in paths
    }
    return Metered(total, stacks, _rest(model, counts, root, paths))


def _rest(model: nn.Module, counts: Mapping[str, int], root: str, paths: tuple[str, ...]) -> dict[str, int]:
    """Operations of the modules without modules in them, outside the stacks."""
    found = {}
    for path, module in model.named_modules():
        if path.startswith(tuple(f"{stack}." for stack in paths)) or next(module.children(), None) is not None:
            continue
        if counts.get(f"{root}.{path}"):
            found[path] = counts[f"{root}.{path}"]
    return found
