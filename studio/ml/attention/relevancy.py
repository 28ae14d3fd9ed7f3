"""What an answer rests on: attention weighted by the gradient of that answer (Chefer, Gur and Wolf 2021, arXiv
2103.15679).

For each attention A_l, in the order of computation, with the gradient of one logit (eq. 5):

    Abar = mean_h (dy/dA * A)^+

    self:   R_ss <- R_ss + Abar R_ss,   R_sq <- R_sq + Abar R_sq                                  (6, 7)
    cross:  R_sq <- R_sq + Rhat_ss^T Abar Rhat_qq,   Rhat = rownorm(R - I) + I                     (8, 9, 10)

s are the tokens that ask (the decoder), q those of the other text (the encoder); R_ss and R_qq begin as I, R_sq as 0.
The two towers of CLIP each follow the self rule; as its authors do, only their last layers count unless `start` says
otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from studio.ml.attention.capture import Keeper, Trace, require_memory
from studio.ml.attention.errors import NotForThisModel
from studio.ml.attention.listening import Call, Listener
from studio.ml.attention.rollout import self_sites
from studio.ml.attention.subject import Prepared, Ran, Subject
from studio.ml.attention.values import Asked, Head, Map, Reading


GRADIENT_MEMORY = 6 << 30
"""Bytes that maps, their scores and their gradients may take together."""


@dataclass(frozen=True, eq=False)
class Relevance:
    """What one answer rests on. about, answer: which; index: its number.

    maps: R by tower ("", "encoder", "decoder", "text", "vision") and R_sq as "cross"; rows: the row of each that the
    answer was read from, None where it was read from all of them. trace: the same evaluation, for names and raw maps.
    """

    about: str
    answer: str
    index: int
    maps: Mapping[str, Map]
    rows: Mapping[str, int | None]
    trace: Trace

    def shares(self, name: str) -> Map:
        """[T]: how much each token counts for the answer; the token that was read out does not count itself."""
        row = self.rows[name]
        if row is None:
            found = self.maps[name] - np.eye(len(self.maps[name]), dtype=np.float32)
            return np.asarray(found.mean(axis=0), np.float32)
        shares = self.maps[name][row].copy()
        if name != "cross":
            shares[row] -= 1
        return np.asarray(shares, np.float32)


def relevancy(
    subject: Subject, asked: Asked, *, question: int = 0, answer: int | None = None, start: int | None = None,
    off: Iterable[Head] = (),
) -> Relevance:  # fmt: skip
    """For one answer, the likeliest unless it is given. question: which, where a model answers several. start: first
    layer that counts.

    Raises NotForThisModel for models that answer nothing or look at windows, TooLong where the maps of all layers do
    not fit.
    """
    prepared = subject.prepare(asked)
    weights, ran, trace = with_gradients(subject, prepared, frozenset(off))
    if not len(ran.answers):
        raise NotForThisModel(
            "There is no answer to explain: the folder holds no head, or the text has no gap. Put the "
            "tokenizer's mask token into the text."
        )
    logits = ran.answers[question]
    index = int(logits.argmax()) if answer is None else answer
    gradients = torch.autograd.grad(logits[index], list(weights.values()), allow_unused=True)
    part = index if subject.kind == "clip" else 0
    bars = {
        name: mean_positive(gradient, map_, part)
        for (name, map_), gradient in zip(weights.items(), gradients, strict=True)
        if gradient is not None
    }
    start = start if start is not None else _last(trace) if subject.kind == "clip" else 0
    with torch.no_grad():
        maps = together(trace, bars, start)
    shown = {name: np.asarray(found.cpu().numpy(), np.float32) for name, found in maps.items()}
    rows = {name: _row(subject, prepared, trace, name, question, part) for name in shown}
    return Relevance(ran.about[question], subject.label(index, prepared), index, shown, rows, trace)


def with_gradients(subject: Subject, prepared: Prepared, off: frozenset[Head]) -> tuple[dict[str, Tensor], Ran, Trace]:
    """Weights [B, H, T_q, T_k] of every site with their graph, the answers, and the trace."""
    longest = max((tensor.shape[1] for tensor in prepared.arguments.values() if tensor.dim() == 2), default=1)
    require_memory(longest, *subject.size, limit=GRADIENT_MEMORY // 3)
    weights: dict[str, Tensor] = {}
    keeper = Keeper("float32")

    def take(site: str, module: nn.Module, call: Call, out: Tensor, given: Tensor | None) -> None:
        with torch.no_grad():
            keeper.take(site, module, call, out, given)
        if given is not None:
            weights[site] = given

    with torch.enable_grad(), _embedding_with_gradient(subject):
        ran = subject.run(prepared, Listener(subject.names(), take, off=off, explicit=True))
    for site, given in ran.weights.items():
        keeper.given(site, given)
        weights[site] = given
    return weights, ran, keeper.trace(subject, prepared, subject.scores(prepared, ran), off)


@contextmanager
def _embedding_with_gradient(subject: Subject) -> Iterator[None]:
    """Models that hand over weights need something with a gradient before them; all others begin at their first map."""
    find = getattr(subject.model, "get_input_embeddings", None)
    embedding = find() if find is not None and not getattr(subject, "functional", True) else None
    if embedding is None:
        yield
        return
    embedding.weight.requires_grad_(True)
    try:
        yield
    finally:
        embedding.weight.requires_grad_(False)


def mean_positive(gradient: Tensor, weights: Tensor, part: int = 0) -> Tensor:
    """Abar (eq. 5) of one part of the batch, [T_q, T_k]."""
    part = min(part, len(weights) - 1)
    return (gradient[part] * weights[part]).detach().clamp_min(0).mean(dim=0).float()


def together(trace: Trace, bars: Mapping[str, Tensor], start: int = 0) -> dict[str, Tensor]:
    """All R from the Abar of the sites, in order."""
    towers = {site.tower for site in trace.sites if site.kind != "cross"}
    maps = {tower: _identity(self_sites(trace, tower)[0].queries) for tower in sorted(towers)}
    for site in trace.sites:
        if site.name not in bars or site.layer < start:
            continue
        bar = bars[site.name].cpu()
        if site.kind == "cross":
            across = maps.get("cross", torch.zeros(site.queries, site.keys))
            maps["cross"] = across + normed(maps["decoder"]).T @ bar @ normed(maps["encoder"])
        else:
            if site.tower == "decoder" and "cross" in maps:
                maps["cross"] = maps["cross"] + bar @ maps["cross"]
            maps[site.tower] = maps[site.tower] + bar @ maps[site.tower]
    return maps


def normed(relevance: Tensor) -> Tensor:
    """Rhat = rownorm(R - I) + I (eq. 8, 9); a row in which nothing came together stays that of I."""
    own = _identity(len(relevance)).to(relevance)
    gathered = relevance - own
    sums = gathered.sum(dim=-1, keepdim=True)
    return torch.where(
        sums > 0, gathered / sums.clamp_min(torch.finfo(sums.dtype).tiny), torch.zeros_like(gathered)
    ) + own


def _identity(count: int) -> Tensor:
    return torch.eye(count)


def _last(trace: Trace) -> int:
    return max(site.layer for site in trace.sites)


def _row(subject: Subject, prepared: Prepared, trace: Trace, name: str, question: int, part: int) -> int | None:
    """The row of a map that the answer was read from."""
    if name in ("decoder", "cross") or subject.kind == "causal":
        return next(site.queries for site in trace.sites if site.tower == ("decoder" if name == "cross" else name)) - 1
    if name == "encoder":
        return None
    if name == "text":
        return _end_of(prepared.readings["text"][min(part, len(prepared.readings["text"]) - 1)])
    if name == "vision" or subject.kind == "vision":
        picture = trace.readings["picture"][0]
        return 0 if picture.first else None
    place = trace.scores[question].about.rpartition(" at ")[2]
    return int(place) if place.isdigit() else 0


def _end_of(caption: Reading) -> int:
    """The token a caption is read from: the first special one behind its words, or the last."""
    words = [i for i, token in enumerate(caption.tokens) if not token.special]
    return min(words[-1] + 1, len(caption) - 1) if words else len(caption) - 1
