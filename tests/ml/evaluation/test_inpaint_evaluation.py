"""The measure of inpainting, on painters whose marks are known beforehand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from studio.ml.data import scenes
from studio.ml.diffusion.inpainting import load_inpainter
from studio.ml.diffusion.sampling import Sampling
from studio.ml.evaluation.command import main
from studio.ml.evaluation.inpaint import RING, Case, cases, fill, seam_error
from studio.ml.evaluation.oracle import Reading, Seen, load_oracle
from studio.resources import resource


@pytest.fixture(scope="module")
def oracle():
    return load_oracle(resource("models", "emoji-oracle"))


@pytest.fixture(scope="module")
def asked(oracle):
    return cases(scenes.Vocabulary(oracle.config.nouns, oracle.config.backgrounds), 32, 30)


class Painter:
    """Stands in for an inpainting model; `paint` makes the batch's last x of the picture and the mask."""

    image_size = 32

    def __init__(self, paint):
        self.paint = paint

    def sample(self, image, mask, prompts, seeds, **settings):
        assert len(prompts) == len(seeds) == len(image) == len(mask)
        yield SimpleNamespace(x=self.paint(image, mask))


def marks(oracle, asked, paint):
    return fill(Painter(paint), oracle, asked, "trained", 3.0, Sampling())


def test_the_true_picture_gets_full_marks(oracle, asked):
    filled = marks(oracle, asked, lambda image, mask: image)
    assert np.mean(filled.shown) == 1 and all(filled.exact) and filled.seam == pytest.approx([0] * 30, abs=1e-4)


def test_an_empty_hole_shows_nothing_and_has_a_seam(oracle, asked):
    filled = marks(oracle, asked, lambda image, mask: torch.where(mask, image, 0.0))
    assert np.mean(filled.shown) < 0.1 and all(filled.exact) and min(filled.seam) > 5


def test_a_changed_known_pixel_is_noticed(oracle, asked):
    filled = marks(oracle, asked, lambda image, mask: torch.where(mask, image + 1e-6, image))
    assert not any(filled.exact)


def test_the_shipped_model_fills_holes_with_what_is_asked(oracle):
    model = load_inpainter(resource("models", "emoji-inpaint"))
    vocabulary = scenes.Vocabulary(oracle.config.nouns, oracle.config.backgrounds)
    filled = fill(model, oracle, cases(vocabulary, 32, 12), "trained", 2.0, Sampling(steps=10))
    assert np.mean(filled.shown) >= 0.75 and all(filled.exact)


def test_the_command_prints_the_table(capsys):
    assert main(["emoji-inpaint", "--count", "4", "--steps", "2", "--scales", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("| 4 of 4 |") == 1 and printed.count("| 2 of 2 |") == 2  # the model, then two replacements
    assert "| one object, held out | 2 |" in printed


def test_the_seam_is_the_ring_inside_the_edge():
    keep = torch.ones(2, 1, 16, 16, dtype=torch.bool)
    keep[0, :, 4:12, 4:12] = False
    keep[1, :, :, 8:] = False  # reaches the picture's border, which is no edge
    truth = torch.zeros(2, 3, 16, 16)
    middle, ring = truth.clone(), truth.clone()
    middle[0, :, 4 + RING : 12 - RING, 4 + RING : 12 - RING] = 1
    middle[1, :, :, 8 + RING :] = 1
    ring[~keep.expand_as(ring)] = 2 / 255
    assert seam_error(middle, truth, keep).tolist() == [0, 0]
    assert seam_error(ring, truth, keep).tolist() == pytest.approx([1, 1], rel=1e-5)
    assert seam_error(ring, truth, torch.ones_like(keep)).tolist() == [0, 0]


def test_the_object_counts_only_inside_the_hole():
    keep = np.ones((32, 32), dtype=bool)
    keep[:16] = False
    case = Case(scenes.Scene("single", (placed := scenes.Placed("cat", 0.5, 0.25, 0.3),), "blue"), placed, keep)

    def seen(noun, y):
        return Reading((Seen(noun, 0.5, y, 0.3, 0.9),), "blue")

    assert case.shown(seen("cat", 0.25)) and not case.shown(seen("cat", 0.75)) and not case.shown(seen("dog", 0.25))
    assert case.prompt == "a cat on a blue background"


def test_cases_are_the_same_every_time_and_take_turns(oracle, asked):
    again = cases(scenes.Vocabulary(oracle.config.nouns, oracle.config.backgrounds), 32, 6)
    assert [case.scene for case in again] == [case.scene for case in asked[:6]]
    assert [case.scene.kind for case in again] == ["single", "relation"] * 3
    assert all(np.array_equal(a.keep, b.keep) for a, b in zip(again, asked, strict=False))
