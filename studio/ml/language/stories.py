"""Short stories about emoji scenes, each with its probability: what a small language model can learn, and no more.

A story tells one or two scenes, then facts about each that follow from it, then perhaps tells them again; or it lists
things, or words without any sense, and then perhaps the same again. So the next word often depends on one far back.
Every random choice is counted: each text comes about in one way only, so its probability is known, and with it the
least loss a model can have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

from studio.ml.data import captions
from studio.ml.data.nouns import article, plural
from studio.ml.data.scenes import RELATIONS, Kind, Placed, Relation, Scene, Vocabulary, draw, held_out

T = TypeVar("T")

LISTS, NONSENSE = 0.25, 0.2
"""Shares of the stories that list things, and of those that say words without sense; the others tell scenes."""
LENGTHS = (3, 4, 5, 6, 7, 8)
WORD_COUNTS = tuple(range(4, 13))
LIST_AGAIN, STORY_AGAIN = 0.8, 0.5
MOST_FACTS = 3
_OPENINGS = ("{what} on a {colour} background", "a picture of {what} on {colour}")
INVERSE: dict[Relation, Relation] = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
_SIZES = {"": 0.5, "small": 0.25, "large": 0.25}
_OWN_WORDS = ". , : ? first then again i see the is are what all there say"


@dataclass(frozen=True)
class Story:
    """A text and ln of its probability."""

    text: str
    log_probability: float


class Choices:
    """Random choices, and ln of the probability that they all came out so."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.log_probability = rng, 0.0

    def among(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely."""
        self.log_probability -= math.log(len(options))
        return options[int(self.rng.integers(len(options)))]

    def happens(self, probability: float) -> bool:
        yes = bool(self.rng.random() < probability)
        self.log_probability += math.log(probability if yes else 1 - probability)
        return yes

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """`count` of the options in an order."""
        left, taken = list(options), list[T]()
        for _ in range(count):
            taken.append(self.among(left))
            left.remove(taken[-1])
        return taken


def story(rng: np.random.Generator, vocabulary: Vocabulary, *, held: bool = False) -> Story:
    """A random story; every scene in it is one that training may see, or, with `held`, a held-out one."""
    choices = Choices(rng)
    if choices.happens(LISTS):
        text = _list(choices, vocabulary)
    elif choices.happens(NONSENSE / (1 - LISTS)):
        text = _nonsense(choices, vocabulary)
    else:
        text = _scenes(choices, vocabulary, held)
    return Story(text, choices.log_probability)


def words(vocabulary: Vocabulary) -> list[str]:
    """Every word and mark a story over this vocabulary can contain, in a fixed order."""
    return list(dict.fromkeys([*_OWN_WORDS.split(), *captions.words(vocabulary)]))


def plain_words(vocabulary: Vocabulary) -> list[str]:
    """The words of captions that stand for themselves: not "apple", which people type for "red apple"."""
    phrases = captions.phrases(vocabulary)
    return [word for word in captions.words(vocabulary) if phrases.get(word, word) == word]


def _list(choices: Choices, vocabulary: Vocabulary) -> str:
    things = ", ".join(article(choices.among(vocabulary.nouns)) for _ in range(choices.among(LENGTHS)))
    return f"i see {things}." + (f" again: {things}." if choices.happens(LIST_AGAIN) else "")


def _nonsense(choices: Choices, vocabulary: Vocabulary) -> str:
    """Only looking back helps to say these words again: nothing else tells what follows which."""
    known = plain_words(vocabulary)
    said = " ".join(choices.among(known) for _ in range(choices.among(WORD_COUNTS)))
    return f"say {said}." + (f" again: {said}." if choices.happens(LIST_AGAIN) else "")


def _scenes(choices: Choices, vocabulary: Vocabulary, held: bool) -> str:
    told, parts = [], []
    two = choices.happens(0.5)
    for lead in ("first, ", "then, ") if two else ("",):
        scene = _drawn(choices, vocabulary, held)
        what = captions.describe(scene, choices.rng)
        if scene.relation is not None:
            choices.log_probability -= math.log(2)  # `describe` chose between two ways to say it
        told.append(choices.among(_OPENINGS).format(what=what, colour=scene.background))
        facts = _facts(scene)
        chosen = choices.some(facts, choices.among(range(1, min(MOST_FACTS, len(facts)) + 1)))
        parts.append(f"{lead}{told[-1]}. " + " ".join(chosen))
    if choices.happens(STORY_AGAIN):
        parts.append(f"again: {', then '.join(told)}.")
    return " ".join(parts)


def _drawn(choices: Choices, vocabulary: Vocabulary, held: bool) -> Scene:
    """A random scene, the probability of what is said of it counted."""
    nouns, backgrounds = len(vocabulary.nouns), len(vocabulary.backgrounds)
    total = sum(vocabulary.mix.values())
    free = _free(vocabulary.nouns, vocabulary.backgrounds)
    kinds = {kind: share / total for kind, share in vocabulary.mix.items()}
    allowed = {kind: 1 - free.get(kind, 1.0) if held else free.get(kind, 1.0) for kind in kinds}
    scene = draw(choices.rng, vocabulary, held=held)
    ways = {
        "single": nouns / _SIZES[scene.size],
        "count": nouns * 2,
        "pair": nouns * (nouns - 1),
        "relation": nouns * (nouns - 1) * len(RELATIONS),
        "trio": nouns * (nouns - 1) * (nouns - 2),
    }[scene.kind]
    likely = kinds[scene.kind] / sum(kinds[kind] * allowed[kind] for kind in kinds)
    choices.log_probability += math.log(likely) - math.log(ways * backgrounds)
    return scene


@lru_cache(maxsize=8)
def _free(nouns: tuple[str, ...], backgrounds: tuple[str, ...]) -> dict[Kind, float]:
    """Share of the combinations of a kind that is not held out, for the kinds that hold any out."""
    single = [Scene("single", (_at(noun),), colour) for noun in nouns for colour in backgrounds]
    pairs = [(a, relation, b) for a in nouns for relation in RELATIONS for b in nouns if a != b]
    related = [Scene("relation", (_at(a), _at(b)), "", relation=relation) for a, relation, b in pairs]
    kinds: dict[Kind, list[Scene]] = {"single": single, "relation": related}
    return {kind: 1 - float(np.mean([held_out(scene) for scene in all_of_it])) for kind, all_of_it in kinds.items()}


def _at(noun: str) -> Placed:
    return Placed(noun, 0.5, 0.5, 0.5)


def _facts(scene: Scene) -> list[str]:
    """Sentences that follow from the scene, all different."""
    nouns = [placed.noun for placed in scene.objects]
    facts = []
    if scene.relation is not None:
        here, there = nouns
        facts += [
            f"the {here} is {scene.relation} the {there}.",
            f"the {there} is {INVERSE[scene.relation]} the {here}.",
            f"what is {scene.relation} the {there}? the {here}.",
        ]
    elif scene.kind == "count":
        facts.append(f"all are {plural(nouns[0])}.")
    elif scene.kind == "single":
        facts += [f"the {nouns[0]} is {scene.size}."] if scene.size else []
    else:
        facts += [f"there is {article(noun)}." for noun in nouns]
    return [*facts, f"the background is {scene.background}."]
