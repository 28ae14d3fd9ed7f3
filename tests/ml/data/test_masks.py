"""Inpainting masks: every shape is what its name says, and the mix is the stated one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.ml.data import masks, scenes

VOCABULARY = scenes.Vocabulary.of_size(8, 3)


def shown(seed: int) -> tuple[np.random.Generator, scenes.Placed]:
    rng = np.random.default_rng(seed)
    return rng, scenes.draw(rng, VOCABULARY).objects[0]


@given(st.integers(0, 2**32), st.sampled_from(list(masks.SHAPES)), st.sampled_from([16, 32, 64]))
def test_every_mask_is_a_picture_of_true_and_false_with_something_unknown(seed, shape, pixels):
    rng, placed = shown(seed)
    keep = masks.draw(rng, shape, pixels, placed)
    assert keep.shape == (pixels, pixels) and keep.dtype == np.bool_
    assert keep.all() == (shape == "nothing")
    assert keep.any() or shape in ("everything", "object", "strokes")


@given(st.integers(0, 2**32))
def test_an_object_that_is_taken_out_leaves_no_pixel_behind(seed):
    rng = np.random.default_rng(seed)
    scene = scenes.draw(rng, VOCABULARY, kind="relation")
    removed, other = scene.objects
    without = scenes.Scene("single", (other,), scene.background, tint=scene.tint)
    changed = (scenes.render(scene, 32) != scenes.render(without, 32)).any(axis=2)
    assert not (changed & masks.without_object(removed, 32, margin=1 / 32)).any()


def test_the_hole_is_the_box_with_its_margin():
    keep = masks.without_object(scenes.Placed("cat", 0.5, 0.25, 0.25), 32, margin=0.125)
    rows, columns = np.nonzero(~keep)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (0, 16, 8, 24)
    assert (~keep).sum() == 16 * 16


@pytest.mark.parametrize("shape", ["rectangle", "half plane"])
def test_straight_shapes_are_convex(shape):
    rng, placed = shown(5)
    for _ in range(20):
        keep = masks.draw(rng, shape, 32, placed)
        unknown = [np.flatnonzero(~row) for row in keep]
        assert all(len(row) == row[-1] - row[0] + 1 for row in unknown if len(row))


def test_shapes_come_as_often_as_stated():
    rng = np.random.default_rng(0)
    counts = Counter(masks.draw_shape(rng) for _ in range(4000))
    total = sum(masks.SHAPES.values())
    for shape, share in masks.SHAPES.items():
        p = share / total
        assert abs(counts[shape] / 4000 - p) < 4 * np.sqrt(p * (1 - p) / 4000)
