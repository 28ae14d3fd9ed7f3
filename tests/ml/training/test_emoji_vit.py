"""The vision transformer's training task: its labels are true, variants see the same pictures, it learns and opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from studio.ml.data.scenes import Vocabulary
from studio.ml.evaluation.oracle import load_oracle
from studio.ml.training.distributed import World
from studio.ml.training.emoji_vit import EmojiVit
from studio.ml.training.loop import TrainDone, TrainStep, train
from studio.ml.training.recipes import recipes
from studio.ml.training.settings import TrainSettings
from studio.ml.vision.vit import load_vit
from studio.resources import resource


def task(positions: str = "1d") -> EmojiVit:
    transformer = {"width": 32, "heads": 2, "hidden": 64, "layers": 1}
    network = {"patch_size": 4, "positions": positions, "transformer": transformer}
    return EmojiVit("tiny", 16, Vocabulary.of_size(2, 2, {"single": 0.7, "count": 0.3}), network)


def test_samples_are_keyed_by_index_and_the_same_for_both_variants() -> None:
    one, variant, other = task().sample(3), task("2d").sample(3), task().sample(4)
    assert all(torch.equal(one[key], variant[key]) for key in one)
    assert not torch.equal(one["x"], other["x"])


def test_the_recipes_differ_in_the_places_only() -> None:
    known = recipes()
    row, grid = (known[name].task() for name in ("emoji-vit", "emoji-vit-2d"))
    assert isinstance(row, EmojiVit) and isinstance(grid, EmojiVit)
    assert known["emoji-vit"].settings == known["emoji-vit-2d"].settings
    assert row.config.model_copy(update={"positions": "2d"}) == grid.config
    assert (row.vocabulary, row.seed) == (grid.vocabulary, grid.seed)


def test_the_oracle_agrees_with_the_labels() -> None:
    shipped = recipes()["emoji-vit"].task()
    samples = [shipped.sample(i) for i in range(50)]
    readings = load_oracle(resource("models", "emoji-oracle")).read(torch.stack([sample["x"] for sample in samples]))
    nouns = Vocabulary.of_size(32, 8).nouns
    right = [
        {seen.noun for seen in reading.objects} == {nouns[int(sample["noun"])]}
        for reading, sample in zip(readings, samples, strict=True)
    ]
    assert np.mean(right) > 0.95


@pytest.mark.parametrize("positions", ["1d", "2d"])
def test_it_learns_and_exports_a_model_that_opens(tmp_path: Path, positions: str) -> None:
    vit = task(positions)
    settings = TrainSettings(
        steps=40, batch=16, learning_rate=3e-3, warmup=2, ema=0.8, precision="float32", checkpoint_every=40
    )
    events = list(train(vit, settings, tmp_path, World(0, 1, torch.device("cpu")), log_every=10))
    losses = [event.metrics["loss"] for event in events if isinstance(event, TrainStep)]
    assert losses[-1] < 0.75 * np.log(2)  # two classes; guessing costs log 2
    done = events[-1]
    assert isinstance(done, TrainDone)
    assert vit.preview(done.network).shape == (4 * 16, 12 * 16, 3)
    vit.export(done.network, tmp_path / "model", {"Recipe": "a test"})
    model = load_vit(tmp_path / "model")
    assert (model.classes, model.image_size) == (vit.vocabulary.nouns, 16)
    batch = default_collate([vit.sample(i) for i in range(1000, 1008)])
    with torch.no_grad():
        torch.testing.assert_close(model(batch["x"]), done.network(batch["x"]), rtol=0.02, atol=0.02)
