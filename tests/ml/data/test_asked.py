"""Every caption the language can form reads back as the scene it was made from."""

from __future__ import annotations

import numpy as np
import pytest

from studio.ml.data import captions, scenes
from studio.ml.data.asked import asked_for

VOCABULARY = scenes.Vocabulary()


@pytest.mark.parametrize("kind", ["single", "count", "pair", "relation", "trio"])
def test_captions_read_back(kind: scenes.Kind) -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        scene = scenes.draw(rng, VOCABULARY, kind=kind, held=None)
        for text in (captions.plain_caption(scene), captions.caption(scene, rng)):
            asked = asked_for(text, VOCABULARY)
            assert asked is not None, text
            assert [p.noun for p in asked.objects] == [p.noun for p in scene.objects], text
            assert (asked.kind, asked.relation, asked.size) == (scene.kind, scene.relation, scene.size), text
            assert asked.background == scene.background or ("background" not in text and " on " not in text), text


@pytest.mark.parametrize(
    ("text", "nouns", "background"),
    [
        ("A CAR over an apple, pink background!", ["automobile", "red apple"], "pink"),
        ("two burgers", ["hamburger", "hamburger"], ""),
        ("a huge tree on grey", ["evergreen tree"], "gray"),
        ("a red apple", ["red apple"], ""),
    ],
)
def test_aliases_and_missing_backgrounds(text: str, nouns: list[str], background: str) -> None:
    asked = asked_for(text, VOCABULARY)
    assert asked is not None and [p.noun for p in asked.objects] == nouns and asked.background == background


@pytest.mark.parametrize("text", ["", "   ", "a dragon on a blue background", "catapult"])
def test_nothing_known_is_nothing_asked(text: str) -> None:
    assert asked_for(text, VOCABULARY) is None
