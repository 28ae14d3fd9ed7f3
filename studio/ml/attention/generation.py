"""Watching a model write, token by token: the map that grows, what it thought of every token, and what it remembers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from studio.ml.attention.errors import TooLong
from studio.ml.attention.growing import Growing
from studio.ml.attention.lens import Lens, through
from studio.ml.attention.listening import Listener
from studio.ml.attention.subject import Prepared, Ran, Subject
from studio.ml.attention.capture import Trace
from studio.ml.attention.values import Asked, Head, Scores
from studio.ml.language.writing import Pick, likeliest


@dataclass(frozen=True, eq=False)
class Step:
    """One token that was written. number: from 0. scores: what it was picked from. ends: whether it ends the text.

    lens: what each layer would have written. read: tokens the model has read when it wrote this one. cache_bytes:
    measured, cache_formula: 2 G d T for every layer; both 0 for models that remember nothing, the
    formula also for those that hand over their weights. seconds: for this token.
    """

    number: int
    token: int
    text: str
    probability: float
    scores: Scores
    ends: bool
    lens: Lens | None
    read: int
    cache_bytes: int
    cache_formula: int
    seconds: float


class Writing:
    """A text being written: iterate over it for its steps, one token each, and ask for the trace at any of them.

    pick: how the next token is chosen (`studio.ml.language.writing`). Stops at `tokens`, at the end token, or where the
    model can read no further (`full`). Raises NotForThisModel for models that do not write.
    """

    def __init__(
        self, subject: Subject, asked: Asked, *, tokens: int = 32, pick: Pick = likeliest, lens: bool = True,
        off: Iterable[Head] = (),
    ) -> None:  # fmt: skip
        subject.require("causal", "encoder-decoder", what="Writing")
        self.subject, self._tokens, self._pick, self._lens, self._off = subject, tokens, pick, lens, frozenset(off)
        self._prepared = subject.prepare(asked)
        self._growing = Growing()
        self._ran: Ran | None = None
        self.steps: list[Step] = []
        self.full = False

    def __iter__(self) -> Iterator[Step]:
        itemsize = next(self.subject.model.parameters()).element_size()
        for number in range(len(self.steps), self._tokens):
            began = time.perf_counter()
            with torch.no_grad():
                ran = self._computed(self._prepared)
                scores = self.subject.scores(self._prepared, ran)[0]
                token = self._pick(ran.answers[0])
                seen = through(self.subject, self._prepared, ran) if self._lens else None
            remembers = self.subject.remembers
            step = Step(
                number, token, self.subject.label(token, self._prepared), float(scores.probabilities[token]), scores,
                self.subject.ends(token), seen, self._count(self._prepared),
                self.subject.cache_bytes(ran) if remembers else 0,
                self._growing.cache_bytes(itemsize=itemsize) if remembers else 0, time.perf_counter() - began,
            )  # fmt: skip
            self._seen, self._ran = self._prepared, ran
            self.steps.append(step)
            yield step
            if step.ends:
                return
            try:
                self._prepared = self.subject.longer(self._prepared, token)
            except TooLong:
                self.full = True
                return

    def trace(self) -> Trace:
        """Everything that was read so far, as one trace: the map has grown by a row with every step but the first."""
        assert self._ran is not None, "iterate first"
        return self._growing.trace(self.subject, self._seen, self._ran, self._off)

    @property
    def tokens(self) -> tuple[int, ...]:
        """What was written."""
        return tuple(step.token for step in self.steps)

    def _computed(self, prepared: Prepared) -> Ran:
        keeper = self._growing.keeper()
        listener = Listener(self.subject.names(), keeper.take, off=self._off)
        if self._ran is None or not self.subject.remembers:
            ran = self.subject.run(prepared, listener, states=self._lens, cache=self.subject.remembers)
        else:
            ran = self.subject.extend(prepared, self._ran, listener, states=self._lens)
        for site, weights in ran.weights.items():
            keeper.given(site, weights)
        if self.subject.remembers:
            self._growing.add(keeper)
        else:
            self._growing.replace(keeper)
        return ran

    def _count(self, prepared: Prepared) -> int:
        return len(prepared.readings["text" if self.subject.kind == "causal" else "target"][0])


@dataclass(frozen=True, eq=False)
class Difference:
    """What a model writes with all heads, and without some. first: number of the first token that differs, or None."""

    before: tuple[Step, ...]
    after: tuple[Step, ...]
    first: int | None


def without(
    subject: Subject, asked: Asked, off: Iterable[Head], *, tokens: int = 32, pick: Pick = likeliest
) -> Iterator[Difference]:
    """The effect of heads on what is written, one token of both texts a step. `pick` is used for both in turn."""
    sets: tuple[frozenset[Head], ...] = (frozenset(), frozenset(off))
    texts = [Writing(subject, asked, tokens=tokens, pick=pick, lens=False, off=heads) for heads in sets]
    running = [iter(text) for text in texts]
    while any([next(steps, None) is not None for steps in running]):
        before, after = (text.tokens for text in texts)
        first = next((i for i, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), None)
        first = min(len(before), len(after)) if first is None and len(before) != len(after) else first
        yield Difference(tuple(texts[0].steps), tuple(texts[1].steps), first)
