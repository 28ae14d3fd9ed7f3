"""What a head does, tested by switching it off: its output becomes zero before W^O, everything else stays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from studio.ml.attention.errors import NotForThisModel
from studio.ml.attention.listening import Listener
from studio.ml.attention.subject import Prepared, Subject
from studio.ml.attention.values import Asked, Head, Scores, Site


@dataclass(frozen=True)
class Change:
    """One answer before and after, as probabilities."""

    text: str
    index: int
    before: float
    after: float


@dataclass(frozen=True, eq=False)
class Effect:
    """What switching heads off does to one answer. kl: KL(before || after) in nats; of answers judged by themselves
    their mean.

    changes: the answers whose probability changed most, largest change first.
    """

    off: frozenset[Head]
    before: Scores
    after: Scores
    kl: float
    changes: tuple[Change, ...]

    @property
    def delta(self) -> NDArray[np.float32]:
        """Change of every logit."""
        return np.asarray(self.after.logits - self.before.logits, np.float32)

    @property
    def flipped(self) -> bool:
        """Whether the likeliest answer is another one."""
        return self.before.best[0].index != self.after.best[0].index


def effect(subject: Subject, asked: Asked, off: Iterable[Head], *, best: int = 20) -> tuple[Effect, ...]:
    """Of a set of heads on every answer. Raises NotForThisModel for a model that answers nothing."""
    prepared, off = subject.prepare(asked), frozenset(off)
    return _effects(subject, prepared, off, answers(subject, prepared, frozenset(), best), best)


def each(subject: Subject, asked: Asked, sites: Iterable[Site], *, question: int = 0) -> Iterator[Effect]:
    """Of every head of these sites by itself, one evaluation a step. Close it to stop."""
    prepared = subject.prepare(asked)
    before = answers(subject, prepared, frozenset(), 20)
    for site in sites:
        for index in range(site.heads):
            yield _effects(subject, prepared, frozenset({Head(site.name, index)}), before, 20)[question]


def answers(subject: Subject, prepared: Prepared, off: frozenset[Head], best: int = 20) -> tuple[Scores, ...]:
    """What the model answers with these heads off."""
    with torch.no_grad():
        ran = subject.run(prepared, Listener(subject.names(), off=off))
    if not len(ran.answers):
        raise NotForThisModel(
            "There is no answer that could change: the folder holds no head, or the text has no gap. Put the "
            "tokenizer's mask token into it."
        )
    return subject.scores(prepared, ran, best)


def _effects(
    subject: Subject, prepared: Prepared, off: frozenset[Head], before: tuple[Scores, ...], best: int
) -> tuple[Effect, ...]:
    after = answers(subject, prepared, off, best)
    return tuple(compared(subject, prepared, off, one, other, best) for one, other in zip(before, after, strict=True))


def compared(
    subject: Subject, prepared: Prepared, off: frozenset[Head], before: Scores, after: Scores, best: int = 20
) -> Effect:
    """Two answers to one question."""
    p, q = before.probabilities, after.probabilities
    most = np.argsort(-np.abs(q - p), kind="stable")[:best]
    changes = tuple(Change(subject.label(int(i), prepared), int(i), float(p[i]), float(q[i])) for i in most)
    return Effect(off, before, after, divergence(before, after), changes)


def divergence(before: Scores, after: Scores) -> float:
    """KL(before || after) in nats, from logits, so that small probabilities do not become zero."""
    one, other = (torch.from_numpy(scores.logits).double() for scores in (before, after))
    if before.link == "softmax":
        log_p, log_q = one.log_softmax(dim=-1), other.log_softmax(dim=-1)
        return float((log_p.exp() * (log_p - log_q)).sum().clamp_min(0))
    sigmoid = torch.nn.functional.logsigmoid
    yes = one.sigmoid() * (sigmoid(one) - sigmoid(other))
    no = (-one).sigmoid() * (sigmoid(-one) - sigmoid(-other))
    return float((yes + no).mean().clamp_min(0))
