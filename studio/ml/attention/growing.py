"""One trace out of many evaluations: what a model captured token by token, as if it had read all at once."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from studio.ml.attention.capture import Keeper, Taken, Trace
from studio.ml.attention.subject import Prepared, Ran, Subject
from studio.ml.attention.values import Head


class Growing:
    """Rows of every step, under the keys of the last."""

    def __init__(self) -> None:
        self._taken: dict[str, Taken] = {}
        self._whole = Keeper("float32")

    def keeper(self) -> Keeper:
        """A fresh one for the next evaluation; give it back to `add`."""
        return Keeper("float32")

    def add(self, keeper: Keeper) -> None:
        """Append what one more evaluation of further tokens captured."""
        for site, taken in keeper.taken.items():
            self._taken[site] = appended(self._taken[site], taken) if site in self._taken else taken
            self._whole.kinds.setdefault(site, keeper.kinds[site])
        self._whole.checked = max(self._whole.checked, keeper.checked)

    def replace(self, keeper: Keeper) -> None:
        """Forget all: this evaluation read everything again."""
        self._taken = {}
        self.add(keeper)

    def trace(self, subject: Subject, prepared: Prepared, ran: Ran, off: frozenset[Head] = frozenset()) -> Trace:
        """Everything so far."""
        self._whole.taken = dict(self._taken)
        return self._whole.trace(subject, prepared, subject.scores(prepared, ran), off)

    def cache_bytes(self, *, itemsize: int) -> int:
        """2 G d T numbers for every attention of what is written, and for every one that looks across: the formula."""
        total = 0
        for site, taken in self._taken.items():
            if self._whole.kinds[site][0] != "self":
                b, groups, keys, width = taken.key.shape
                total += 2 * b * groups * width * keys * itemsize
        return total


def appended(before: Taken, more: Taken) -> Taken:
    """The rows of both, [.., T_q + more, ..], looking at the keys of the later one."""
    if before.weights is not None and more.weights is not None:
        keys = more.weights.shape[-1]
        weights = torch.cat([_wider(before.weights, keys, 0.0), more.weights], dim=2)
        return replace(more, query=torch.cat([before.query, more.query], dim=2), weights=weights, causal=before.causal)
    keys = more.key.shape[2]
    mask = None
    causal = before.causal and more.mask is None
    if not causal and not (before.mask is None and more.mask is None and before.key.shape[2] == keys):
        mask = torch.cat([_mask(before, keys), _mask(more, keys)], dim=2)
    bias = None
    if before.bias is not None and more.bias is not None:
        bias = torch.cat([_wider(before.bias, keys, 0.0), more.bias], dim=2)
    return replace(more, query=torch.cat([before.query, more.query], dim=2), mask=mask, causal=causal, bias=bias)


def _mask(taken: Taken, keys: int) -> Tensor:
    """The mask of a step as bool or numbers [1, 1 | H, T_q, keys]: nobody looks at what came later."""
    queries, before = taken.query.shape[2], taken.key.shape[2]
    if taken.mask is None:
        mask = torch.ones(1, 1, queries, before, dtype=torch.bool, device=taken.key.device)
        mask = mask.tril() if taken.causal else mask
    else:
        mask = taken.mask.expand(*taken.mask.shape[:2], queries, before)
    return _wider(mask, keys, False if mask.dtype == torch.bool else torch.finfo(mask.dtype).min)


def _wider(tensor: Tensor, keys: int, value: float | bool) -> Tensor:
    """The same with further columns of one value."""
    return torch.nn.functional.pad(tensor, (0, keys - tensor.shape[-1]), value=value)
