"""Who meets whom: pairs of pictures of two contestants, drawn at random, those with the fewest votes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from studio_plugins.vote.entries import Entry, fields, values
from studio_plugins.vote.request import VoteRequest
from studio_plugins.vote.votes import Side, Vote

_TRIES = 40
Group = dict[str, list[Entry]]
"""Pictures that may meet, by contestant."""


@dataclass(frozen=True)
class Pair:
    """Two pictures as they are shown."""

    left: Entry
    right: Entry
    field: str

    def side(self, entry: Entry) -> Side:
        """What a vote keeps of a picture."""
        return Side(contestant=entry.settings[self.field], record=entry.record, file=entry.file)


class Contest:
    """The pictures of a request, grouped so that only comparable ones meet."""

    def __init__(self, request: VoteRequest, entries: Sequence[Entry]) -> None:
        self.request = request
        words = request.query.casefold().split()
        taking = [
            entry
            for entry in entries
            if request.field in entry.settings and all(word in entry.prompt.casefold() for word in words)
        ]
        self.pictures = values(taking, request.field)
        """Every contestant there could be, and its number of pictures."""
        chosen = set(request.contestants) or set(self.pictures)
        self.contestants = tuple(name for name in self.pictures if name in chosen)
        self.groups = self._grouped([e for e in taking if e.settings[request.field] in chosen])
        self.also = self._also()
        """Other settings in which pictures differ that can meet: they are judged along."""

    def _grouped(self, entries: Sequence[Entry]) -> list[Group]:
        groups: dict[tuple[object, ...], Group] = {}
        for entry in entries:
            key = {"seed": (entry.prompt, entry.seed), "prompt": (entry.prompt,), "any": ()}[self.request.match]
            groups.setdefault(key, {}).setdefault(entry.settings[self.request.field], []).append(entry)
        return [group for group in groups.values() if len(group) > 1]

    def _also(self) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for group in self.groups:
            found |= dict.fromkeys(fields([entry for pictures in group.values() for entry in pictures]))
        return tuple(name for name in found if name != self.request.field)

    def counts(self, vote: Vote) -> bool:
        """Whether a vote belongs to this contest: the same question and setting, both contestants taking part."""
        return (
            vote.question == self.request.question
            and vote.field == self.request.field
            and {vote.left.contestant, vote.right.contestant} <= set(self.contestants)
        )

    @property
    def pairs(self) -> int:
        """How many pairs of pictures there are."""
        return sum(len(group[a]) * len(group[b]) for group in self.groups for a, b in combinations(group, 2))

    def judged(self, votes: Sequence[Vote]) -> set[frozenset[tuple[str, str]]]:
        """The pairs of pictures that were voted on."""
        return {frozenset((vote.left.key, vote.right.key)) for vote in votes if self.counts(vote)}

    def left_over(self, votes: Sequence[Vote]) -> int:
        """How many pairs have not been judged."""
        here = {entry.key for group in self.groups for entries in group.values() for entry in entries}
        return max(0, self.pairs - sum(pair <= here for pair in self.judged(votes)))

    def next(self, votes: Sequence[Vote], turn: int) -> Pair | None:
        """A pair not judged yet, of the two contestants that met least; None when all were. `turn` keys the chance."""
        rng = np.random.default_rng((0, turn))
        met = Counter(frozenset((v.left.contestant, v.right.contestant)) for v in votes if self.counts(v))
        meetings = [tuple(pair) for pair in combinations(self.contestants, 2)]
        rng.shuffle(meetings)
        judged = self.judged(votes)
        for a, b in sorted(meetings, key=lambda pair: met[frozenset(pair)]):
            found = self._draw(a, b, judged, rng)
            if found is not None:
                left, right = found if rng.random() < 0.5 else found[::-1]
                return Pair(left, right, self.request.field)
        return None

    def _draw(
        self, a: str, b: str, judged: set[frozenset[tuple[str, str]]], rng: np.random.Generator
    ) -> tuple[Entry, Entry] | None:
        """A pair of a picture of `a` and one of `b`, every one as likely; None when all were judged."""
        sizes = np.array([len(group.get(a, ())) * len(group.get(b, ())) for group in self.groups], dtype=float)
        if not sizes.sum():
            return None
        for _ in range(_TRIES):
            group = self.groups[rng.choice(len(sizes), p=sizes / sizes.sum())]
            pair = group[a][rng.integers(len(group[a]))], group[b][rng.integers(len(group[b]))]
            if frozenset((pair[0].key, pair[1].key)) not in judged:
                return pair
        left = [pair for pair in self._all(a, b) if frozenset((pair[0].key, pair[1].key)) not in judged]
        return left[rng.integers(len(left))] if left else None

    def _all(self, a: str, b: str) -> Iterator[tuple[Entry, Entry]]:
        for group in self.groups:
            for first in group.get(a, ()):
                for second in group.get(b, ()):
                    yield first, second
