"""The classifier's training task: its labels are true, it learns, and what it exports opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from studio.ml.data.scenes import Vocabulary
from studio.ml.diffusion.classifier import load_classifier
from studio.ml.evaluation.oracle import load_oracle
from studio.ml.training.distributed import World
from studio.ml.training.emoji_classifier import EmojiClassifier
from studio.ml.training.loop import TrainDone, TrainStep, train
from studio.ml.training.recipes import recipes
from studio.ml.training.settings import TrainSettings
from studio.resources import resource

NETWORK = {
    "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": (2,), "channel_mult": (1, 1),
    "num_head_channels": 32,
}  # fmt: skip


def task(pixels: int = 16, nouns: int = 2) -> EmojiClassifier:
    return EmojiClassifier(pixels, Vocabulary.of_size(nouns, 2, {"single": 0.7, "count": 0.3}), NETWORK)


def test_samples_are_keyed_by_index() -> None:
    one, again, other = task().sample(3), task().sample(3), task().sample(4)
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert not torch.equal(one["x"], other["x"])


def test_a_tenth_is_clean_and_the_rest_is_spread_over_all_steps() -> None:
    steps = np.array([int(task().sample(i)["t"]) for i in range(1000)])
    assert (steps == 0).mean() == pytest.approx(0.1, abs=0.03)
    assert steps[steps > 0].mean() == pytest.approx(500, abs=40)
    assert steps.max() > 980


def test_the_oracle_agrees_with_the_labels_of_clean_pictures() -> None:
    shipped = recipes()["emoji-classifier"].task()
    samples = [shipped.sample(i) for i in range(600)]
    clean = [sample for sample in samples if sample["t"] == 0]
    readings = load_oracle(resource("models", "emoji-oracle")).read(torch.stack([sample["x"] for sample in clean]))
    nouns = Vocabulary.of_size(32, 8).nouns
    right = [
        {seen.noun for seen in reading.objects} == {nouns[int(sample["noun"])]}
        for reading, sample in zip(readings, clean, strict=True)
    ]
    assert len(clean) > 30 and np.mean(right) > 0.95


def test_noise_grows_with_the_step_as_the_schedule_says() -> None:
    classifier = task()
    samples = [classifier.sample(i) for i in range(400)]
    late = torch.stack([sample["x"] for sample in samples if sample["t"] > 900])
    abar = float(classifier.schedule.alphas_cumprod[950])
    assert late.var().item() == pytest.approx(1 - abar + abar * 0.4, abs=0.08)  # a picture's own variance is about 0.4


def test_the_shipped_network_is_within_two_million_parameters() -> None:
    with torch.device("meta"):
        net = recipes()["emoji-classifier"].task().build()
    assert sum(parameter.numel() for parameter in net.parameters()) <= 2_000_000


def test_it_learns_and_exports_a_model_that_opens(tmp_path: Path) -> None:
    classifier = task()
    settings = TrainSettings(
        steps=40, batch=16, learning_rate=3e-3, warmup=2, ema=0.8, precision="float32", checkpoint_every=40
    )
    events = list(train(classifier, settings, tmp_path, World(0, 1, torch.device("cpu")), log_every=10))
    losses = [event.metrics["loss"] for event in events if isinstance(event, TrainStep)]
    assert losses[-1] < 0.75 * np.log(2)  # two classes; guessing costs log 2
    done = events[-1]
    assert isinstance(done, TrainDone)
    assert classifier.preview(done.network).shape == (4 * 16, 12 * 16, 3)
    classifier.export(done.network, tmp_path / "model", {"Recipe": "a test"})
    model = load_classifier(tmp_path / "model")
    assert (model.name, model.classes, model.image_size) == ("emoji-classifier", classifier.vocabulary.nouns, 16)
    batch = default_collate([classifier.sample(i) for i in range(1000, 1008)])
    with torch.no_grad():
        theirs, ours = done.network(batch["x"], batch["t"]), model(batch["x"], batch["t"])
    torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.02)  # half precision of the stored weights
