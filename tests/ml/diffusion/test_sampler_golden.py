"""Whole trajectories of the released sampling code, step by step, with its own noise."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from studio.ml.diffusion.denoiser import Prediction
from studio.ml.diffusion.guidance import Unguided
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.sampler import ddim, ddpm
from studio.ml.diffusion.schedule import Schedule
from tests.ml.diffusion.goldens import arrays, description, relative_error
from tests.ml.diffusion.tiny import given

NAMES = description("sampler")
CASES = list(itertools.product(NAMES["schedules"], NAMES["respacing"], NAMES["modes"]))


class RecordedNoise(NoiseSource):
    """The noise the reference drew, step by step."""

    def __init__(self, noise: Tensor) -> None:
        super().__init__(0, range(noise.shape[1]))
        self.noise = noise

    def step(self, index: int, shape: Sequence[int]) -> Tensor:
        assert tuple(shape) == tuple(self.noise.shape[2:])
        return self.noise[index]


def closed_form(x: Tensor, t: Tensor) -> Prediction:
    steps = t[:, None, None, None].float()
    return Prediction(0.3 * torch.tanh(x) + 0.05 * torch.cos(steps / 100), 0.5 * torch.tanh(2 * x))


def gradient(x: Tensor, t: Tensor) -> Tensor:
    return -0.2 * x + 0.05 * torch.sin(t[:, None, None, None].float() / 50)


@pytest.mark.parametrize(("schedule", "respacing", "mode"), CASES)
def test_trajectory(schedule: str, respacing: str, mode: str) -> None:
    golden = arrays(f"sampler_{schedule}_{respacing}_{mode}")
    spaced = Schedule.named(schedule).respace(respacing)
    assert spaced.timesteps.tolist() == golden["timesteps"].tolist()
    cond_fn = given(gradient) if mode.endswith("grad") else None
    noise = RecordedNoise(golden["noise"])
    model = Unguided().of(closed_form)
    if mode.startswith("ddpm"):
        steps = ddpm(model, golden["x_T"], spaced, noise, cond_fn=cond_fn)
    else:
        steps = ddim(model, golden["x_T"], spaced, noise, eta=1.0 if mode == "ddim_eta1" else 0.0, cond_fn=cond_fn)
    records = list(steps)
    assert [record.t for record in records] == golden["timesteps"].tolist()[::-1]
    for record, expected in zip(records, golden["trajectory"], strict=True):
        assert relative_error(record.x, expected) < 1e-4
        assert (record.parts.gradient is not None) == (cond_fn is not None)
