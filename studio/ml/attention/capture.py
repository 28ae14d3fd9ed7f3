"""One evaluation of a model with everything needed to recompute any of its attention maps afterwards.

Kept are Q and K of every site, not the maps: 2 T d numbers a head instead of T^2. While it is captured, two rows of
every head are recomputed from what was kept and compared with what the fast kernel put out, so that a trace knows how
true it is (`Trace.checked`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.attention.errors import NotForThisModel, TooLong
from studio.ml.attention.listening import Call, Listener, written_out
from studio.ml.attention.sites import completed, describe, number, site_kind
from studio.ml.attention.subject import Prepared, Subject
from studio.ml.attention.values import AUTO_LIMIT, Asked, Head, Method, Reading, Scores, Site, SiteKind, Storage


@dataclass(frozen=True, eq=False)
class Taken:
    """What is kept of one site; letters as in `listening`. weights: float [B, H, T_q, T_k] where the model gave them.

    value and out_weight (W^O, [H, e, D]) are there when values were asked for.
    """

    query: Tensor
    key: Tensor
    value: Tensor | None
    mask: Tensor | None
    bias: Tensor | None
    scale: float
    causal: bool
    softcap: float | None
    sink: Tensor | None
    weights: Tensor | None = None
    out_weight: Tensor | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Everything that takes memory."""
        held = (self.query, self.key, self.value, self.mask, self.bias, self.weights)
        return tuple(tensor for tensor in held if tensor is not None)


@dataclass(frozen=True, eq=False)
class Trace:
    """One evaluation. checked: largest difference, as a share of a site's largest output, between what the kernel
    computed and what comes of the Q and K that are kept. readings: by the names in `Site.asks` and `Site.looks`.
    """

    title: str
    sites: tuple[Site, ...]
    readings: Mapping[str, tuple[Reading, ...]]
    scores: tuple[Scores, ...]
    taken: Mapping[str, Taken]
    storage: str
    checked: float
    picture: NDArray[np.uint8] | None = None
    off: frozenset[Head] = frozenset()

    def site(self, name: str) -> Site:
        """By its name. Raises KeyError."""
        found = next((site for site in self.sites if site.name == name), None)
        if found is None:
            raise KeyError(f"this trace has no attention {name}")
        return found

    def rows(self, site: Site, part: int = 0) -> Reading:
        """What the rows of a site's maps are."""
        return _part(self.readings[site.asks], part)

    def columns(self, site: Site, part: int = 0) -> Reading:
        """What the columns of a site's maps are."""
        return _part(self.readings[site.looks], part)

    @property
    def nbytes(self) -> int:
        """Bytes kept; what several sites share counts once."""
        held = {tensor.data_ptr(): tensor.nbytes for taken in self.taken.values() for tensor in taken.tensors}
        return sum(held.values())

    @property
    def methods(self) -> frozenset[Method]:
        """How the maps were come by."""
        return frozenset(site.method for site in self.sites)

    @property
    def badge(self) -> str:
        """The same in words, with how true it is."""
        if self.methods == {"weights"}:
            return "Weights handed over by the model itself"
        how = "fast kernel, Q and K kept" if "explicit" not in self.methods else "softmax written out, Q and K kept"
        return f"Captured: {how} as {self.storage}, checked to {self.checked:.0e}"


def _part(readings: tuple[Reading, ...], part: int) -> Reading:
    return readings[min(part, len(readings) - 1)]


Watch = Callable[[str], None]
"""Told of every site as it is computed; may raise to stop."""


def capture(
    subject: Subject, asked: Asked, *, storage: Storage = "auto", values: bool = False, off: Iterable[Head] = (),
    watch: Watch | None = None,
) -> Trace:  # fmt: skip
    """Run once. values: keep V and W^O, too, for `norms`. off: heads that are switched off meanwhile.

    Raises WrongInput, TooLong, and NotForThisModel where nothing of the model's attention can be seen.
    """
    return captured(subject, subject.prepare(asked), storage=storage, values=values, off=off, watch=watch)


