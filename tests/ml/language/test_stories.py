"""The rules of the stories: what they say of their own probability is true, and what they tell is."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import product

import numpy as np
import pytest

from studio.ml.data import captions
from studio.ml.data.scenes import Placed, Scene, Vocabulary, held_out
from studio.ml.language.stories import INVERSE, LISTS, NONSENSE, Story, story, words
from studio.ml.language.tokenizer import TextTokenizer

SMALL = Vocabulary(("cat", "dog"), ("red", "blue"), {"single": 0.6, "relation": 0.4})
LARGE = Vocabulary.of_size(32, 8)
OTHERS = ("i see", "say")
SCENES = 1 - LISTS - NONSENSE


def many(vocabulary: Vocabulary, count: int, *, held: bool = False) -> list[Story]:
    return [story(np.random.default_rng((5, i)), vocabulary, held=held) for i in range(count)]


def combinations(vocabulary: Vocabulary) -> list[Scene]:
    singles = [
        Scene("single", (Placed(noun, 0.5, 0.5, 0.5),), colour)
        for noun, colour in product(vocabulary.nouns, vocabulary.backgrounds)
    ]
    return [*singles, *(
        Scene("relation", (Placed(a, 0, 0, 1), Placed(b, 0, 0, 1)), "", relation=relation)
        for a, b, relation in product(vocabulary.nouns, vocabulary.nouns, INVERSE) if a != b
    )]  # fmt: skip


def test_a_text_has_one_probability_and_comes_as_often_as_that_says() -> None:
    drawn = many(SMALL, 12_000)
    log_p = {one.text: one.log_probability for one in drawn}
    assert all(one.log_probability == pytest.approx(log_p[one.text]) for one in drawn)
    often = Counter(one.text for one in drawn).most_common(60)
    deviations = [(n - len(drawn) * (p := math.exp(log_p[text]))) / math.sqrt(len(drawn) * p * (1 - p)) for text, n in often]
    # chosen for being frequent, so a little above their expectation; a wrong factor of 1.2 would give 2 and more for most
    assert abs(np.mean(deviations)) < 0.8 and max(map(abs, deviations)) < 4.5


@pytest.mark.parametrize("kind", ["single", "relation", "count", "pair", "trio"])
def test_fresh_stories_are_among_those_seen_as_often_as_the_probabilities_add_up_to(kind: str) -> None:
    vocabulary = Vocabulary(("cat", "dog", "sun"), ("red",), {kind: 1.0})  # type: ignore[dict-item]
    drawn = many(vocabulary, 4000)
    seen = {one.text: one.log_probability for one in drawn[:2000] if not one.text.startswith(OTHERS)}
    expected = sum(map(math.exp, seen.values()))
    assert expected < SCENES
    found = np.mean([one.text in seen for one in drawn[2000:]])
    assert found == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 2000))
    if kind == "single":  # so few ways to tell of one scene that all have come
        every = {one.text: one.log_probability for one in many(vocabulary, 8000)}
        one_scene = sum(math.exp(p) for text, p in every.items() if not text.startswith((*OTHERS, "first")))
        assert one_scene == pytest.approx(SCENES / 2, abs=1e-9)


def test_what_is_held_out_changes_the_probabilities_as_it_should() -> None:
    assert 0 < sum(map(held_out, combinations(LARGE))) < len(combinations(LARGE)) / 5
    vocabulary = Vocabulary(LARGE.nouns[:6], ("red",), {"single": 1.0})
    free = [scene.objects[0].noun for scene in combinations(vocabulary)[:6] if not held_out(scene)]
    held = {noun for noun in vocabulary.nouns if noun not in free}
    assert held, "choose nouns of which one is held out"
    for one in many(vocabulary, 300):
        assert one.text.startswith(OTHERS) or not any(f" {noun} " in one.text for noun in held)
    seen = [one.text for one in many(vocabulary, 300, held=True) if not one.text.startswith(OTHERS)]
    assert seen and all(any(f" {noun} " in text for noun in held) for text in seen)


def test_facts_follow_from_the_scene() -> None:
    checked = 0
    relation = re.compile(r"an? (\w+(?: \w+)?) (?:to the )?(left of|right of|above|over|below|under) an? (\w+(?: \w+)?) on")
    fact = re.compile(r"the ([a-z ]+) is (left of|right of|above|below) the ([a-z ]+)\.")
    short = {"over": "above", "under": "below"}
    for one in many(LARGE, 400):
        told = relation.search(one.text)
        if told is None or one.text.startswith("first"):
            continue
        here, said, there = told.groups()
        said = short.get(said, said)
        for first, word, second in fact.findall(one.text):
            assert (first, word, second) in ((here, said, there), (there, INVERSE[said], here))  # type: ignore[index]
            checked += 1
        asked = re.search(r"what is ([a-z ]+?) the ([a-z ]+)\? the ([a-z ]+)\.", one.text)
        assert asked is None or asked.groups() == (said, there, here)
    assert checked > 15


def test_what_is_told_again_was_told() -> None:
    lists = [one.text for one in many(LARGE, 300) if one.text.startswith(OTHERS) and "again" in one.text]
    assert len(lists) > 60
    for text in lists:
        before, after = text.removeprefix("i see ").removeprefix("say ").split(" again: ")
        assert before == after
    for one in many(LARGE, 300):
        _, again, rest = one.text.partition("again: ")
        if again and not one.text.startswith(OTHERS):
            for part in rest.removesuffix(".").split(", then "):
                assert one.text.count(part) == 2


def test_the_words_are_all_there_and_no_story_is_too_long() -> None:
    tokenizer = TextTokenizer(words(LARGE), captions.phrases(LARGE))
    longest = 0
    for one in many(Vocabulary(LARGE.nouns, LARGE.backgrounds, {"relation": 0.9, "trio": 0.1}), 1500):
        found = tokenizer.encode(one.text, end=True)
        assert not found.unknown and tokenizer.decode(found.ids) == one.text
        longest = max(longest, len(found))
    assert 100 < longest <= 137  # two relations, the longest facts, told again: 137 tokens
