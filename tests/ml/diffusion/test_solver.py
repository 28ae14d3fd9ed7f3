"""The samplers against another library and against closed forms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from studio.ml.diffusion.denoiser import Prediction
from studio.ml.diffusion.guidance import GuidanceParts, GuidedModel, Unguided
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.sampler import StepRecord, ddim, ddpm, dpmpp_2m
from studio.ml.diffusion.schedule import Schedule
from tests.ml.diffusion.goldens import relative_error
from tests.ml.diffusion.test_sampler_golden import closed_form, gradient
from tests.ml.diffusion.tiny import Gaussian, given

SHAPE = (3, 8, 8)
SCHEDULES = ["squaredcos_cap_v2", "linear"]


def last(steps: Iterator[StepRecord]) -> StepRecord:
    *_, record = steps
    return record


def diffusers_config(schedule: Schedule) -> dict[str, object]:
    return {"num_train_timesteps": schedule.T, "trained_betas": schedule.betas}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_ddim_is_that_of_diffusers(name: str, clip: bool, eta: float) -> None:
    from diffusers import DDIMScheduler

    full, noise = Schedule.named(name), NoiseSource(1, range(2))
    reference = DDIMScheduler(
        **diffusers_config(full), clip_sample=clip, set_alpha_to_one=True, timestep_spacing="leading"
    )
    reference.set_timesteps(20)
    x = theirs = noise.initial(SHAPE)
    for record in ddim(Unguided().of(closed_form), x, full.respace("leading20"), noise, eta=eta, clip=clip):
        t = reference.timesteps[record.index]
        assert record.t == t
        theirs = reference.step(
            closed_form(theirs, t.expand(2)).eps, t, theirs, eta=eta, use_clipped_model_output=True,
            variance_noise=noise.step(record.index, SHAPE),
        ).prev_sample  # fmt: skip
        assert relative_error(record.x, theirs) < 1e-4


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("learned", [True, False])
def test_ddpm_is_that_of_diffusers(name: str, learned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import DDPMScheduler
    from diffusers.schedulers import scheduling_ddpm

    full, noise = Schedule.named(name), NoiseSource(2, range(2))
    spaced = full.respace("logsnr20")
    variance_type = "learned_range" if learned else "fixed_small"
    reference = DDPMScheduler(**diffusers_config(full), variance_type=variance_type)
    reference.alphas_cumprod = torch.as_tensor(full.alphas_cumprod)  # its own are rounded to float32
    reference.set_timesteps(timesteps=spaced.timesteps[::-1].tolist())
    drawn: list[Tensor] = []
    monkeypatch.setattr(scheduling_ddpm, "randn_tensor", lambda *_, **__: drawn[-1])

    def model(x: Tensor, t: Tensor) -> Prediction:
        eps, v = closed_form(x, t)
        return Prediction(eps, v if learned else None)

    x = theirs = noise.initial(SHAPE)
    for record in ddpm(Unguided().of(model), x, spaced, noise):
        t = reference.timesteps[record.index]
        drawn.append(noise.step(record.index, SHAPE))
        prediction = model(theirs, t.expand(2))
        out = torch.cat([p for p in prediction if p is not None], dim=1)
        theirs = reference.step(out, int(t), theirs).prev_sample.float()
        assert relative_error(record.x, theirs) < 1e-5


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers with numpy 2
@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("spacing", ["logsnr20", "trailing12", "linspace7", "2"])
def test_dpmpp_2m_is_that_of_diffusers(name: str, spacing: str) -> None:
    from diffusers import DPMSolverMultistepScheduler

    full = Schedule.named(name)
    spaced = full.respace(spacing)
    reference = DPMSolverMultistepScheduler(
        **diffusers_config(full),
        algorithm_type="dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
        final_sigmas_type="zero",
    )
    reference.set_timesteps(timesteps=spaced.timesteps[::-1].tolist())
    x = theirs = NoiseSource(3, range(2)).initial(SHAPE)
    for record in dpmpp_2m(Unguided().of(closed_form), x, spaced, clip=False):
        t = reference.timesteps[record.index]
        assert record.t == t
        theirs = reference.step(closed_form(theirs, t.expand(2)).eps, t, theirs).prev_sample
        assert relative_error(record.x, theirs) < 1e-4


@pytest.mark.parametrize("name", SCHEDULES)
def test_order_of_convergence(name: str) -> None:
    """Twice the steps halve the error of DDIM and quarter that of DPM-Solver++ 2M, on the exact flow of a Gaussian."""
    full = Schedule.named(name)
    data = Gaussian(full, 0.3, 0.5)
    x = NoiseSource(4, [0]).initial(SHAPE).double()
    errors: dict[str, list[float]] = {"ddim": [], "dpmpp_2m": []}
    for n in (20, 40, 80):
        spaced = full.respace(f"logsnr{n}")
        exact = data.flow(x, spaced.alphas_cumprod[-1], spaced.alphas_cumprod[0])
        model = Unguided().of(data)
        for sampler, steps in (
            ("ddim", ddim(model, x, spaced, clip=False)),
            ("dpmpp_2m", dpmpp_2m(model, x, spaced, clip=False)),
        ):
            before_last = list(steps)[-2]  # the last step jumps to abar = 1, where lambda is infinite
            errors[sampler].append(float((before_last.x - exact).abs().max()))
    first, second = np.array(errors["ddim"]), np.array(errors["dpmpp_2m"])
    assert (1.7 < first[:-1] / first[1:]).all() and (first[:-1] / first[1:] < 2.3).all()
    assert (3.0 < second[:-1] / second[1:]).all() and (second[:-1] / second[1:] < 5.0).all()
    assert (second < 0.2 * first).all()


def test_few_steps_even_in_log_snr_follow_the_exact_path() -> None:
    """On a mixture of 24 pictures (closed form), 15 steps of the default spacing end where 150 do; others end further
    off.
    """
    full = Schedule.named("squaredcos_cap_v2")
    abar = torch.as_tensor(full.alphas_cumprod)
    random = torch.Generator().manual_seed(0)
    backgrounds = torch.rand(4, 3, 1, 1, generator=random, dtype=torch.float64)
    pictures = (backgrounds * 2 - 1).repeat(6, 1, 8, 8)
    for i, picture in enumerate(pictures):
        row, column = i % 5, (3 * i) % 5
        picture[:, row : row + 4, column : column + 4] = (
            torch.rand(3, 4, 4, generator=random, dtype=torch.float64) * 2 - 1
        )
    modes, s = 0.9 * pictures.flatten(1), 0.05

    def mixture(x: Tensor, t: Tensor) -> GuidanceParts:
        a = abar[t][:, None]
        variance = a * s**2 + 1 - a
        offsets = x.flatten(1)[:, None] - a.sqrt()[:, None] * modes
        share = torch.softmax(-offsets.square().sum(-1) / (2 * variance), dim=-1)[..., None]
        x0 = (share * (modes + (a.sqrt() * s**2 / variance)[:, None] * offsets)).sum(1)
        eps = ((x.flatten(1) - a.sqrt() * x0) / (1 - a).sqrt()).view_as(x)
        return GuidanceParts(eps, eps)

    x = NoiseSource(5, range(64)).initial(SHAPE).double()
    exact = last(dpmpp_2m(mixture, x, full.respace("logsnr150"), clip=False)).x

    def error(spacing: str) -> float:
        """Median over the pictures: near a ridge between two modes any solver may fall to the other side."""
        end = last(dpmpp_2m(mixture, x, full.respace(spacing))).x
        return float((end - exact).square().mean(dim=(1, 2, 3)).sqrt().median())

    assert error("logsnr15") < 0.002
    assert error("linspace15") > 3 * error("logsnr15")
    assert error("trailing15") > 10 * error("logsnr15")


@pytest.mark.parametrize("name", SCHEDULES)
def test_ddpm_of_a_gaussian_has_its_mean_and_variance(name: str) -> None:
    full, n = Schedule.named(name), 100_000
    data = Gaussian(full, 0.3, 0.5)
    spaced = full.respace(200)
    x = NoiseSource(6, [0]).initial((1, 1, n))
    out = last(ddpm(Unguided().of(data), x, spaced, NoiseSource(6, [0]), clip=False)).x.double()
    # The chain is linear in x, so its mean and variance follow exactly: x' = gain x + shift + sigma z.
    mean, variance = 0.0, 1.0
    for k in reversed(range(200)):
        a, before, beta = spaced.alphas_cumprod[k], spaced.alphas_cumprod_prev[k], spaced.betas[k]
        to_x0 = np.sqrt(a) * data.s**2 / (a * data.s**2 + 1 - a)
        coef = beta * np.sqrt(before) / (1 - a)
        gain = coef * to_x0 + np.sqrt(1 - beta) * (1 - before) / (1 - a)
        mean = gain * mean + coef * (1 - to_x0 * np.sqrt(a)) * data.mu
        variance = gain**2 * variance + (spaced.posterior_variance[k] if k else 0.0)
    assert abs(float(out.mean()) - mean) < 5 * np.sqrt(variance / n)
    assert abs(float(out.var()) / variance - 1) < 5 * np.sqrt(2 / n)
    assert mean == pytest.approx(data.mu, abs=0.01)
    assert variance == pytest.approx(data.s**2, rel=0.1)  # 200 steps, and the smaller of the two variance bounds


def test_ddim_with_eta_one_is_ddpm_with_the_posterior_variance() -> None:
    full, noise = Schedule.named("linear"), NoiseSource(8, range(2))
    model = Unguided().of(Gaussian(full, -0.2, 0.4))
    spaced, x = full.respace(30), noise.initial(SHAPE)
    pairs = zip(ddpm(model, x, spaced, noise), ddim(model, x, spaced, noise, eta=1.0), strict=True)
    for a, b in pairs:
        assert relative_error(b.x, a.x) < 2e-3  # DDIM's abar is float32, as released


def test_dpmpp_gradient_is_that_of_ddim_at_the_first_step() -> None:
    """Both are first order there, so the same shift of eps gives the same x0 and the same x."""
    spaced, x = Schedule.named("linear").respace("logsnr10"), NoiseSource(9, [0]).initial(SHAPE)
    model: GuidedModel = Unguided().of(closed_form)
    ours = next(dpmpp_2m(model, x, spaced, cond_fn=given(gradient)))
    reference = next(ddim(model, x, spaced, cond_fn=given(gradient)))
    assert ours.parts.gradient is not None
    torch.testing.assert_close(ours.x0, reference.x0)
    torch.testing.assert_close(ours.x, reference.x, rtol=1e-4, atol=1e-4)


def sampler_cases() -> list[tuple[str, object]]:
    return [("ddpm", ddpm), ("ddim", ddim), ("dpmpp_2m", lambda m, x, s, n, **k: dpmpp_2m(m, x, s, **k))]


@pytest.mark.parametrize(("name", "sampler"), sampler_cases(), ids=[name for name, _ in sampler_cases()])
def test_known_pixels_come_back_exactly(name: str, sampler: object) -> None:
    """x0 is replaced before the last, noise-free step, so what was known is returned bit for bit."""
    known, mask = torch.rand(1, *SHAPE) * 2 - 1, torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    noise = NoiseSource(10, [0])

    def put_back(x0: Tensor) -> Tensor:
        return x0 * (1 - mask) + known * mask

    out = last(
        sampler(
            Unguided().of(closed_form),
            noise.initial(SHAPE),
            Schedule.named("linear").respace(10),
            noise,
            edit_x0=put_back,
        )  # type: ignore[operator]
    )
    torch.testing.assert_close(out.x[..., :4], known[..., :4], rtol=0, atol=2e-7)
    assert (out.x[..., 4:] - known[..., 4:]).abs().max() > 0.01


@pytest.mark.parametrize(("name", "sampler"), sampler_cases(), ids=[name for name, _ in sampler_cases()])
def test_the_loop_never_reads_the_device(name: str, sampler: object) -> None:
    """On the meta device any value read back (`item`, a branch on a tensor) raises; so does nothing here."""
    noise = NoiseSource(0, range(2), device="meta")
    x = noise.initial(SHAPE)
    with pytest.raises(RuntimeError):
        x.sum().item()
    spaced = Schedule.named("linear").respace(5)
    kwargs = {"eta": 1.0} if name == "ddim" else {}
    steps = sampler(Unguided().of(closed_form), x, spaced, noise, cond_fn=given(gradient), **kwargs)  # type: ignore[operator]
    records = list(steps)
    assert [record.index for record in records] == [0, 1, 2, 3, 4]
    assert all(record.x.device.type == "meta" and record.total == 5 for record in records)


def test_nothing_is_evaluated_before_or_after_it_is_asked_for() -> None:
    calls: list[int] = []

    def counting(x: Tensor, t: Tensor) -> Prediction:
        calls.append(int(t[0]))
        return closed_form(x, t)

    steps = dpmpp_2m(Unguided().of(counting), torch.zeros(1, *SHAPE), Schedule.named("linear").respace(10))
    assert calls == []
    first = next(steps)
    assert calls == [999] and first.t == 999
    steps.close()  # type: ignore[attr-defined]
    assert calls == [999]


def test_a_picture_does_not_depend_on_its_batch() -> None:
    spaced = Schedule.named("squaredcos_cap_v2").respace(10)
    alone, batch = NoiseSource(3, [1]), NoiseSource(3, range(3))
    model = Unguided().of(closed_form)
    one = last(ddpm(model, alone.initial(SHAPE), spaced, alone)).x
    three = last(ddpm(model, batch.initial(SHAPE), spaced, batch)).x
    torch.testing.assert_close(three[1:2], one, rtol=1e-6, atol=1e-6)


def test_eta_needs_noise() -> None:
    for eta, noise in ((0.5, None), (-1.0, NoiseSource(0, [0]))):
        with pytest.raises(ValueError, match="eta"):
            next(
                ddim(
                    Unguided().of(closed_form),
                    torch.zeros(1, *SHAPE),
                    Schedule.named("linear").respace(3),
                    noise,
                    eta=eta,
                )
            )