def captured(
    subject: Subject, prepared: Prepared, *, storage: Storage = "auto", values: bool = False, off: Iterable[Head] = (),
    watch: Watch | None = None,
) -> Trace:  # fmt: skip
    """The same for what was read already."""
    off = frozenset(off)
    with torch.no_grad():
        keeper = Keeper(storage, values, watch, changed=frozenset(head.site for head in off))
        listener = Listener(subject.names(), keeper.take, off=off)
        with keeper.projections(subject.model):
            ran = subject.run(prepared, listener)
    for name, weights in ran.weights.items():
        keeper.given(name, weights)
    return keeper.trace(subject, prepared, subject.scores(prepared, ran), off)


class Keeper:
    """Keeps what a Listener tells. changed: sites whose output is not what they are told to have put out."""

    def __init__(
        self,
        storage: Storage,
        values: bool = False,
        watch: Watch | None = None,
        *,
        changed: frozenset[str] = frozenset(),
    ) -> None:
        self._storage, self._values, self._watch, self._changed = storage, values, watch, changed
        self.taken: dict[str, Taken] = {}
        self.kinds: dict[str, tuple[SiteKind, Method]] = {}
        self.checked = 0.0
        self.stored = "float32"
        self._waiting: tuple[str, Tensor] | None = None

    def take(self, site: str, module: nn.Module, call: Call, out: Tensor, weights: Tensor | None) -> None:
        """As Listener calls it."""
        if self._watch is not None:
            self._watch(site)
        dtype = self._dtype(max(call.query.shape[2], call.key.shape[2]))
        query, key = kept(call.query, dtype), kept(call.key, dtype)
        self.checked = max(self.checked, difference(call, query, key, out))
        if query.dtype == torch.float16:
            self.stored = "float16"
        value = kept(call.value, dtype) if self._values else None
        self.taken[site] = Taken(
            query, key, value, call.mask, call.bias, call.scale, call.causal, call.softcap, call.sink
        )  # fmt: skip
        self.kinds[site] = (site_kind(site, module, call), "sdpa" if call.plain else "explicit")
        self._waiting = (site, out) if self._values else None

    def given(self, site: str, weights: Tensor) -> None:
        """Weights [B, H, T_q, T_k] that the model handed over."""
        nothing = weights.new_empty(weights.shape[0], weights.shape[1], weights.shape[2], 0)
        keys = weights.new_empty(weights.shape[0], weights.shape[1], weights.shape[3], 0)
        causal = weights.shape[2] == weights.shape[3] > 1 and not bool(weights.triu(1).any())
        self.taken[site] = Taken(nothing, keys, None, None, None, 1.0, causal, None, None, weights.detach())
        self.kinds[site] = ("causal" if causal else "self", "weights")

    def projections(self, model: nn.Module) -> _Projections:
        """While inside, W^O is found for every site: the first matrix that the heads' output is given to."""
        return _Projections(self, model if self._values else None)

    def projected(self, module: nn.Module, given: Tensor) -> None:
        """A linear layer is about to be applied."""
        if self._waiting is None:
            return
        site, out = self._waiting
        same = given.data_ptr() == out.data_ptr() or site in self._changed
        if not same or given.shape[-1] != out.shape[2] * out.shape[3]:
            return
        weight = module.weight.detach()  # type: ignore[operator]
        assert isinstance(weight, Tensor)
        matrix = weight if type(module).__name__ == "Conv1D" else weight.T
        split = matrix.reshape(out.shape[2], out.shape[3], -1)
        self.taken[site] = replace(self.taken[site], out_weight=split)
        self._waiting = None

    def trace(self, subject: Subject, prepared: Prepared, scores: tuple[Scores, ...], off: frozenset[Head]) -> Trace:
        """Everything together. Raises NotForThisModel where nothing was heard."""
        if not self.taken:
            raise NotForThisModel(
                f"{subject.title} computes its attention in a way that neither the fast kernel nor the model lets out."
            )
        sites = number([self._site(name, taken, subject, prepared) for name, taken in self.taken.items()])
        readings = completed(prepared.readings, sites, prepared.grid)
        return Trace(
            subject.title, sites, readings, scores, dict(self.taken), self.stored, self.checked, prepared.picture, off
        )

    def _site(self, name: str, taken: Taken, subject: Subject, prepared: Prepared) -> Site:
        kind, method = self.kinds[name]
        b, heads, queries, width = taken.query.shape
        shape, keys = (b, heads, queries, width), (taken.key.shape[1], taken.key.shape[2])
        return describe(
            name, subject.kind, kind, shape, keys, method, prepared.grid, prepared.readings
        )

    def _dtype(self, tokens: int) -> torch.dtype:
        if self._storage == "auto":
            return torch.float32 if tokens <= AUTO_LIMIT else torch.float16
        return torch.float16 if self._storage == "float16" else torch.float32


