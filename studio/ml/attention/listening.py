"""Listening to attention while it is computed, and switching heads off.

transformers lets a model name the function that computes its attention. The one registered here is given Q (after
rotary positions), K, V, mask, bias and scale of every attention; it lets the fast kernel compute as always and hands
what it was given to whoever listens. With nobody listening it is the fast kernel and nothing else.

Letters: B parts of a batch, H heads, G groups of heads that share keys and values (G = H for most), T_q, T_k tokens,
d width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from studio.ml.attention.values import Head, SiteKind

REGISTERED = "glassbox"
"""Name of the function in transformers."""

BAND = 1 << 24
"""Weights that are written out at once where no one wants them all: 64 MiB of float32."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@dataclass(frozen=True, eq=False)
class Call:
    """What one attention was given.

    query [B, H, T_q, d], key [B, G, T_k, d], value [B, G, T_k, e]. mask: bool (True = keep) or added to the scores,
    broadcast to [B, H, T_q, T_k]; bias likewise, always added. causal: token i looks at the first i + 1 keys. softcap:
    scores s become c tanh(s / c). sink [H]: one more score a row, whose share goes nowhere. kernel: whether the model
    itself would use the fast kernel. kind: what the site is, where the model says so.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    bias: Tensor | None
    scale: float
    causal: bool
    softcap: float | None = None
    sink: Tensor | None = None
    kernel: bool = True
    kind: SiteKind | None = None

    @property
    def bent(self) -> bool:
        """Whether it is more than softmax(QK^T) V, which the fast kernel cannot compute."""
        return self.softcap is not None or self.sink is not None

    @property
    def plain(self) -> bool:
        """Whether the fast kernel computes it."""
        return self.kernel and not self.bent


def softmax_scores(
    scores: Tensor, softcap: float | None, bias: Tensor | None, mask: Tensor | None, sink: Tensor | None
) -> Tensor:
    """Weights [..., H, T_q, T_k] from scaled scores: capped, biased, masked, normalised in float32 or better."""
    if softcap is not None:
        scores = (scores / softcap).tanh() * softcap
    if bias is not None:
        scores = scores + bias
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    wide = torch.float64 if scores.dtype == torch.float64 else torch.float32
    if sink is None:
        return scores.softmax(dim=-1, dtype=wide)
    column = sink.to(scores.dtype)[:, None, None].expand(*scores.shape[:-1], 1)
    return torch.cat([scores, column], dim=-1).softmax(dim=-1, dtype=wide)[..., :-1]


def written_out(call: Call) -> tuple[Tensor, Tensor]:
    """softmax(QK^T) V step by step, with gradients: [B, T_q, H, e] and the weights [B, H, T_q, T_k]."""
    shared = call.query.shape[1] // call.key.shape[1]
    key, value = (part.repeat_interleave(shared, dim=1) if shared > 1 else part for part in (call.key, call.value))
    mask = call.mask
    if mask is None and call.causal:
        mask = torch.ones(call.query.shape[2], key.shape[2], dtype=torch.bool, device=key.device).tril()
    scores = call.query @ key.transpose(-2, -1) * call.scale
    weights = softmax_scores(scores, call.softcap, call.bias, mask, call.sink)
    if torch.is_grad_enabled() and not weights.requires_grad:
        weights.requires_grad_()  # weights of the model are constants here; gradients begin at the first map
    return (weights.to(value.dtype) @ value).transpose(1, 2).contiguous(), weights


def in_bands(call: Call) -> Tensor:
    """The same output [B, T_q, H, e] without ever holding all weights, for long texts."""
    shared = call.query.shape[1] // call.key.shape[1]
    key, value = (part.repeat_interleave(shared, dim=1) if shared > 1 else part for part in (call.key, call.value))
    b, heads, queries, _ = call.query.shape
    step = max(1, BAND // (b * heads * key.shape[2]))
    bands = []
    for start in range(0, queries, step):
        stop = min(start + step, queries)
        mask = call.mask
        if call.causal:
            places = torch.arange(start, stop, device=key.device)
            mask = torch.arange(key.shape[2], device=key.device) <= places[:, None]
        elif mask is not None:
            mask = _some(mask, start, stop)
        bias = None if call.bias is None else _some(call.bias, start, stop)
        some = Call(call.query[:, :, start:stop], key, value, mask, bias, call.scale, False, call.softcap, call.sink)
        bands.append(written_out(some)[0])
    return torch.cat(bands, dim=1)


def _some(mask: Tensor, start: int, stop: int) -> Tensor:
    """Rows of a mask or bias [.., T_q | 1, T_k]."""
    return mask if mask.dim() < 2 or mask.shape[-2] == 1 else mask[..., start:stop, :]


Take = Callable[[str, nn.Module, Call, Tensor, Tensor | None], None]
"""(site, module, what it was given, what comes out [B, T_q, H, e], the weights where they were written out)."""


class Listener:
    """Listens to one evaluation of a model, and changes it where heads are off.

    names: id of a module -> its qualified name. off: heads whose output becomes zero. explicit: write softmax(QK^T) out
    everywhere, so that the weights are there and have gradients. take: is told of every attention, before heads are
    switched off.
    """

    def __init__(
        self, names: Mapping[int, str], take: Take | None = None, *, off: Iterable[Head] = (), explicit: bool = False
    ) -> None:
        self._names, self._take, self._explicit = names, take, explicit
        self._times: dict[str, int] = {}
        self._off: dict[str, list[int]] = {}
        for head in off:
            self._off.setdefault(head.site, []).append(head.head)

    def attend(self, module: nn.Module, call: Call, fast: Callable[[], Tensor]) -> Tensor:
        """The output of all heads, [B, T_q, H, e]."""
        site = self.site(module)
        weights = None
        if self._explicit:
            out, weights = written_out(call)
        else:
            out = in_bands(call) if call.bent else fast()
        if self._take is not None:
            self._take(site, module, call, out, weights)
        return self.without(site, out)

    def site(self, module: nn.Module) -> str:
        """Name of the site that is computed now: a module that is used for a second time is a site of its own."""
        name = self._names.get(id(module), type(module).__name__)
        self._times[name] = self._times.get(name, 0) + 1
        return name if self._times[name] == 1 else f"{name}#{self._times[name]}"

    def without(self, site: str, out: Tensor) -> Tensor:
        """The output [B, T_q, H, e] with this site's heads switched off."""
        off = self._off.get(site)
        if not off:
            return out
        kept = torch.ones(out.shape[2], dtype=out.dtype, device=out.device)
        kept[off] = 0
        return out * kept[:, None]


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """While inside, this thread's models tell the listener. To be left before anything else may compute."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def register() -> None:
    """Make the function known to transformers; once is enough, more does no harm."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(REGISTERED, attention)
    AttentionMaskInterface.register(REGISTERED, sdpa_mask)


def attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None = None, **given: Any
) -> tuple[Tensor, None]:
    """As transformers calls it: query [B, H, T_q, d], key and value [B, G, T_k, d] -> [B, T_q, H, d]."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    listener = _listener.get()
    softcap, sink = given.pop("softcap", None), given.pop("s_aux", None)

    def fast() -> Tensor:
        out: Tensor = sdpa_attention_forward(module, query, key, value, attention_mask, **given)[0]
        return out

    if listener is None and softcap is None and sink is None:
        return fast(), None
    call = _call(module, query, key, value, attention_mask, softcap, sink, given)
    return (in_bands(call) if listener is None else listener.attend(module, call, fast)), None


def _call(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None,
    softcap: float | None, sink: Tensor | None, given: Mapping[str, Any],
) -> Call:  # fmt: skip
    """What the fast kernel would do with these arguments, said in words of this room."""
    asked = given.get("is_causal")
    causal = bool(getattr(module, "is_causal", True) if asked is None else asked)
    queries, keys = query.shape[2], key.shape[2]
    causal = causal and mask is None and queries > 1
    bias = given.get("position_bias")
    if causal and keys > queries:  # the kernel leaves out what nobody may look at
        key, value = key[:, :, :queries], value[:, :, :queries]
        bias = None if bias is None else bias[..., :queries]
    scale = given.get("scaling")
    scale = query.shape[-1] ** -0.5 if scale is None else float(scale)
    return Call(query, key, value, mask, bias, scale, causal, softcap, sink)
