"""Captions and what they become told from the other side: the same scene, named in the opposite order.

"a cat left of a red apple on a blue background." becomes "on a blue background, a red apple right of a cat." To write
that, a model must look across at a word of the caption for each word it writes, and mostly backwards.
"""

from __future__ import annotations

import numpy as np

from studio.ml.data import captions
from studio.ml.data.nouns import article
from studio.ml.data.scenes import Scene, Vocabulary, draw

TWO = 0.5
"""Share of the texts that tell two scenes; then the second comes first."""
_OPENINGS = (
    ("{what} on a {colour} background", "on a {colour} background, {what}"),
    ("a picture of {what} on {colour}", "on {colour}, a picture of {what}"),
    ("{what}, {colour} background", "{colour} background, {what}"),
)
_INVERSES = {
    "left of": (("left of", "right of"), ("to the left of", "to the right of")),
    "right of": (("right of", "left of"), ("to the right of", "to the left of")),
    "above": (("above", "below"), ("over", "under")),
    "below": (("below", "above"), ("under", "over")),
}


def told_twice(rng: np.random.Generator, vocabulary: Vocabulary, *, held: bool | None = False) -> tuple[str, str]:
    """A random text and the same from the other side. `held` as for `scenes.draw`."""
    scenes = [draw(rng, vocabulary, held=held) for _ in range(2 if rng.random() < TWO else 1)]
    return both_sides(scenes, rng)


def both_sides(scenes: list[Scene], rng: np.random.Generator) -> tuple[str, str]:
    """One of the ways to tell the scenes, and the same from the other side."""
    told = [_sentences(scene, rng) for scene in scenes]
    return " ".join(here for here, _ in told), " ".join(there for _, there in reversed(told))


def words(vocabulary: Vocabulary) -> list[str]:
    """Every word and mark of both sides over this vocabulary, in a fixed order."""
    return [".", ",", *captions.words(vocabulary)]


def _sentences(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    here, there = _OPENINGS[rng.integers(len(_OPENINGS))]
    first, second = _objects(scene, rng)
    return (
        here.format(what=first, colour=scene.background) + ".",
        there.format(what=second, colour=scene.background) + ".",
    )


def _objects(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    nouns = [article(placed.noun) for placed in scene.objects]
    if scene.kind in ("single", "count"):
        alike = captions.describe(scene, rng)
        return alike, alike
    if scene.relation is not None:
        ways = _INVERSES[scene.relation]
        word, inverse = ways[rng.integers(len(ways))]
        return f"{nouns[0]} {word} {nouns[1]}", f"{nouns[1]} {inverse} {nouns[0]}"
    return _listed(nouns), _listed(nouns[::-1])


def _listed(nouns: list[str]) -> str:
    return f"{', '.join(nouns[:-1])} and {nouns[-1]}"
