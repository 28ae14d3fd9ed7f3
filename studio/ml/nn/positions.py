"""Where a token stands, as a vector that is added to it: attention alone could not tell one order from another."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def sinusoidal(positions: Tensor, width: int) -> Tensor:
    """PE(p, 2i) = sin(p / 10000^(2i/W)), PE(p, 2i+1) = cos of the same (Vaswani et al. 2017, section 3.5).

    positions [T] whole numbers -> [T, W]. Raises ValueError for an odd width.
    """
    if width % 2:
        raise ValueError(f"sines and cosines need an even width, not {width}")
    rates = torch.exp(torch.arange(0, width, 2, device=positions.device) * (-math.log(10000.0) / width))
    angles = positions[:, None].float() * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def gaussian(*shape: int, std: float) -> nn.Parameter:
    """A parameter drawn from N(0, std^2), or without content on the meta device: drawing there loads half of torch."""
    values = torch.empty(shape)
    return nn.Parameter(values if values.is_meta else values.normal_(std=std))


class LearnedPositions(nn.Module):
    """A vector of its own for each of `length` places in a row: [T, W] for T places from `start` on."""

    def __init__(self, length: int, width: int, *, std: float = 0.02) -> None:
        super().__init__()
        self.table = gaussian(length, width, std=std)

    def forward(self, count: int, start: int = 0) -> Tensor:
        """Raises ValueError for more places than were learned."""
        if start + count > len(self.table):
            raise ValueError(f"{start + count} tokens are more than the {len(self.table)} places that were learned")
        return self.table[start : start + count]


class GridPositions(nn.Module):
    """Places on a grid of `side` x `side`: half of the width says the column, half the row (arXiv 2010.11929, app. D.4).

    Returns [side * side, W], row by row. Raises ValueError for an odd width.
    """

    def __init__(self, side: int, width: int, *, std: float = 0.02) -> None:
        super().__init__()
        if width % 2:
            raise ValueError(f"rows and columns need an even width, not {width}")
        self.columns = gaussian(side, width // 2, std=std)
        self.rows = gaussian(side, width // 2, std=std)

    def forward(self) -> Tensor:
        side = len(self.rows)
        columns = self.columns[None].expand(side, -1, -1)
        rows = self.rows[:, None].expand(-1, side, -1)
        return torch.cat([columns, rows], dim=-1).flatten(0, 1)
