"""Plain values: what is asked of a model, and the names of everything that is seen of it. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]
"""Attention weights; NaN where the mask forbids to look."""

Kind = Literal["encoder", "causal", "encoder-decoder", "vision", "clip"]
"""What a model does: reads both ways, writes on, turns one text into another, sees, or compares pictures and texts."""

Takes = Literal["text", "target", "picture", "captions", "sound"]
"""What a model reads: the fields of Asked that are looked at."""

Method = Literal["sdpa", "explicit", "weights"]
"""How the maps of a site were come by.

sdpa: the model computed with the fast kernel and Q and K were kept. explicit: softmax(QK^T) was written out, because
the model caps its scores or has a sink; Q and K were kept. weights: the model computes attention in a way of its own
and handed its weights over."""

SiteKind = Literal["self", "causal", "cross"]
Storage = Literal["auto", "float32", "float16"]
"""Format in which Q and K are kept. auto: float32 up to AUTO_LIMIT tokens, float16 beyond."""

AUTO_LIMIT = 512
Fit = Literal["refuse", "start", "end"]
"""What to do with a text that is too long: say so, keep its start, or keep its end."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What a model is to read.

    text: for models of text, and the source of an encoder-decoder. target: what the decoder has written so far; "" for
    nothing yet. picture: uint8 [h, w, 3]. captions: texts that CLIP compares with the picture. sound: float32 [n] at
    16 kHz. fit: for texts that are too long. ids: token ids in place of the text, exactly as given.
    """

    text: str = ""
    target: str = ""
    picture: NDArray[np.uint8] | None = None
    captions: tuple[str, ...] = ()
    sound: NDArray[np.float32] | None = None
    fit: Fit = "refuse"
    ids: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Token:
    """One row or column. text: as it is shown. start, end: the characters of the text it stands for, or -1, -1.

    special: [CLS], end of text, padding, a class token. id: in the vocabulary, -1 for a patch or a frame of sound.
    """

    text: str
    id: int = -1
    start: int = -1
    end: int = -1
    special: bool = False


@dataclass(frozen=True)
class Reading:
    """What one sequence of tokens is. name: "text", "source", "target", "picture", "sound" or "window".

    grid: rows and columns of patches for a picture, which begin at token `first` (after class and register tokens).
    offsets: "exact" from the tokenizer; "pieces" found by decoding token after token, where it gives none; "none".
    """

    name: str
    tokens: tuple[Token, ...]
    text: str = ""
    grid: tuple[int, int] | None = None
    first: int = 0
    offsets: Literal["exact", "pieces", "none"] = "none"

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens as they are shown."""
        return tuple(token.text for token in self.tokens)


@dataclass(frozen=True)
class Site:
    """One attention of the network, in the order of computation.

    name: qualified name of its module ("encoder.layer.3.attention.self"; "...#2" for a module that is used again).
    tower: "", "encoder", "decoder", "text" or "vision". layer: counted from 0 in its tower, cross-attentions by
    themselves. width: of a head. asks, looks: names of the Readings of rows and columns. parts: windows of a picture or
    captions that are looked at side by side; 1 for most. kv_heads: fewer than heads where several share keys and
    values.
    """

    name: str
    tower: str
    layer: int
    kind: SiteKind
    heads: int
    kv_heads: int
    width: int
    queries: int
    keys: int
    asks: str
    looks: str
    parts: int
    method: Method

    @property
    def title(self) -> str:
        """ "Decoder layer 3, cross"."""
        where = f"{self.tower} layer {self.layer + 1}".strip()
        return f"{where[0].upper()}{where[1:]}{', cross' if self.kind == 'cross' else ''}"


@dataclass(frozen=True, order=True)
class Head:
    """One head of one site, by the site's name."""

    site: str
    head: int


@dataclass(frozen=True)
class Guess:
    """One possible answer: its text, index, logit and probability."""

    text: str
    index: int
    logit: float
    probability: float


@dataclass(frozen=True, eq=False)
class Scores:
    """An answer of the model: logits float32 [n]. about: "next token", "class", "caption", "[MASK] at 4".

    best: the likeliest, first first. link: how logits become probabilities; a sigmoid judges each by itself.
    """

    about: str
    logits: NDArray[np.float32]
    best: tuple[Guess, ...]
    link: Literal["softmax", "sigmoid"] = "softmax"

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """[n] in [0, 1]; they sum to 1 under softmax."""
        logits = self.logits.astype(np.float64)
        if self.link == "sigmoid":
            return np.asarray(1 / (1 + np.exp(-logits)), np.float32)
        shares = np.exp(logits - logits.max())
        return np.asarray(shares / shares.sum(), np.float32)
