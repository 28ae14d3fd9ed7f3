"""Runs that begin at a noised picture: at the right level, with the right noise, and with nothing remembered."""

from __future__ import annotations

import math

import pytest
import torch

from studio.ml.diffusion.guidance import GuidanceParts
from studio.ml.diffusion.image2image import StrengthError, start_from, steps_done
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.sampling import DEFAULT_STEPS, Sampling, run
from studio.ml.diffusion.schedule import Schedule

FULL = Schedule.named("squaredcos_cap_v2")
PICTURE = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
SEEDS = [3, 8]


def sure_of(y):
    """A network that predicts the same clean picture whatever it sees."""

    def model(x, t):
        abar = float(FULL.alphas_cumprod[int(t[0])])
        eps = (x - math.sqrt(abar) * y) / math.sqrt(1 - abar)
        return GuidanceParts(eps=eps, eps_cond=eps)

    return model


@pytest.mark.parametrize(("strength", "left_out"), [(1.0, 0), (0.6, 8), (0.51, 9), (0.5, 10), (0.001, 19)])
def test_the_strength_is_the_share_of_the_steps_taken(strength, left_out):
    assert steps_done(strength, 20) == left_out


@pytest.mark.parametrize("strength", [0.0, -0.5, 1.01, math.nan])
def test_other_strengths_are_refused(strength):
    with pytest.raises(StrengthError, match="above 0"):
        steps_done(strength, 20)


def test_the_start_is_drawn_from_q_at_the_first_step_taken():
    visited, noise = Sampling("ddim", 10).schedule(FULL), NoiseSource.of_seeds(SEEDS)
    start = start_from(PICTURE, 0.4, visited, FULL, noise)
    abar = visited.alphas_cumprod[len(visited) - 1 - 6]
    wanted = math.sqrt(abar) * PICTURE + math.sqrt(1 - abar) * noise.initial((3, 4, 4))
    assert start.index == 5 and start.x0 is None and torch.allclose(start.x, wanted, atol=1e-6)
    assert start_from(PICTURE, 1.0, visited, FULL, noise) is None


@pytest.mark.parametrize("sampler", DEFAULT_STEPS)
def test_a_run_from_there_takes_the_rest_of_the_steps_and_ends_in_what_the_network_knows(sampler):
    sampling, noise = Sampling(sampler, 10), NoiseSource.of_seeds(SEEDS)
    visited = sampling.schedule(FULL)
    start = start_from(PICTURE, 0.4, visited, FULL, noise)
    y = torch.full((1, 3, 4, 4), 0.25)
    records = list(run(sure_of(y), noise.initial((3, 4, 4)), visited, noise, sampling, resume=start))
    assert [record.index for record in records] == [6, 7, 8, 9]
    assert torch.allclose(records[-1].x, y.expand(2, -1, -1, -1), atol=1e-3)


@pytest.mark.parametrize("sampler", ["ddim", "dpmpp_2m"])
def test_the_first_step_of_a_deterministic_run_is_the_exact_one_of_first_order(sampler):
    """For a constant prediction y the ODE has the solution (x_t - sqrt(a) y) / sqrt(1 - a) = constant."""
    sampling, noise = Sampling(sampler, 10), NoiseSource.of_seeds(SEEDS)
    visited = sampling.schedule(FULL)
    start = start_from(PICTURE, 0.7, visited, FULL, noise)
    y = torch.full((1, 3, 4, 4), -0.5)
    for record in run(sure_of(y), noise.initial((3, 4, 4)), visited, noise, sampling, resume=start):
        k = len(visited) - 1 - record.index
        if k == 0:
            break
        a, after = visited.alphas_cumprod[k], visited.alphas_cumprod[k - 1]
        eps = (record.x_t - math.sqrt(a) * y) / math.sqrt(1 - a)
        assert torch.allclose(record.x, math.sqrt(after) * y + math.sqrt(1 - after) * eps, atol=1e-4)
