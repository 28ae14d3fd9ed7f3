from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.ml.diffusion.schedule import LAMBDA_MIN, Schedule, ScheduleError, kept_steps

FAST27 = [
    0, 22, 44, 66, 88, 111, 133, 155, 177, 199,
    200, 222, 244, 266, 288, 311, 333, 355, 377, 399, 400, 500, 599, 600, 799, 800, 997
]  # fmt: skip


def test_named_schedules() -> None:
    linear, cosine = Schedule.named("linear"), Schedule.named("squaredcos_cap_v2")
    np.testing.assert_allclose(linear.betas[[0, -1]], [1e-4, 0.02], rtol=1e-9)
    np.testing.assert_allclose(cosine.betas[-1], 0.999)
    # abar follows the cosine itself until the cap of beta bites, at the very end
    u = np.arange(1, 999) / 1000
    expected = np.cos((u + 0.008) / 1.008 * np.pi / 2) ** 2 / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(cosine.alphas_cumprod[:998], expected, rtol=1e-9)


def test_schedules_equal_the_ones_of_diffusers() -> None:
    from diffusers import DDPMScheduler

    for ours, theirs in (("linear", "linear"), ("squaredcos_cap_v2", "squaredcos_cap_v2")):
        reference = DDPMScheduler(beta_schedule=theirs, beta_start=1e-4, beta_end=0.02).alphas_cumprod.numpy()
        np.testing.assert_allclose(Schedule.named(ours).alphas_cumprod[:-1], reference[:-1], rtol=2e-4)


def test_fast27_replaces_the_noisiest_step() -> None:
    assert kept_steps(1000, "fast27") == FAST27
    assert kept_steps(1000, "10,10,3,2,2") == [*FAST27[:-1], 999]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("ddim10", list(range(0, 1000, 100))),
        ("ddim25", list(range(0, 1000, 40))),
        ("leading3", [0, 333, 666]),
        ("trailing4", [249, 499, 749, 999]),
        ("linspace3", [0, 500, 999]),
        (3, [0, 500, 999]),
        ("3", [0, 500, 999]),
        (1, [0]),
        ("trailing1", [999]),
        ([0, 7, 999], [0, 7, 999]),
        (1000, list(range(1000))),
        ("1000", list(range(1000))),
    ],
)
def test_respacings(spec: str | int | list[int], expected: list[int]) -> None:
    assert kept_steps(1000, spec) == expected


@pytest.mark.parametrize(
    "spec",
    [0, -3, 1001, "0", "1001", "ddim999", "ddim0", "leading1001", "logsnr0", "", "fast", "10;10", "10,,3", "501,1",
     "abc", "ddim-5", [], [3, 1], [1, 1], [-1, 5], [0, 1000], [0.5, 3], True],
)  # fmt: skip
def test_impossible_respacings_say_so(spec: object) -> None:
    with pytest.raises(ScheduleError, match=r"\w{3}"):
        Schedule.named("linear").respace(spec)  # type: ignore[arg-type]


def test_other_impossible_schedules() -> None:
    for make in (
        lambda: Schedule.named("sine"),
        lambda: Schedule.named("linear", 0),
        lambda: Schedule.named("linear", 10),
        lambda: Schedule.from_betas(np.array([0.1, 1.5])),
        lambda: Schedule.named("linear").respace(10).respace(5),
        lambda: kept_steps(3, "fast27"),
        lambda: kept_steps(1000, "logsnr10"),
    ):
        with pytest.raises(ScheduleError):
            make()


def test_respacing_keeps_abar_and_derives_betas() -> None:
    full = Schedule.named("squaredcos_cap_v2")
    spaced = full.respace("fast27")
    assert len(spaced) == 27
    np.testing.assert_array_equal(spaced.alphas_cumprod, full.alphas_cumprod[FAST27])
    np.testing.assert_allclose(np.cumprod(1 - spaced.betas), spaced.alphas_cumprod, rtol=1e-6)
    assert spaced.posterior_variance[0] == 0
    assert spaced.posterior_log_variance_clipped[0] == spaced.posterior_log_variance_clipped[1]
    assert np.isfinite(full.respace(1).posterior_log_variance_clipped).all()


def test_logsnr_steps_are_even_in_lambda_and_leave_the_empty_end_out() -> None:
    spaced = Schedule.named("squaredcos_cap_v2").respace("logsnr10")
    assert spaced.lambdas[-1] == pytest.approx(LAMBDA_MIN, abs=0.15)
    assert spaced.timesteps[0] == 0
    gaps = -np.diff(spaced.lambdas)
    assert gaps.max() / gaps.min() < 1.5  # only the rounding to whole steps keeps them from being equal


@given(
    st.sampled_from(["linear", "squaredcos_cap_v2"]),
    st.sampled_from(["leading", "trailing", "linspace", "logsnr", ""]),
    st.integers(1, 1000),
)
def test_every_possible_number_of_steps_gives_that_many(name: str, kind: str, n: int) -> None:
    steps = Schedule.named(name).respace(f"{kind}{n}").timesteps
    assert len(steps) == n
    assert (np.diff(steps) > 0).all()
    assert steps[0] >= 0 and steps[-1] <= 999
