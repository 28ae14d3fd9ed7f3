"""What comes back from the engine: plain arrays and names. The trace itself, with Q and K, stays there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from studio.ml.attention.values import Guess, Reading, Scores, Site
from studio_plugins.attention.request import AttentionRequest

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]
HeadKey = tuple[str, int]
"""Name of the site, and number of the head."""
STATISTICS: Mapping[str, tuple[str, str]] = {
    "sink": ("On the first token", "Mean weight on the first token, which many heads use as a place to rest"),
    "previous": ("On the previous token", "Mean weight on the token just before"),
    "induction": (
        "Induction",
        "Weight on what followed an earlier occurrence of the same token; NaN where no token comes again",
    ),
    "diagonal": ("On itself", "Mean weight of a token on itself"),
    "entropy": ("Entropy", "How evenly a row spreads its weight: 0 on one token, 1 on all alike"),
    "distance": ("Distance", "Mean distance of where a token looks, in tokens; in patches on a picture"),
}  # fmt: skip
"""Statistic -> its title and what it means, as heads are sorted by it."""
BY_EFFECT = ("effect", "Effect of switching off", "KL divergence of the answer with and without the head, in nats")


@dataclass(frozen=True, eq=False)
class Overview:
    """One evaluation: the names of everything in it. key: of its trace on the engine's side.

    Letters of readings, sites and scores are those of `studio.ml.attention.values`. windows: how many there are of a
    text that was too long. written: number of tokens at the end that the model wrote itself.
    """

    key: str
    request: AttentionRequest
    title: str
    kind: str
    sites: tuple[Site, ...]
    readings: Mapping[str, tuple[Reading, ...]]
    scores: tuple[Scores, ...]
    badge: str
    facts: Mapping[str, str]
    context: int | None
    picture: Pixels | None = None
    windows: int = 1
    written: int = 0
    methods: frozenset[str] = frozenset()

    def site(self, name: str) -> Site:
        """By its name. Raises KeyError."""
        found = next((site for site in self.sites if site.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    def rows(self, site: Site, part: int = 0) -> Reading:
        """What the rows of its maps are."""
        some = self.readings[site.asks]
        return some[min(part, len(some) - 1)]

    def columns(self, site: Site, part: int = 0) -> Reading:
        """What the columns of its maps are."""
        some = self.readings[site.looks]
        return some[min(part, len(some) - 1)]

    @property
    def heads(self) -> tuple[HeadKey, ...]:
        """All heads in order."""
        return tuple((site.name, head) for site in self.sites for head in range(site.heads))

    @property
    def takes_words(self) -> bool:
        """Whether the model writes."""
        return self.kind in ("causal", "encoder-decoder")


@dataclass(frozen=True, eq=False)
class Strip:
    """Thumbnails [n, h, w] float16 of heads of one site from `first` on, NaN where masked."""

    key: str
    site: str
    first: int
    maps: NDArray[np.float16]
    exact: bool


@dataclass(frozen=True, eq=False)
class HeadStatistics:
    """Of every head: statistic -> head -> value."""

    key: str
    values: Mapping[str, Mapping[HeadKey, float]]


@dataclass(frozen=True, eq=False)
class Read:
    """The end of a reading: everything that was streamed, once more."""

    overview: Overview
    strips: tuple[Strip, ...]
    statistics: HeadStatistics


@dataclass(frozen=True, eq=False)
class Level:
    """One level of a pyramid: every cell is the largest of factor x factor cells of the map."""

    factor: int
    values: Array


@dataclass(frozen=True, eq=False)
class HeadMap:
    """One head's map. levels: from the finest; its factor is 1 up to 2,048 tokens. shape: rows and columns of the map."""

    key: str
    head: HeadKey
    part: int
    shape: tuple[int, int]
    levels: tuple[Level, ...]
    limit: float = 1.0
    """Largest value that is possible: 1 for weights, 0 where there is none."""


@dataclass(frozen=True, eq=False)
class Patch:
    """A rectangle of a map exactly, where the finest level is coarser than that."""

    key: str
    head: HeadKey
    part: int
    rows: range
    columns: range
    values: Array


@dataclass(frozen=True, eq=False)
class Lines:
    """One row and one column of a map exactly; -1 and None where not asked for."""

    key: str
    head: HeadKey
    row: int
    column: int
    along_row: Array | None
    along_column: Array | None


@dataclass(frozen=True, eq=False)
class Side:
    """One of the maps side by side; without a map, `why` says so."""

    name: str
    title: str
    told: str
    map: Array | None = None
    why: str = ""


@dataclass(frozen=True, eq=False)
class Sides:
    """Raw, rollout, relevancy and norm-weighted of one head's place."""

    key: str
    head: HeadKey
    part: int
    sides: tuple[Side, ...]


@dataclass(frozen=True, eq=False)
class ChangeRow:
    """One answer before and after."""

    text: str
    before: float
    after: float


@dataclass(frozen=True, eq=False)
class EffectRow:
    """What heads that are off do to one answer; kl in nats."""

    about: str
    kl: float
    flipped: bool
    changes: tuple[ChangeRow, ...]


@dataclass(frozen=True, eq=False)
class Effects:
    """Of a set of heads on every answer; texts: what is written with all heads, and without these."""

    key: str
    off: frozenset[HeadKey]
    rows: tuple[EffectRow, ...]
    texts: tuple[str, str] | None = None
    differs: int | None = None


@dataclass(frozen=True, eq=False)
class HeadEffects:
    """KL of the answer without each head by itself, in nats."""

    key: str
    values: Mapping[HeadKey, float]


@dataclass(frozen=True, eq=False)
class LensRow:
    """What one layer would answer; layer "0" are the embeddings."""

    layer: str
    best: tuple[Guess, ...]


@dataclass(frozen=True, eq=False)
class LensRows:
    """The logit lens of one answer; difference: of the last layer to the model's own answer, in logits."""

    key: str
    about: str
    rows: tuple[LensRow, ...]
    difference: float


@dataclass(frozen=True, eq=False)
class WrittenToken:
    """One token that was written, with what it was picked from."""

    number: int
    text: str
    probability: float
    best: tuple[Guess, ...]
    lens: tuple[LensRow, ...]
    read: int
    cache_bytes: int
    cache_formula: int
    seconds: float
    ends: bool


@dataclass(frozen=True, eq=False)
class Written:
    """All of them, and the reading they make."""

    read: Read
    tokens: tuple[WrittenToken, ...]
    full: bool


@dataclass(frozen=True, eq=False)
class PairProducts:
    """q·k of one pair, dimension by dimension; letters as in `studio.ml.attention.neuron.Pair`."""

    key: str
    head: HeadKey
    row: int
    column: int
    query: Array
    keys: Array
    products: Array
    scale: float
    bias: float
    score: float
    weight: float


@dataclass(frozen=True, eq=False)
class Opened:
    """A folder that can be opened."""

    place: str
    title: str
    takes: tuple[str, ...]
    kind: str


@dataclass(frozen=True, eq=False)
class Saved:
    """A named set of heads that are off."""

    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
