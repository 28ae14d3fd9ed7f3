"""Scenes in words: several phrasings of each, and the list of words they use."""

from __future__ import annotations

import re

import numpy as np

from studio.ml.data.nouns import ALIASES, article, plural
from studio.ml.data.scenes import Scene, Vocabulary

_NUMBERS = {2: "two", 3: "three"}
_RELATION_WORDS = {
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
_FRAMES = ("{what} on a {colour} background", "{what}, {colour} background", "a picture of {what} on {colour}")
_BARE = ("{what}", "a picture of {what}")
BARE_SHARE = 0.1
"""How often a caption leaves the background unsaid."""


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """One of the ways to describe the scene."""
    what = describe(scene, rng)
    if rng.random() < BARE_SHARE:
        return _BARE[rng.integers(len(_BARE))].format(what=what)
    return _FRAMES[rng.integers(len(_FRAMES))].format(what=what, colour=scene.background)


def plain_caption(scene: Scene) -> str:
    """The canonical description, used for evaluation prompts: "a cat left of a dog on a blue background"."""
    return _FRAMES[0].format(what=describe(scene, None), colour=scene.background)


def describe(scene: Scene, rng: np.random.Generator | None) -> str:
    """The objects in words, without the background; `rng` picks among phrasings, None takes the first."""
    nouns = [placed.noun for placed in scene.objects]
    if scene.kind == "single":
        return article(f"{scene.size} {nouns[0]}".strip())
    if scene.kind == "count":
        return f"{_NUMBERS[len(nouns)]} {plural(nouns[0])}"
    if scene.relation is not None:
        words = _RELATION_WORDS[scene.relation]
        word = words[0] if rng is None else words[rng.integers(len(words))]
        return f"{article(nouns[0])} {word} {article(nouns[1])}"
    *rest, last = [article(noun) for noun in nouns]
    return f"{', '.join(rest)} and {last}"


def words(vocabulary: Vocabulary) -> list[str]:
    """Every word a caption over this vocabulary can contain, in a fixed order."""
    texts = ["a an two three small large picture of on background and to the left right above over below under"]
    texts += [f"{noun} {plural(noun)}" for noun in vocabulary.nouns]
    texts += list(vocabulary.backgrounds)
    return list(dict.fromkeys(re.findall(r"[a-z]+", " ".join(texts))))


def phrases(vocabulary: Vocabulary) -> dict[str, str]:
    """Phrases a reader of prompts should know: each noun and its plural as itself, each alias as what it stands for."""
    known = set(words(vocabulary))
    table = {noun: noun for noun in vocabulary.nouns}
    table |= {plural(noun): plural(noun) for noun in vocabulary.nouns}
    taken = {*table, *vocabulary.backgrounds}
    for alias, meaning in ALIASES.items():
        if set(meaning.split()) <= known and alias not in taken:
            table[alias] = meaning
            if meaning in vocabulary.nouns:
                table[plural(alias)] = plural(meaning)
    return table