class _Projections:
    """Hooks on the linear layers of a model, for as long as it is inside."""

    def __init__(self, keeper: Keeper, model: nn.Module | None) -> None:
        self._keeper, self._model = keeper, model
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> None:
        for module in self._model.modules() if self._model is not None else ():
            if isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D":
                self._hooks.append(module.register_forward_pre_hook(self._seen))

    def _seen(self, module: nn.Module, given: tuple[Tensor, ...]) -> None:
        self._keeper.projected(module, given[0])

    def __exit__(self, *error: object) -> None:
        for hook in self._hooks:
            hook.remove()


def kept(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy of its own: views would keep all of QKV alive. float32 where float16 cannot hold the numbers."""
    small = tensor.detach().to(dtype, copy=True, memory_format=torch.contiguous_format)
    if dtype == torch.float16 and bool(small.isinf().any()):
        return tensor.detach().to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    return small


def difference(call: Call, query: Tensor, key: Tensor, out: Tensor) -> float:
    """How far the last and the middle row of the first part, recomputed, are from what came out, over its largest."""
    queries = call.query.shape[2]
    rows = torch.tensor(sorted({queries // 2, queries - 1}), device=out.device)
    near = replace(call, query=query[:1, :, rows].to(out.dtype), key=key[:1].to(out.dtype))
    again = written_out(rows_of(near, rows))[0][0]
    seen = out[0, rows]
    return float((again - seen).abs().max() / seen.abs().max().clamp_min(torch.finfo(seen.dtype).tiny))


def rows_of(call: Call, rows: Tensor) -> Call:
    """The same attention for a few rows of its first part, whose query and key are those already."""
    mask = causal_rows(rows, call.key.shape[2]) if call.causal else cut(call.mask, rows)
    return Call(
        call.query, call.key, call.value[:1], mask, cut(
            call.bias, rows
        ), call.scale, False, call.softcap, call.sink
    )  # fmt: skip


def causal_rows(rows: Tensor, keys: int) -> Tensor:
    """[rows, T_k] bool: row i keeps the first i + 1 keys."""
    return torch.arange(keys, device=rows.device) <= rows[:, None]


def cut(mask: Tensor | None, rows: Tensor) -> Tensor | None:
    """Rows of the first part of a mask or bias [B | 1, H | 1, T_q | 1, T_k]."""
    if mask is None:
        return None
    first = mask[:1] if mask.dim() == 4 else mask
    return first if first.dim() < 2 or first.shape[-2] == 1 else first[..., rows, :]


def require_memory(count: int, layers: int, heads: int, limit: int = 2 << 30) -> None:
    """Raise TooLong where all maps of a model that hands its weights over would not fit."""
    needed = 4 * layers * heads * count * count
    if needed > limit:
        most = int((limit / (4 * layers * heads)) ** 0.5)
        raise TooLong(
            f"This model keeps whole attention maps, and those of {count:,} tokens take {needed / 2**30:.1f} GiB. "
            f"Shorten the text to {most:,} tokens.", count, most,
        )  # fmt: skip
