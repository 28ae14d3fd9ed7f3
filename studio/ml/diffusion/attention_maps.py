"""Where each word of a prompt acts: what is kept of the attention of GLIDE's networks, and its averages. numpy only.

One softmax runs over text and picture together (`blocks.AttentionBlock`), so for a pixel q

    A(q, j) = exp(q.k_j / sqrt(d)) / sum_i exp(q.k_i / sqrt(d)),   j over L text positions, then all pixels,

and the sum over the text positions is the true share of its attention that goes to the text, in [0, 1]. Kept is, for
each layer and head, a map of that share for every token of the prompt and ONE for all padding positions together
(padding is learned, sees the prompt inside the text transformer, and takes much of the attention). The picture's own
share is what is missing to 1. Under classifier-free guidance the maps are those of the conditional half.
`attention_capture` takes them from a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float16]
Shares = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """One attention layer: its name in the network, heads, and the sides in cells of the picture it works on."""

    name: str
    heads: int
    height: int
    width: int

    @property
    def cells(self) -> int:
        return self.height * self.width


def bytes_needed(layers: Sequence[Layer], tokens: int, steps: int, *, heads: bool = True) -> int:
    """Bytes of the maps of a run, before compression; `heads` False: only the mean over the heads is kept."""
    maps = sum(layer.cells * (layer.heads if heads else 1) for layer in layers)
    return steps * (tokens + 1) * maps * np.dtype(np.float16).itemsize


@dataclass(frozen=True, eq=False)
class StepMaps:
    """One denoising step at original step t. maps: for each layer float16 [heads, tokens + 1, h, w], padding last."""

    index: int
    t: int
    maps: tuple[Maps, ...]


@dataclass(frozen=True)
class View:
    """Which maps to look at; None is the mean over all of them. A head belongs to one layer."""

    step: int | None = None
    layer: int | None = None
    head: int | None = None


@dataclass(frozen=True, eq=False)
class AttentionMaps:
    """The maps of a run or of its first steps, and all averages of them.

    layers: those that were kept, each with the number of heads kept of it. tokens: how many tokens the prompt has.
    Rows of every result are the tokens, then padding, then the picture itself; they sum to 1.
    """

    layers: tuple[Layer, ...]
    tokens: int
    steps: tuple[StepMaps, ...]

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(layer.nbytes for step in self.steps for layer in step.maps)

    def shares(self, view: View, *, smooth: bool = False) -> Shares:
        """[tokens + 2, h, w]: how the attention of each cell divides, at the finest of the layers looked at.

        Heads, then layers, then steps are averaged with equal weight. Coarser maps are enlarged so that each cell
        spreads over its own area (`smooth`: bilinearly), which keeps their mean. Raises IndexError, and ValueError for
        a head of no layer.
        """
        if view.layer is None and view.head is not None:
            raise ValueError("Choose a layer before a head: layers have different heads.")
        chosen = range(len(self.layers)) if view.layer is None else [view.layer]
        height = max(self.layers[i].height for i in chosen)
        fine = [enlarged(self._layer(i, view), height // self.layers[i].height, smooth=smooth) for i in chosen]
        return with_picture(np.mean(fine, axis=0, dtype=np.float32))

    def masses(self, view: View) -> Shares:
        """[tokens + 2]: the shares, averaged over the picture."""
        chosen = range(len(self.layers)) if view.layer is None else [view.layer]
        return with_picture(np.mean([self._layer(i, view).mean(axis=(1, 2)) for i in chosen], axis=0, dtype=np.float32))

    def course(self, view: View) -> Shares:
        """[steps, tokens + 2]: the masses of every step; the view's own step does not matter."""
        rows = [self.masses(View(step, view.layer, view.head)) for step in range(len(self.steps))]
        return np.stack(rows) if rows else np.zeros((0, self.tokens + 2), np.float32)

    def _layer(self, layer: int, view: View) -> Shares:
        """[tokens + 1, h, w]: one layer, averaged over the heads and steps looked at."""
        steps = self.steps if view.step is None else (self.steps[view.step],)
        heads = slice(None) if view.head is None else slice(view.head, view.head + 1)
        kept = [step.maps[layer][heads] for step in steps]
        if any(not len(maps) for maps in kept):
            raise IndexError(f"Layer {self.layers[layer].name} has no head {view.head}.")
        mean: Shares = np.mean([maps.mean(axis=0, dtype=np.float32) for maps in kept], axis=0, dtype=np.float32)
        return mean


def with_picture(text: Shares) -> Shares:
    """[tokens + 1, ...] -> [tokens + 2, ...]: the picture's own share, which is what is missing to 1, comes last."""
    own = np.maximum(1 - text.sum(axis=0, keepdims=True), 0)
    return np.concatenate([text, own]).astype(np.float32)


def enlarged(maps: Shares, factor: int, *, smooth: bool = False) -> Shares:
    """[..., h, w] -> [..., h factor, w factor] with the same mean: every cell spread over its area, or bilinearly."""
    if factor == 1:
        return maps
    if not smooth:
        return maps.repeat(factor, axis=-2).repeat(factor, axis=-1)
    return np.asarray(bilinear(maps.shape[-2], factor) @ maps @ bilinear(maps.shape[-1], factor).T, np.float32)


def bilinear(n: int, factor: int) -> Shares:
    """[n factor, n]: linear interpolation between cell centres, constant beyond the outermost ones.

    Rows sum to 1, and columns to `factor`, so that means stay as they are.
    """
    places = np.clip((np.arange(n * factor) + 0.5) / factor - 0.5, 0, n - 1)
    weights: Shares = np.maximum(1 - np.abs(places[:, None] - np.arange(n)), 0).astype(np.float32)
    return weights
