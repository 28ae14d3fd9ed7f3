"""The logit lens: what the model would answer if it ended after each layer (nostalgebraist 2020).

Every state goes through the model's final norm and its own head; after the last layer this is the model's answer, and
that is checked each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.ml.attention.errors import NotForThisModel
from studio.ml.attention.listening import Listener
from studio.ml.attention.subject import Prepared, Ran, Subject
from studio.ml.attention.values import Asked, Head, Scores

FAR = 1e-3
"""Largest difference to the model's answer, as a share of its largest logit, that may be rounding."""


@dataclass(frozen=True, eq=False)
class Lens:
    """layers: the answer at the embeddings, after layer 1, ... L. difference: of the last to the model's own logits."""

    layers: tuple[Scores, ...]
    difference: float


def lens(subject: Subject, asked: Asked, *, question: int = 0, best: int = 10, off: Iterable[Head] = ()) -> Lens:
    """For one question (the next token, the class, a gap). Raises NotForThisModel for CLIP and without a head."""
    subject.require("causal", "encoder-decoder", "encoder", "vision", what="The logit lens")
    prepared = subject.prepare(asked)
    with torch.no_grad():
        ran = subject.run(prepared, Listener(subject.names(), off=off), states=True)
        return through(subject, prepared, ran, question=question, best=best)


def through(subject: Subject, prepared: Prepared, ran: Ran, *, question: int = 0, best: int = 10) -> Lens:
    """The same for an evaluation whose states were kept."""
    if ran.states is None or not len(ran.answers):
        raise NotForThisModel(
            "There is no question to ask the layers: the text has no gap, or the folder holds no head."
        )
    answers = subject.judge(prepared, ran.states)[:, question]
    difference = _difference(answers[-1], ran.answers[question])
    largest = float(ran.answers[question].abs().max())
    if difference > FAR * max(largest, 1.0):
        raise NotForThisModel(
            f"Behind its layers this model does more than a norm and a head ({difference:.2g} off in logits), so its "
            "layers cannot be asked."
        )
    return Lens(tuple(subject.named(ran.about[question], row, prepared, best) for row in answers), difference)


def _difference(one: Tensor, other: Tensor) -> float:
    return float((one.float() - other.float()).abs().max())
