"""Emoji scenes: names, geometry, held-out combinations, captions."""

from __future__ import annotations

import re

import emoji
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.ml.data import captions, scenes, sprites
from studio.ml.data.nouns import BACKGROUNDS, NOUNS
from studio.ml.diffusion.words import WordTokenizer

VOCABULARY = scenes.Vocabulary()
seeds = st.integers(0, 2**32 - 1)


def test_nouns_are_the_cldr_short_names():
    assert len(NOUNS) >= 48
    for noun, character in NOUNS.items():
        names = {emoji.demojize(form, language="en").strip(":") for form in (character, character + "\N{VARIATION SELECTOR-16}")}
        assert noun.replace(" ", "_") in names


def test_every_sprite_shows_something_and_no_two_are_alike():
    stamps = {noun: sprites.sprite(noun, 24) for noun in NOUNS}
    assert all(stamp[..., 3].mean() > 0.15 for stamp in stamps.values())
    flat = np.stack([stamp.ravel() for stamp in stamps.values()])
    distance = np.linalg.norm(flat[:, None] - flat[None], axis=-1) + 1e9 * np.eye(len(flat))
    assert distance.min() > 500


@settings(deadline=None)
@given(seeds)
def test_objects_stay_inside_and_apart(seed):
    scene = scenes.draw(np.random.default_rng(seed), VOCABULARY)
    for placed in scene.objects:
        assert placed.side / 2 - 1e-9 <= placed.x <= 1 - placed.side / 2 + 1e-9
        assert placed.side / 2 - 1e-9 <= placed.y <= 1 - placed.side / 2 + 1e-9
    for i, a in enumerate(scene.objects):
        for b in scene.objects[i + 1 :]:
            assert max(abs(a.x - b.x), abs(a.y - b.y)) >= (a.side + b.side) / 2 - 1e-9


@settings(deadline=None)
@given(seeds)
def test_relations_hold_in_the_picture(seed):
    scene = scenes.draw(np.random.default_rng(seed), VOCABULARY, kind="relation")
    a, b = scene.objects
    dx, dy = b.x - a.x, b.y - a.y
    expected = {"left of": dx, "right of": -dx, "above": dy, "below": -dy}[scene.relation]
    assert expected == max(abs(dx), abs(dy))


def test_a_tenth_is_held_out_and_training_never_draws_it():
    pairs = [scenes._held_out(noun, colour) for noun in NOUNS for colour in BACKGROUNDS]
    assert 0.05 < np.mean(pairs) < 0.15
    rng = np.random.default_rng(0)
    assert not any(scenes.held_out(scenes.draw(rng, VOCABULARY)) for _ in range(500))
    assert all(scenes.held_out(scenes.draw(rng, VOCABULARY, kind=kind, held=True)) for kind in ("single", "relation") for _ in range(50))


def test_both_wordings_of_a_relation_are_held_out_together():
    rng = np.random.default_rng(0)
    opposite = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
    for _ in range(200):
        scene = scenes.draw(rng, VOCABULARY, kind="relation", held=None)
        turned = scenes.Scene(scene.kind, scene.objects[::-1], scene.background, relation=opposite[scene.relation])
        assert scenes.held_out(scene) == scenes.held_out(turned)


def test_the_same_seed_draws_the_same_picture_and_caption():
    def once():
        rng = np.random.default_rng(5)
        scene = scenes.draw(rng, VOCABULARY)
        return scenes.render(scene, 32), captions.caption(scene, rng)

    (first, text), (second, again) = once(), once()
    assert text == again and np.array_equal(first, second)


def test_render_places_the_sprite_on_the_background():
    placed = scenes.Placed("cat", 0.75, 0.25, 0.4)
    picture = scenes.render(scenes.Scene("single", (placed,), "blue"), 64)
    changed = (picture != BACKGROUNDS["blue"]).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert abs(columns.mean() / 64 - 0.75) < 0.06 and abs(rows.mean() / 64 - 0.25) < 0.06
    assert not changed[32:].any()


@settings(deadline=None)
@given(seeds)
def test_captions_use_only_listed_words_and_fit_the_context(seed):
    rng = np.random.default_rng(seed)
    scene = scenes.draw(rng, VOCABULARY)
    text = captions.caption(scene, rng)
    assert set(re.findall(r"[a-z]+", text)) <= set(captions.words(VOCABULARY))
    assert len(text.split()) <= 24
    for placed in scene.objects:
        assert placed.noun.split()[0][:4] in text


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("A Car, on a GREY background!", "a automobile on a gray background"),
        ("an apple and a red apple", "an red apple and a red apple"),
        ("two cars", "two automobiles"),
        ("a big tree", "a large evergreen tree"),
    ],
)
def test_aliases_are_read_as_what_they_stand_for(typed, meant):
    tokenizer = WordTokenizer(captions.words(VOCABULARY), captions.phrases(VOCABULARY))
    assert tokenizer.encode(typed, 24) == tokenizer.encode(meant, 24)
    assert tokenizer.unknown(typed) == []


def test_unknown_words_are_named_once_and_left_out():
    tokenizer = WordTokenizer(["a", "cat"])
    assert tokenizer.unknown("a zebra, a CAT and a zebra") == ["zebra", "and"]
    assert tokenizer.encode("a zebra cat", 4) == ([1, 2, 0, 0], [True, True, False, False])
    assert tokenizer.overflow("a a a a cat", 3) == 2


@settings(deadline=None, max_examples=40)
@given(seeds)
def test_on_the_grid_a_scene_renders_the_same_small_and_averages_down_to_it(seed):
    scene = scenes.draw(np.random.default_rng(seed), VOCABULARY)
    snapped = scenes.on_grid(scene, 32)
    small = scenes.render(scene, 32)
    assert np.array_equal(small, scenes.render(snapped, 32))
    assert scenes.on_grid(snapped, 32) == snapped
    averaged = scenes.render(snapped, 128).reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    assert np.abs(averaged - small).mean() < 4  # of 255; the sprites are resized once to 4k and once to k pixels


def test_an_object_alone_is_named_alone():
    cat, dog = scenes.Placed("cat", 0.2, 0.5, 0.3), scenes.Placed("dog", 0.8, 0.5, 0.3)
    scene = scenes.Scene("relation", (cat, dog), "blue", relation="left of", tint=(1, 2, 3))
    assert scenes.alone(dog, scene) == scenes.Scene("single", (dog,), "blue", tint=(1, 2, 3))
    single = scenes.Scene("single", (cat,), "blue", size="small")
    assert scenes.alone(cat, single) == single
