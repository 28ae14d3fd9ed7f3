"""The CLIP that ships with the studio keeps what its card promises."""

from __future__ import annotations

import pytest

from studio.ml.clip.model import load_clip
from studio.ml.data import scenes
from studio.ml.evaluation.clip import Retrieval, among_scenes
from studio.resources import resource


@pytest.fixture(scope="module")
def retrieval() -> Retrieval:
    clip = load_clip(resource("models", "emoji-clip"))
    return Retrieval(clip, among_scenes(scenes.Vocabulary.of_size(32, 8), 100))


@pytest.mark.parametrize(("t", "promised"), [(0, 0.95), (250, 0.93), (500, 0.85)])
def test_it_finds_the_caption_of_a_picture_among_64(retrieval: Retrieval, t: int, promised: float) -> None:
    assert retrieval.hits(t).mean() >= promised
