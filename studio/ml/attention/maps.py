"""Any attention map of a trace, recomputed when it is looked at, and never more of it at once than a band.

Rows of a map ask, columns are asked. Cells that the mask forbids are NaN.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce

import numpy as np
import torch
from torch import Tensor

from studio.ml.attention.capture import Taken, Trace
from studio.ml.attention.listening import softmax_scores
from studio.ml.attention.sites import forbidden_from
from studio.ml.attention.values import Map, Site

BAND = 1 << 20
"""Cells computed at once: 4 MiB of float32, which stay in the cache of the processor."""


def head(trace: Trace, site: str, index: int, part: int = 0) -> Map:
    """The whole map of one head, [T_q, T_k]."""
    found = trace.site(site)
    whole = np.empty((found.queries, found.keys), np.float32)
    for start, band in bands(trace, site, index, part):
        whole[start : start + len(band)] = band
    return whole


def row(trace: Trace, site: str, index: int, query: int, part: int = 0) -> Map:
    """[T_k]: where one token looks."""
    return shown(trace, site, [index], range(query, query + 1), part)[0, 0].cpu().numpy()


def column(trace: Trace, site: str, index: int, key: int, part: int = 0) -> Map:
    """[T_q]: who looks at one token. Needs all rows, for each of them is normalised."""
    return np.concatenate([band[:, key] for _, band in bands(trace, site, index, part)])


def crop(trace: Trace, site: str, index: int, rows: range, columns: range, part: int = 0) -> Map:
    """A rectangle of a map, exactly."""
    whole = [
        shown(trace, site, [index], some, part)[0, :, columns.start : columns.stop].cpu().numpy()
        for some in _bands(rows, trace.site(site).keys)
    ]
    return np.concatenate(whole)


def mean(trace: Trace, site: str, part: int = 0) -> Map:
    """The average over all heads of a site, [T_q, T_k]."""
    found = trace.site(site)
    whole = np.empty((found.queries, found.keys), np.float32)
    for rows in _bands(range(found.queries), found.keys * found.heads):
        whole[rows.start : rows.stop] = shown(trace, site, range(found.heads), rows, part).mean(dim=0).cpu().numpy()
    return whole


def bands(trace: Trace, site: str, index: int, part: int = 0) -> Iterator[tuple[int, Map]]:
    """The map from top to bottom: (first row, some rows)."""
    found = trace.site(site)
    for rows in _bands(range(found.queries), found.keys):
        yield rows.start, shown(trace, site, [index], rows, part)[0].cpu().numpy()


def pooled(trace: Trace, site: str, index: int, factor: int, part: int = 0) -> Map:
    """The map `factor` times smaller each way; every cell is the largest of those it stands for: nothing vanishes."""
    found = trace.site(site)
    small = []
    step = max(factor, BAND // found.keys // factor * factor)
    for start in range(0, found.queries, step):
        rows = range(start, min(start + step, found.queries))
        small.append(largest(shown(trace, site, [index], rows, part), factor, factor)[0].cpu().numpy())
    return np.concatenate(small)


def pyramid(
    trace: Trace, site: str, index: int, part: int = 0, *, finest: int = 2048, coarsest: int = 64
) -> list[tuple[int, Map]]:
    """(factor, map) from the finest level of at most `finest` cells a side, each half of the one before."""
    found = trace.site(site)
    factor = 1
    while max(found.queries, found.keys) > finest * factor:
        factor *= 2
    levels = [(factor, head(trace, site, index, part) if factor == 1 else pooled(trace, site, index, factor, part))]
    while max(levels[-1][1].shape) > coarsest:
        factor *= 2
        levels.append((factor, largest(torch.from_numpy(levels[-1][1])[None], 2, 2)[0].numpy()))
    return levels


def largest(maps: Tensor, down: int, across: int) -> Tensor:
    """[n, T_q, T_k] -> [n, ceil(T_q / down), ceil(T_k / across)]: maxima; NaN where every cell is."""
    more_down, more_across = -maps.shape[1] % down, -maps.shape[2] % across
    if more_down or more_across:
        maps = torch.nn.functional.pad(maps, (0, more_across, 0, more_down), value=torch.nan)
    lower = reduce(torch.fmax, [maps[:, i::down] for i in range(down)])
    return reduce(torch.fmax, [lower[:, :, i::across] for i in range(across)])


def shown(trace: Trace, site: str, heads: list[int] | range, rows: range, part: int = 0) -> Tensor:
    """Weights [heads, rows, T_k] float32, NaN where the mask forbids. Raises IndexError for rows that are not there."""
    found, taken = trace.site(site), trace.taken[site]
    if not rows or rows.start < 0 or rows.stop > found.queries:
        raise IndexError(f"rows {rows.start} to {rows.stop} of a map of {found.queries}")
    with torch.no_grad():
        if taken.causal and taken.weights is None and rows.stop < found.keys:
            # Nobody looks at what comes later, so it need not be computed.
            bias = None if taken.bias is None else taken.bias[..., : rows.stop]
            earlier = replace(taken, key=taken.key[:, :, : rows.stop], bias=bias)
            whole = torch.full((len(heads), len(rows), found.keys), torch.nan, device=taken.key.device)
            whole[..., : rows.stop] = _shown(found, earlier, heads, rows, part)
            return whole
        return _shown(found, taken, heads, rows, part)


def _shown(site: Site, taken: Taken, heads: list[int] | range, rows: range, part: int) -> Tensor:
    weights = weights_of(taken, heads, rows, part)
    forbidden = forbidden_cells(site, taken, heads, rows, part)
    return weights if forbidden is None else weights.masked_fill(forbidden, torch.nan)


def weights_of(taken: Taken, heads: list[int] | range, rows: range, part: int = 0) -> Tensor:
    """softmax over all keys for some heads and rows, [heads, rows, T_k] float32; 0 where the mask forbids."""
    which = list(heads)
    if taken.weights is not None:
        return taken.weights[part, which, rows.start : rows.stop].float()
    shared = taken.query.shape[1] // taken.key.shape[1]
    query = taken.query[part, which, rows.start : rows.stop].float()
    groups = [index // shared for index in which]
    # One head is a view: hovering asks for a row of it every few milliseconds.
    key = (taken.key[part, groups] if len(groups) > 1 else taken.key[part, groups[0] : groups[0] + 1]).float()
    mask = None
    if taken.causal:
        mask = _causal(rows, key.shape[1], key.device)
    elif taken.mask is not None:
        mask = _of(taken.mask, part, which, rows)
    bias = None if taken.bias is None else _of(taken.bias, part, which, rows)
    sink = None if taken.sink is None else taken.sink[which].float()
    return softmax_scores(query @ key.transpose(-2, -1) * taken.scale, taken.softcap, bias, mask, sink)


def forbidden_cells(site: Site, taken: Taken, heads: list[int] | range, rows: range, part: int = 0) -> Tensor | None:
    """bool, broadcast to [heads, rows, T_k]: True where the mask forbids to look; None where everything is allowed."""
    if taken.causal:
        return ~_causal(rows, taken.key.shape[2], taken.key.device)
    if taken.mask is None:
        return None
    mask = _of(taken.mask, part, list(heads), rows)
    return ~mask if mask.dtype == torch.bool else mask <= forbidden_from(site)


def _causal(rows: range, keys: int, device: torch.device) -> Tensor:
    return torch.arange(keys, device=device) <= torch.arange(rows.start, rows.stop, device=device)[:, None]


def _of(mask: Tensor, part: int, heads: list[int], rows: range) -> Tensor:
    """[heads | 1, rows | 1, T_k] of a mask or bias [B | 1, H | 1, T_q | 1, T_k] or fewer dimensions."""
    while mask.dim() < 4:
        mask = mask[None]
    own = mask[part if mask.shape[0] > 1 else 0]
    own = own[:, rows.start : rows.stop] if own.shape[1] > 1 else own
    return own[heads] if own.shape[0] > 1 else own


def _bands(rows: range, cells: int) -> Iterator[range]:
    """Rows in bands of at most BAND cells."""
    step = max(1, BAND // max(1, cells))
    for start in range(rows.start, rows.stop, step):
        yield range(start, min(start + step, rows.stop))
