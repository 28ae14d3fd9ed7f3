"""Captions told from the other side: checked by a reader of its own that knows nothing of how they are made."""

from __future__ import annotations

import re

import numpy as np
import pytest

from studio.ml.data.scenes import Kind, Vocabulary, draw, held_out
from studio.ml.language.other_side import both_sides, told_twice, words
from studio.ml.language.tokenizer import TextTokenizer

VOCABULARY = Vocabulary.of_size(32, 8)
TURNED = {
    "to the left of": "to the right of", "to the right of": "to the left of", "left of": "right of",
    "right of": "left of", "above": "below", "below": "above", "over": "under", "under": "over",
}  # fmt: skip
_RELATION = re.compile(f"(.+?) ({'|'.join(TURNED)}) (.+)")


def turned_around(sentence: str) -> str:
    """A sentence as people would turn it around: background first, then the things the other way round."""
    for pattern, order in (
        (r"(a picture of )(.+) (on \w+)", "{2}, {0}{1}"),
        (r"()(.+) (on a \w+ background)", "{2}, {0}{1}"),
        (r"()(.+), (\w+ background)", "{2}, {0}{1}"),
    ):
        found = re.fullmatch(pattern, sentence)
        if found:
            things = found[2]
            related = _RELATION.fullmatch(things)
            if related:
                things = f"{related[3]} {TURNED[related[2]]} {related[1]}"
            else:
                *rest, last = re.split(r", | and ", things)[::-1]
                things = f"{', '.join(rest)} and {last}" if rest else last
            return order.format(found[1], things, found[3])
    raise AssertionError(sentence)


def test_every_sentence_is_turned_around_and_so_is_their_order() -> None:
    for i in range(400):
        here, there = told_twice(np.random.default_rng((3, i)), VOCABULARY, held=None)
        sentences = here.removesuffix(".").split(". ")
        assert there == ". ".join(map(turned_around, reversed(sentences))) + "."


def test_the_example_of_the_docstring() -> None:
    rng, found = np.random.default_rng(0), set[tuple[str, str]]()
    scene = draw(rng, Vocabulary(("cat", "red apple"), ("blue",)), kind="relation", held=None)
    for _ in range(40):
        found.add(both_sides([scene], rng))
    a, b = (placed.noun for placed in scene.objects)
    assert len(found) == 6  # three openings, two ways to say the relation
    assert any(here.startswith(f"a {a} ") and there.startswith("on a blue background, ") and there.endswith(f" {b}.")
               or there.endswith(f" {a}.") for here, there in found)  # fmt: skip


@pytest.mark.parametrize("kind", ["single", "relation"])
def test_held_out_combinations_are_asked_for(kind: Kind) -> None:
    scenes = [draw(np.random.default_rng(i), VOCABULARY, kind=kind, held=True) for i in range(5)]
    assert all(map(held_out, scenes))
    seen = {told_twice(np.random.default_rng(i), VOCABULARY)[0] for i in range(50)}
    assert not seen & {told_twice(np.random.default_rng(i), VOCABULARY, held=True)[0] for i in range(50)}


def test_its_words_are_known_and_fit() -> None:
    tokenizer = TextTokenizer(words(VOCABULARY))
    for i in range(300):
        for text in told_twice(np.random.default_rng(i), VOCABULARY):
            found = tokenizer.encode(text, end=True)
            assert not found.unknown and tokenizer.decode(found.ids) == text and len(found) <= 48
