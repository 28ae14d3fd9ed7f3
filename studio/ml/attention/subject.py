"""A model that can be looked into: what every room asks of it, whoever made it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.attention.errors import NotForThisModel
from studio.ml.attention.listening import Listener
from studio.ml.attention.values import Asked, Guess, Kind, Reading, Scores, Takes


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a model is given: its arguments, and the names of what they are.

    readings: name -> one Reading for each part of the batch. A picture's is there only with its grid, for the model
    decides how many tokens come before the patches. picture: uint8 [h, w, 3], what the model sees of it.
    """

    arguments: Mapping[str, Tensor]
    readings: Mapping[str, tuple[Reading, ...]]
    captions: tuple[str, ...] = ()
    grid: tuple[int, int] | None = None
    picture: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Ran:
    """What a model answered. answers [A, n]: logits of A questions, each named in `about`.

    states [L + 1, T, D]: what the head would be given if the model ended at the embeddings, after layer 1, ... L; for
    models that write, of the last token only. weights: maps [B, H, T_q, T_k] by site, of models that hand them over.
    cache: what the model remembers, for `Subject.extend`.
    """

    answers: Tensor
    about: tuple[str, ...]
    states: Tensor | None = None
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    cache: Any = None


class Subject(ABC):
    """A model with what it takes to ask it something. title: for people. context: most tokens it can read, or None."""

    title: str
    kind: Kind
    takes: frozenset[Takes]
    context: int | None
    model: nn.Module

    @property
    def parameters(self) -> int:
        """Numbers in its weights."""
        return sum(weight.numel() for weight in self.model.parameters())

    @property
    def nbytes(self) -> int:
        """Bytes of its weights and buffers."""
        return sum(held.nbytes for held in (*self.model.parameters(), *self.model.buffers()))

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """(attentions, heads of each), about: to reckon memory before anything is computed."""

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @abstractmethod
    def prepare(self, asked: Asked) -> Prepared:
        """Read. Raises WrongInput, TooLong."""

    @abstractmethod
    def whole(self, text: str) -> Reading:
        """A text of any length as tokens. Raises WrongInput, and NotForThisModel for models that read no text."""

    @abstractmethod
    def run(self, prepared: Prepared, listener: Listener, *, states: bool = False, cache: bool = False) -> Ran:
        """Compute once, with gradients where the caller has not switched them off."""

    @abstractmethod
    def judge(self, prepared: Prepared, states: Tensor) -> Tensor:
        """Answers [n, A, V] of n states [n, T, D] by the model's own head. Raises NotForThisModel where it has none."""

    @abstractmethod
    def longer(self, prepared: Prepared, token: int) -> Prepared:
        """The same with one more token at the end of what the model writes. Raises TooLong."""

    def extend(self, prepared: Prepared, before: Ran, listener: Listener, *, states: bool = False) -> Ran:
        """Compute the last token of `prepared` only; `before` remembers all others."""
        raise NotForThisModel(f"{self.title} remembers nothing between tokens.")

    @property
    def remembers(self) -> bool:
        """Whether `extend` works."""
        return False

    def ends(self, token: int) -> bool:
        """Whether this token ends what the model writes."""
        return False

    def cache_bytes(self, ran: Ran) -> int:
        """Bytes that are remembered between tokens."""
        return 0

    @abstractmethod
    def names(self) -> Mapping[int, str]:
        """id of every module -> its qualified name."""

    @abstractmethod
    def label(self, index: int, prepared: Prepared) -> str:
        """What answer number `index` means: a token, a class, a caption."""

    def link(self) -> str:
        """ "softmax", or "sigmoid" for answers that are judged each by itself."""
        return "softmax"

    def scores(self, prepared: Prepared, ran: Ran, best: int = 20) -> tuple[Scores, ...]:
        """The answers as values."""
        return tuple(
            self.named(about, row, prepared, best) for about, row in zip(ran.about, ran.answers.detach(), strict=True)
        )

    def named(self, about: str, logits: Tensor, prepared: Prepared, best: int = 20) -> Scores:
        """Logits [n] as a value, the best of them named."""
        link = "sigmoid" if self.link() == "sigmoid" else "softmax"
        row = logits.detach().float().cpu()
        shares = row.double().sigmoid() if link == "sigmoid" else row.double().softmax(dim=-1)
        first = row.topk(min(best, len(row))).indices.tolist()
        guesses = tuple(
            Guess(self.label(i, prepared), i, float(row[i]), float(shares[i])) for i in first
        )
        return Scores(about, row.numpy(), guesses, "sigmoid" if link == "sigmoid" else "softmax")

    def require(self, *kinds: Kind, what: str) -> None:
        """Raise NotForThisModel for a model of another kind."""
        if self.kind not in kinds:
            raise NotForThisModel(f"{what} is for models that are {' or '.join(kinds)}; {self.title} is {self.kind}.")
