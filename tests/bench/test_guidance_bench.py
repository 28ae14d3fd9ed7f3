"""That the guidance bench counts what there is to count; its times are judged by `glassbox bench`, on a quiet machine."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from studio.ml.diffusion.glide import TextToImage
from studio.ml.diffusion.gradients import ClassifierGuidance, PlainClipGuidance
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.words import WordTokenizer
from tests.bench import guidance
from tests.ml.diffusion.tiny import WORDS, tiny_net

PIXELS = 3 * 16 * 16


class Linear(nn.Module):
    """A classifier, and an image encoder, of one matrix: its arithmetic is known."""

    logit_scale = 10.0

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Linear(PIXELS, 64, bias=False).requires_grad_(False)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return self.matrix(x.flatten(1))

    encode_image = forward


@pytest.fixture(scope="module")
def runs():
    net = tiny_net().eval().requires_grad_(False)
    base = TextToImage("tiny", net, WordTokenizer(WORDS, {}), Schedule.named("linear"), 16)
    linear, prompts = Linear(), [guidance.PROMPT] * guidance.BATCH
    text, classes = torch.ones(guidance.BATCH, 64), torch.zeros(guidance.BATCH, dtype=torch.long)
    plain = PlainClipGuidance(linear, text, base.denoiser(prompts), base.schedule, 1.0)
    return guidance.kinds(base, {"classifier": ClassifierGuidance(linear, classes, 1.0), "plain": plain})


def test_arithmetic_is_counted_per_step(runs):
    counted = {name: guidance.gflop_per_step(begin) for name, begin in runs.items()}
    matrix = 2 * guidance.BATCH * PIXELS * 64 / 1e9
    assert counted["classifier-free"] == pytest.approx(2 * counted["unguided"], rel=1e-9)
    assert counted["classifier"] == pytest.approx(counted["unguided"] + 2 * matrix, rel=1e-9)  # forward, and the gradient of its input
    assert counted["plain"] > 2.5 * counted["unguided"]  # the network again, and backward through it


def test_each_kind_gets_a_figure_against_unguided(runs):
    figures = guidance.compared(runs, rounds=1)
    assert [figure.name.split()[2] for figure in figures] == ["classifier-free", "classifier", "plain"]
    assert all(figure.unit == "%" and figure.limit == 10.0 and "GFLOP" in figure.note for figure in figures)
