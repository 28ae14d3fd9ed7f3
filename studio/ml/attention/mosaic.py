"""All heads at a glance: a small picture of each, layer after layer, streamed so that the first are there at once.

Exact thumbnails recompute every row. Of long texts `sampled` thumbnails recompute evenly spread rows only, all keys of
them; then a thin horizontal stripe between two of them may be missed, and the strip says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from studio.ml.attention.capture import Trace
from studio.ml.attention.maps import BAND, largest, shown
from studio.ml.attention.values import Map, Site

EXACT_UP_TO = 1024
"""Tokens up to which thumbnails are exact unless told otherwise."""


@dataclass(frozen=True, eq=False)
class Strip:
    """Thumbnails [n, size, size] of a site's heads from `first` on; NaN where masked. exact: no row was left out."""

    site: Site
    first: int
    maps: Map
    exact: bool


def thumbnails(trace: Trace, size: int = 64, *, part: int = 0, exact: bool | None = None) -> Iterator[Strip]:
    """Strips of all sites in order, of as many heads as fit a short step. Close it to stop.

    Maps smaller than `size` stay as they are, [n, T_q, T_k].
    """
    for site in trace.sites:
        every = exact if exact is not None else max(site.queries, site.keys) <= EXACT_UP_TO
        looked = site.queries if every else min(site.queries, 2 * size)
        together = max(1, BAND // (looked * site.keys))
        for first in range(0, site.heads, together):
            heads = range(first, min(first + together, site.heads))
            yield Strip(site, first, _thumbnails(trace, site, heads, size, min(part, site.parts - 1), every), every)


def _thumbnails(trace: Trace, site: Site, heads: range, size: int, part: int, every: bool) -> Map:
    down, across = (max(1, -(-count // size)) for count in (site.queries, site.keys))
    if every or site.queries <= 2 * size:
        step = max(down, BAND // (site.keys * len(heads)) // down * down)
        rows = [range(i, min(i + step, site.queries)) for i in range(0, site.queries, step)]
        small = [largest(shown(trace, site.name, heads, some, part), down, across) for some in rows]
        return np.asarray(torch.cat(small, dim=1).cpu().numpy(), np.float32)
    places = np.unique(np.linspace(0, site.queries - 1, 2 * size).round().astype(int))
    picked = _picked(trace, site, places)
    small_rows = largest(shown(picked, site.name, heads, range(len(places)), part), 2, across)
    return np.asarray(small_rows.cpu().numpy(), np.float32)


def _picked(trace: Trace, site: Site, places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Trace:
    """The same trace with only some rows of one site."""
    taken = trace.taken[site.name]
    rows = torch.from_numpy(places).to(taken.query.device)
    keys = taken.key.shape[2]
    mask = torch.arange(keys, device=rows.device) <= rows[:, None] if taken.causal else _rows(taken.mask, rows)
    fewer = replace(
        taken, query=taken.query[:, :, rows], mask=mask, causal=False, bias=_rows(taken.bias, rows),
        weights=None if taken.weights is None else taken.weights[:, :, rows],
    )  # fmt: skip
    return replace(trace, sites=(replace(site, queries=len(places)),), taken={site.name: fewer})


def _rows(mask: torch.Tensor | None, rows: torch.Tensor) -> torch.Tensor | None:
    return mask if mask is None or mask.shape[-2] == 1 else mask[..., rows, :]
