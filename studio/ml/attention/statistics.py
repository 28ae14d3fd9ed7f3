"""Numbers that say what a head does, for all heads of a trace.

For a row i that may look at n_i keys: entropy -sum_j A_ij ln A_ij / ln n_i (0: one key, 1: even; rows with a single key
are left out); sink A_i0 for i > 0; diagonal A_ii; previous A_i,i-1; distance sum_j A_ij |i - j|, on a picture the
distance of the patches in patches; induction sum over j of A_i,j+1 where token j < i is the same as token i (Olsson et
al. 2022, arXiv 2209.11895). Each is the mean over the rows it is defined for, NaN where there is none. All are shares
in [0, 1] but the distance, which is in tokens or patches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from studio.ml.attention.capture import Trace
from studio.ml.attention.maps import BAND, shown
from studio.ml.attention.subject import Subject
from studio.ml.attention.values import Asked, Head, Reading, Site


@dataclass(frozen=True)
class Statistics:
    """Of one head, over one part of the batch."""

    head: Head
    entropy: float
    sink: float
    diagonal: float
    previous: float
    induction: float
    distance: float


NAMES = tuple(field.name for field in fields(Statistics) if field.name != "head")
"""By which heads can be sorted."""


def statistics(trace: Trace, part: int = 0) -> Iterator[Statistics]:
    """Of every head in order, one step each. Close it to stop."""
    for site in trace.sites:
        own = min(part, site.parts - 1)
        columns = trace.columns(site, own)
        away = None if site.kind == "cross" else Distances(columns, site.keys, causal=site.kind == "causal")
        earlier = None if site.kind == "cross" or columns.grid is not None else Repeats(columns)
        for index in range(site.heads):
            yield _of_head(trace, site, index, own, away, earlier)


def _of_head(
    trace: Trace, site: Site, index: int, part: int, away: Distances | None, earlier: Repeats | None
) -> Statistics:
    sums: dict[str, list[Tensor]] = {name: [] for name in NAMES}
    step = max(1, BAND // site.keys)
    for start in range(0, site.queries, step):
        rows = range(start, min(start + step, site.queries))
        masked = shown(trace, site.name, [index], rows, part)[0].cpu()
        weights = masked.nan_to_num(nan=0.0)
        allowed = site.keys - masked.isnan().sum(dim=-1)
        several = allowed > 1
        sums["entropy"].append((torch.special.entr(weights).sum(dim=-1) / allowed.clamp_min(2).log())[several])
        if site.kind == "cross":
            sums["sink"].append(weights[:, 0])
            continue
        at = torch.arange(rows.start, rows.stop)
        sums["sink"].append(weights[at > 0, 0])
        sums["diagonal"].append(weights.gather(1, at[:, None])[:, 0])
        sums["previous"].append(weights.gather(1, (at - 1).clamp_min(0)[:, None])[at > 0, 0])
        if away is not None:
            sums["distance"].append(away.mean(weights, rows))
        if earlier is not None:
            sums["induction"].append(earlier.share(weights, rows))
    found = {name: _mean(parts) for name, parts in sums.items()}
    return Statistics(Head(site.name, index), **found)


def _mean(parts: list[Tensor]) -> float:
    values = torch.cat([part.double() for part in parts]) if parts else torch.zeros(0)
    return float(values.mean()) if len(values) else float("nan")


class Distances:
    """How far tokens are from each other: |i - j|, or between patches; 0 for tokens that have no place."""

    def __init__(self, reading: Reading, count: int, *, causal: bool) -> None:
        self._causal = causal and reading.grid is None
        if reading.grid is None:
            self._places = torch.arange(count, dtype=torch.float32)[:, None]
        else:
            rows, columns = reading.grid
            cells = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).float()
            self._places = torch.cat([torch.full((reading.first, 2), torch.nan), cells])

    def mean(self, weights: Tensor, rows: range) -> Tensor:
        """[rows]: sum_j A_ij distance(i, j) of some rows [rows, T]."""
        own = self._places[rows.start : rows.stop]
        if self._causal:  # |i - j| = i - j, so one product with the places is enough
            return weights.sum(dim=-1) * own[:, 0] - weights @ self._places[:, 0]
        if self._places.shape[1] == 1:
            return (weights * (own - self._places[:, 0]).abs()).sum(dim=-1)
        away = torch.cdist(own, self._places, compute_mode="donot_use_mm_for_euclid_dist")
        return (weights * away.nan_to_num(nan=0.0)).sum(dim=-1)


class Repeats:
    """Where a token has been before. Special tokens do not count."""

    def __init__(self, reading: Reading) -> None:
        ids = [-1 - i if token.special or token.id < 0 else token.id for i, token in enumerate(reading.tokens)]
        self._ids = torch.tensor(ids, dtype=torch.int32)

    def share(self, weights: Tensor, rows: range) -> Tensor:
        """What goes to tokens right after an earlier one that is the same, of the rows that have such."""
        same = self._ids[rows.start : rows.stop, None] == self._ids[: rows.stop - 1]
        same = same.tril(rows.start - 1)  # j < i
        return (weights[:, 1 : rows.stop] * same).sum(dim=-1)[same.any(dim=-1)]


def repeated(subject: Subject, length: int = 32, seed: int = 0) -> Asked:
    """Random tokens, twice: the text on which induction shows. Raises NotForThisModel where a model does not write."""
    subject.require("causal", what="The induction test")
    size = int(subject.model.get_parameter(_embedding(subject)).shape[0])
    if subject.context is not None:
        length = min(length, subject.context // 2)
    ids = np.random.default_rng(seed).integers(min(10, size - 1), size, length)
    return Asked(ids=tuple(int(i) for i in (*ids, *ids)))


def _embedding(subject: Subject) -> str:
    """Name of the matrix with a row for each token: the input embedding."""
    own = getattr(subject.model, "get_input_embeddings", None)
    weight = own().weight if own is not None else subject.model.get_parameter("embedding")
    return next(name for name, parameter in subject.model.named_parameters() if parameter is weight)
