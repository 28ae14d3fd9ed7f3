"""What a published network needs of the machine: memory to run, memory and disk to be imported."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from studio.ml.importing.footprint import activation_bytes
from studio.ml.importing.published import Published

GUIDED_BATCH = 2
"""Pictures evaluated at once to draw one with classifier-free guidance."""


@dataclass(frozen=True)
class Memory:
    """Bytes needed to draw (or guide, or enlarge) one picture at full size, in single and in half precision.

    activations: at most alive at once in single precision, beside the weights; an estimate, see `activation_bytes`.
    """

    weights: int
    activations: int

    @property
    def single(self) -> int:
        return self.weights + self.activations

    @property
    def half(self) -> int:
        return self.single // 2


def memory_of(network: Published, *, size: int | None = None) -> Memory:
    """Memory to evaluate a network for one picture (of `size` pixels a side, None for its own)."""
    net = network.build().eval().requires_grad_(False)
    batch = 1 if network.guides or not network.vocabulary else GUIDED_BATCH
    side = size or network.image_size
    x = torch.zeros(batch, 3, side, side, device="meta", requires_grad=network.guides)
    t = torch.zeros(batch, dtype=torch.long, device="meta")
    activations = activation_bytes(
        net, lambda: network.evaluate(net, x, t), gradient_of=x if network.guides else None
    )
    return Memory(4 * network.parameters, activations)
