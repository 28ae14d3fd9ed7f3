"""The shipped vision transformers: small, right about fresh pictures, and measured by a command anyone can run."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
import torch
from torch import Tensor

from studio.ml.data import scenes
from studio.ml.evaluation.attending import watched
from studio.ml.evaluation.vision import SETS, Asked, compared, drawn_scenes, named_rightly, report
from studio.ml.vision.vit import VisionModel, load_vit
from studio.resources import resource

VOCABULARY = scenes.Vocabulary.of_size(32, 8)


@pytest.fixture(scope="module", params=["emoji-vit", "emoji-vit-2d"])
def model(request: pytest.FixtureRequest) -> VisionModel:
    return load_vit(resource("models", request.param))


@pytest.mark.parametrize(("asked", "least"), [(Asked(), 0.97), (Asked(held=True), 0.88), (Asked("count"), 0.97)])
def test_it_names_what_it_sees(model: VisionModel, asked: Asked, least: float) -> None:
    assert named_rightly(model, drawn_scenes(VOCABULARY, asked, 200, seed=4711)).mean() >= least


def test_its_class_token_looks_at_the_picture(model: VisionModel) -> None:
    with torch.no_grad(), watched(model.net) as maps:
        model(torch.zeros(1, 3, 32, 32))
    assert len(maps) == 6
    for weights in maps.values():
        assert weights.shape == (1, 4, 65, 65)
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(1, 4, 65))


def test_they_are_small_and_say_what_they_are() -> None:
    folders = [resource("models", name) for name in ("emoji-vit", "emoji-vit-2d")]
    assert sum((folder / "model.safetensors").stat().st_size for folder in folders) <= 3_000_000
    for folder in folders:
        card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
        for heading in ("## What it is", "## Data", "## Recipe", "## Training", "## Measured quality", "## Licence"):
            assert heading in card
    assert "1-D against 2-D places" in (folders[0] / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_scenes_of_a_set_are_what_the_set_says() -> None:
    for asked in SETS.values():
        drawn = drawn_scenes(VOCABULARY, asked, 20, seed=0)
        assert {scene.kind for scene in drawn} == {asked.kind}
        assert asked.size is None or {scene.size for scene in drawn} == {asked.size}
        assert {scenes.held_out(scene) for scene in drawn} == {asked.held}


def test_the_comparison_counts_where_the_two_differ() -> None:
    row, grid = np.array([True] * 90 + [False] * 10), np.array([True] * 80 + [False] * 19 + [True])
    text = compared(row, grid)
    # 10 against 1: the two-sided probability is 2 (1 + 11) / 2^11
    assert "10 are named rightly with 1-D" in text and "1 are named rightly with 2-D" not in text
    assert f"of {2 * 12 / 2**11:.2f}." in text and compared(row, row).count("0 are") == 1


def test_the_report_compares_what_lies_side_by_side() -> None:
    lines = list(report(resource("models", "emoji-vit"), argparse.Namespace(count=8)))
    assert [line.split(" | ")[0][2:] for line in lines if line[:2] == "| "][1:] == [*SETS, "all of these"]
    assert "1-D places | interval | 2-D places" in "\n".join(lines)


def test_pictures_may_be_of_any_precision(model: VisionModel) -> None:
    x: Tensor = torch.zeros(1, 3, 32, 32, dtype=torch.float64)
    assert model(x).dtype == torch.float32
