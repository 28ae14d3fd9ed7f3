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
from studio.ml.attention.maps import BAND, forbidden_cells, weights_of
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
        away = None if site.kind == "cross" else Distances(columns, site.keys)
        earlier = None if site.kind == "cross" or columns.grid is not None else Repeats(columns)
        for index in range(site.heads):
            yield _of_head(trace, site, index, own, away, earlier)


def _of_head(
    trace: Trace, site: Site, index: int, part: int, away: Distances | None, earlier: Repeats | None
) -> Statistics:
    taken = trace.taken[site.name]
    sums: dict[str, list[Tensor]] = {name: [] for name in NAMES}
    step = max(1, BAND // site.keys)
    for start in range(0, site.queries, step):
        rows = range(start, min(start + step, site.queries))
        weights = weights_of(taken, [index], rows, part)[0]
        forbidden = forbidden_cells(site, taken, [index], rows, part)
        allowed = _allowed(forbidden, len(rows), site.keys)
        several = allowed > 1
        sums["entropy"].append((torch.special.entr(weights).sum(dim=-1).cpu() / allowed.clamp_min(2).log())[several])
        if site.kind == "cross":
            sums["sink"].append(weights[:, 0])
            continue
        at = torch.arange(rows.start, rows.stop)
        own = weights.cpu()
        sums["sink"].append(own[at > 0, 0])
        sums["diagonal"].append(own.gather(1, at[:, None])[:, 0])
        sums["previous"].append(own.gather(1, (at - 1).clamp_min(0)[:, None])[at > 0, 0])
        if away is not None:
            sums["distance"].append((own * away[rows.start : rows.stop]).sum(dim=-1))
        if earlier is not None:
            after = earlier[rows.start : rows.stop]
            sums["induction"].append((own * after).sum(dim=-1)[after.any(dim=-1)])
    found = {name: _mean(parts) for name, parts in sums.items()}
    return Statistics(Head(site.name, index), **found)


def _allowed(forbidden: Tensor | None, rows: int, keys: int) -> Tensor:
    """[rows]: how many keys each may look at."""
    if forbidden is None:
        return torch.full((rows,), keys)
    return (~forbidden).expand(1, rows, keys)[0].sum(dim=-1).cpu()


def _mean(parts: list[Tensor]) -> float:
    values = torch.cat([part.cpu().double() for part in parts]) if parts else torch.zeros(0)
    return float(values.mean()) if len(values) else float("nan")


class Distances:
    """[i, j] distances, made for some rows at a time: |i - j|, or between patches; 0 for tokens that have no place."""

    def __init__(self, reading: Reading, count: int) -> None:
        if reading.grid is None:
            self._places = torch.arange(count, dtype=torch.float32)[:, None]
        else:
            rows, columns = reading.grid
            cells = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).float()
            self._places = torch.cat([torch.full((reading.first, 2), torch.nan), cells])

    def __getitem__(self, rows: slice) -> Tensor:
        return torch.cdist(self._places[rows], self._places, compute_mode="donot_use_mm_for_euclid_dist").nan_to_num(
            nan=0.0
        )


class Repeats:
    """[i, j] bool: j comes right after an earlier token that is the same as token i. Special tokens do not count."""

    def __init__(self, reading: Reading) -> None:
        self._ids = torch.tensor(
            [-1 - i if token.special or token.id < 0 else token.id for i, token in enumerate(reading.tokens)]
        )

    def __getitem__(self, rows: slice) -> Tensor:
        asks = torch.arange(len(self._ids))[rows]
        same = self._ids[rows, None] == self._ids[None]
        same &= torch.arange(len(self._ids)) < asks[:, None]
        after = torch.zeros_like(same)
        after[:, 1:] = same[:, :-1]
        return after


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
