from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.ml.diffusion.noise import NOISE_VERSION, NoiseKeyError, NoiseSource, noised
from studio.ml.diffusion.schedule import Schedule

SHAPE = (3, 8, 8)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5), st.integers(0, 1000))
def test_a_picture_has_its_noise_whatever_else_is_in_the_batch(seed: int, images: list[int], step: int) -> None:
    together = NoiseSource(seed, images)
    for i, image in enumerate(images):
        alone = NoiseSource(seed, [image])
        assert torch.equal(together.initial(SHAPE)[i : i + 1], alone.initial(SHAPE))
        assert torch.equal(together.step(step, SHAPE)[i : i + 1], alone.step(step, SHAPE))


def test_order_of_drawing_does_not_matter() -> None:
    forward, backward = NoiseSource(3, range(2)), NoiseSource(3, range(2))
    first = [forward.step(i, SHAPE) for i in range(4)]
    second = [backward.step(i, SHAPE) for i in reversed(range(4))]
    assert all(torch.equal(a, b) for a, b in zip(first, reversed(second), strict=True))


def test_every_part_of_the_key_counts() -> None:
    draws = [
        NoiseSource(0, [0]).initial(SHAPE),
        NoiseSource(1, [0]).initial(SHAPE),
        NoiseSource(2**32, [0]).initial(SHAPE),  # torch's generator would take this for seed 0
        NoiseSource(0, [1]).initial(SHAPE),
        NoiseSource(0, [0]).step(0, SHAPE),
        NoiseSource(0, [0]).step(1, SHAPE),
    ]
    stacked = torch.stack(draws).flatten(1)
    assert (torch.corrcoef(stacked) - torch.eye(len(draws))).abs().max() < 0.3
    assert len({tuple(row.tolist()) for row in stacked}) == len(draws)


def test_seeds_of_a_batch_are_the_single_seeds() -> None:
    batch = NoiseSource.of_seeds([5, 2**64 - 1])
    assert torch.equal(batch.initial(SHAPE)[:1], NoiseSource(5, [0]).initial(SHAPE))
    assert torch.equal(batch.initial(SHAPE)[1:], NoiseSource(2**64 - 1, [0]).initial(SHAPE))


def test_it_is_standard_normal() -> None:
    values = NoiseSource(11, range(16)).initial((3, 64, 64)).double().flatten().sort().values
    n = len(values)
    assert abs(values.mean()) < 4 / n**0.5
    assert abs(values.var() - 1) < 4 * (2 / n) ** 0.5
    distance = (torch.special.ndtr(values) - (torch.arange(n) + 0.5) / n).abs().max()
    assert distance < 1.95 / n**0.5  # Kolmogorov-Smirnov at 0.1 %


def test_the_streams_are_those_of_this_version() -> None:
    """Pictures are reproduced from these numbers: a change here needs a new NOISE_VERSION."""
    assert NOISE_VERSION == "philox4x64-numpy-f32-1"
    expected = torch.tensor([-0.2933, 1.7038, 1.5392, 0.6368])
    torch.testing.assert_close(NoiseSource(7, [0]).initial((3, 64, 64))[0, 0, 0, :4], expected, atol=5e-5, rtol=0)


@pytest.mark.parametrize(("seed", "images"), [(-1, [0]), (2**64, [0]), (0, [-1]), (0, [2**32]), (0, [])])
def test_keys_out_of_range(seed: int, images: list[int]) -> None:
    with pytest.raises(NoiseKeyError):
        NoiseSource(seed, images)


def test_step_out_of_range() -> None:
    for step in (-1, 2**32):
        with pytest.raises(NoiseKeyError):
            NoiseSource(0, [0]).step(step, SHAPE)


@pytest.mark.parametrize("t", [0, 300, 999])
def test_noising_at_once_equals_noising_step_by_step(t: int) -> None:
    schedule = Schedule.named("squaredcos_cap_v2")
    signal, variance = 1.0, 0.0  # of q(x_t | x_{t-1}) applied t + 1 times
    for beta in schedule.betas[: t + 1]:
        signal, variance = signal * (1 - beta) ** 0.5, variance * (1 - beta) + beta
    zero, one = torch.zeros(1), torch.ones(1)
    assert noised(one, zero, schedule, t).item() == pytest.approx(signal, rel=1e-5)
    assert noised(zero, one, schedule, t).item() == pytest.approx(variance**0.5, rel=1e-5)
