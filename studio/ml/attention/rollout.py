"""Attention rollout (Abnar and Zuidema 2020, arXiv 2005.00928): what reaches each token through all layers.

    A~_l = rownorm(fused_h A_l + I),   R = A~_L ... A~_1

R [T, T] has rows that sum to 1. It knows no class and no value vectors; in causal models its mass drifts to the first
token, which `drop_sink` takes out (its column is emptied and rows are normalised again).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from studio.ml.attention.capture import Trace
from studio.ml.attention.errors import NotForThisModel, TooLong
from studio.ml.attention.maps import BAND, forbidden_cells, weights_of
from studio.ml.attention.values import Map, Site

Fusion = Literal["mean", "max", "min"]


WHOLE = 2048
"""Most tokens of which a whole rollout is computed: one product of such maps takes about a second."""


@dataclass(frozen=True, eq=False)
class Rolled:
    """R after one more layer. site: the last that was multiplied on."""

    site: Site
    map: Map


def rollout(
    trace: Trace, tower: str = "", *, fusion: Fusion = "mean", discard: float = 0.0, start: int = 0, part: int = 0,
    drop_sink: bool = False,
) -> Iterator[Rolled]:  # fmt: skip
    """R after each layer of a tower, the whole last. discard: share of the smallest weights of a layer that are set to
    0 before fusing (the first column stays). start: first layer that counts.

    Raises NotForThisModel for a tower without self-attention or with windows, TooLong beyond WHOLE tokens.
    """
    sites = self_sites(trace, tower)
    if sites[0].queries > WHOLE:
        raise TooLong(
            f"The rollout of {sites[0].queries:,} tokens is a product of maps that large. Look at one row of it, or "
            f"shorten the text to {WHOLE:,} tokens.", sites[0].queries, WHOLE,
        )  # fmt: skip
    if not 0 <= start < len(sites):
        raise NotForThisModel(f"There are {len(sites)} layers to start from, not {start + 1}.")
    rolled = None
    for site in sites[start:]:
        layer = mixed(fused(trace, site, fusion, discard, min(part, site.parts - 1)))
        rolled = layer if rolled is None else layer @ rolled
        yield Rolled(site, _shown(rolled, trace, site, part, drop_sink))


def traced(trace: Trace, row: int, tower: str = "", *, start: int = 0, part: int = 0) -> Iterator[tuple[Site, Map]]:
    """One row of R for texts of any length, from the last layer down: [T] after each, the row of R last.

    Mean over the heads; a product of a vector with each layer, which is never held whole.
    """
    sites = self_sites(trace, tower)
    reach = torch.zeros(sites[0].queries)
    reach[row] = 1
    for site in reversed(sites[start:]):
        through = torch.zeros_like(reach)
        step = max(1, BAND // (site.keys * site.heads))
        for first in range(0, site.queries, step):
            some = range(first, min(first + step, site.queries))
            own = reach[some.start : some.stop]
            if not own.any():
                continue
            weights = weights_of(trace.taken[site.name], range(site.heads), some, min(part, site.parts - 1)).mean(dim=0)
            # Rows of A that lose something (to a sink) are normalised together with their residual, as in `mixed`.
            share = own / (1 + weights.sum(dim=-1).cpu())
            through += share @ weights.cpu()
            through[some.start : some.stop] += share
        reach = through
        yield site, np.asarray(reach.numpy(), np.float32)


def self_sites(trace: Trace, tower: str = "") -> list[Site]:
    """The self-attentions of a tower in order. Raises NotForThisModel where maps of layers do not fit one another."""
    sites = [site for site in trace.sites if site.tower == tower and site.kind != "cross"]
    if not sites:
        towers = sorted({site.tower for site in trace.sites})
        raise NotForThisModel(f"There is no self-attention in “{tower}”; there is {', '.join(towers)}.")
    if any(site.asks.startswith("window") for site in sites) or len({site.queries for site in sites}) > 1:
        raise NotForThisModel(
            "This model looks at windows that change from layer to layer, so its maps cannot be multiplied."
        )
    return sites


def mixed(layer: Tensor) -> Tensor:
    """rownorm(A + I): the residual connection beside the attention, [T, T]."""
    layer = layer + torch.eye(len(layer), device=layer.device)
    return layer / layer.sum(dim=-1, keepdim=True)


def fused(trace: Trace, site: Site, fusion: Fusion = "mean", discard: float = 0.0, part: int = 0) -> Tensor:
    """All heads of a layer as one map [T, T], in bands."""
    taken = trace.taken[site.name]
    step = max(1, BAND // (site.keys * site.heads))
    rows = [range(i, min(i + step, site.queries)) for i in range(0, site.queries, step)]
    bands = []
    for some in rows:
        weights = weights_of(taken, range(site.heads), some, part)
        bands.append(
            weights.mean(dim=0) if fusion == "mean" else weights.amax(dim=0) if fusion == "max" else weights.amin(dim=0)
        )
    layer = torch.cat(bands)
    if discard > 0:
        count = int(layer.numel() * discard)
        smallest = layer.flatten().topk(count, largest=False).indices
        smallest = smallest[smallest % site.keys != 0]
        layer.view(-1)[smallest] = 0
    return layer


def _shown(rolled: Tensor, trace: Trace, site: Site, part: int, drop_sink: bool) -> Map:
    shown = rolled.clone()
    if drop_sink:
        shown[:, 0] = 0
        shown[0, 0] = 1
        shown = shown / shown.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(shown.dtype).tiny)
    forbidden = forbidden_cells(site, trace.taken[site.name], [0], range(site.queries), min(part, site.parts - 1))
    if forbidden is not None and site.kind == "causal":
        shown = shown.masked_fill(torch.ones_like(shown, dtype=torch.bool).triu(1), torch.nan)
    return np.asarray(shown.cpu().numpy(), np.float32)
