"""Accuracy by step: what is counted, and that every step is asked of the same noised scenes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from studio.ml.diffusion.classifier import ClassifierConfig, EncoderUNet, NoisyClassifier
from studio.ml.diffusion.model_folder import BadModelFolder
from studio.ml.diffusion.schedule import Schedule
from studio.ml.evaluation.classifier import STEPS, classified, report
from studio.ml.training.export import write_model

NOUNS, BACKGROUNDS = ("cat", "banana", "dog"), ("red", "blue")
TINY = ClassifierConfig(
    image_size=16, model_channels=32, num_res_blocks=1, attention_resolutions=(2,), channel_mult=(1, 1),
    num_head_channels=16, out_channels=3,
)  # fmt: skip


class Told(nn.Module):
    """Answers from a list, whatever it is shown; remembers that."""

    def __init__(self, answers: list[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.answers, self.seen = answers, list[tuple[Tensor, Tensor]]()

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        start = sum(len(pictures) for pictures, _ in self.seen)
        self.seen.append((x, t))
        return nn.functional.one_hot(torch.tensor(self.answers[start : start + len(x)]), len(NOUNS)).float()


def told(answers: list[int]) -> NoisyClassifier:
    schedule = Schedule.named("squaredcos_cap_v2")
    return NoisyClassifier("told", Told(answers), NOUNS, schedule, 16)  # type: ignore[arg-type]


def test_right_answers_are_counted_by_class() -> None:
    hits = classified(told([0, 0, 0, 1, 1, 2, 2, 0, 1]), BACKGROUNDS, 3)
    assert hits.tolist() == [[True, True, True], [True, True, False], [True, False, False]]


def test_a_batch_is_in_the_order_of_its_parts() -> None:
    per_class = 60  # 180 pictures: more than one batch
    assert classified(told([i for i in range(3) for _ in range(per_class)]), BACKGROUNDS, per_class).all()


def test_every_step_shows_the_same_scenes_in_the_same_noise() -> None:
    clean, late = told([0] * 6), told([0] * 6)
    classified(clean, BACKGROUNDS, 2, t=0)
    classified(late, BACKGROUNDS, 2, t=700)
    (x0, t0), (x, t) = clean.net.seen[0], late.net.seen[0]  # type: ignore[union-attr, index]
    assert t0.tolist() == [0] * 6 and t.tolist() == [700] * 6
    abar = clean.schedule.alphas_cumprod
    # Solving the two for the noise and putting it back gives one from the other.
    determinant = (abar[0] * (1 - abar[700])) ** 0.5 - (abar[700] * (1 - abar[0])) ** 0.5
    noise = (abar[0] ** 0.5 * x - abar[700] ** 0.5 * x0) / determinant
    assert noise.mean().abs() < 0.1 and noise.std().item() == pytest.approx(1, abs=0.05)
    scenes = (x0 - (1 - abar[0]) ** 0.5 * noise) / abar[0] ** 0.5
    assert scenes.abs().max() <= 1 + 1e-4


def test_the_report_has_a_row_for_each_step_and_class(tmp_path: Path) -> None:
    config = {
        "kind": "classifier", "name": "tiny", "image_size": 16, "schedule": "squaredcos_cap_v2", "classes": NOUNS,
        "network": TINY.model_dump(), "vocabulary": {"nouns": NOUNS, "backgrounds": BACKGROUNDS},
    }  # fmt: skip
    write_model(tmp_path, EncoderUNet(TINY), config, {})
    lines = list(report(tmp_path, argparse.Namespace(count=6)))
    assert [line.split(" | ")[0] for line in lines if line[2:3].isdigit()] == [f"| {t}" for t in STEPS]
    assert [line.split(" | ")[0] for line in lines if line[2:5] in ("cat", "ban", "dog")] == [f"| {n}" for n in NOUNS]
    del config["vocabulary"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadModelFolder, match="vocabulary"):
        list(report(tmp_path, argparse.Namespace(count=6)))
