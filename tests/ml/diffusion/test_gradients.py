"""Gradient guidance against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from studio.ml.diffusion.denoiser import Prediction
from studio.ml.diffusion.gradients import ClassifierGuidance, ClipGuidance, PlainClipGuidance, together
from studio.ml.diffusion.guidance import ClassifierFree, Scale, Unguided
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.sampler import ddim, ddpm, dpmpp_2m
from studio.ml.diffusion.schedule import Schedule
from tests.ml.diffusion.tiny import Gaussian

SCHEDULE = Schedule.named("squaredcos_cap_v2")
SHAPE = (1, 4, 4)


class TwoGaussians:
    """Data N(+mu, s^2) or N(-mu, s^2), half and half, the same for every pixel of one: the exact p(y | x_t)."""

    def __init__(self, mu: float, s: float) -> None:
        self.mu, self.s, self.abar = mu, s, torch.as_tensor(SCHEDULE.alphas_cumprod)

    def logits(self, x: Tensor, t: Tensor) -> Tensor:
        a = self.abar[t].view(-1, 1, 1, 1)
        likelihood = [-((x - sign * a.sqrt() * self.mu) ** 2) / (2 * (a * self.s**2 + 1 - a)) for sign in (1, -1)]
        return torch.stack([part.sum(dim=(1, 2, 3)) for part in likelihood], dim=1)

    def eps(self, x: Tensor, t: Tensor) -> Prediction:
        """-sqrt(1 - abar) times the score of the mixture."""
        a = self.abar[t].view(-1, 1, 1, 1)
        variance = a * self.s**2 + 1 - a
        share = self.logits(x, t).softmax(dim=1)
        mean = (share[:, 0] - share[:, 1]).view(-1, 1, 1, 1) * a.sqrt() * self.mu
        return Prediction((1 - a).sqrt() * (x - mean) / variance)


@pytest.mark.parametrize("t", [0, 100, 500, 900])
def test_the_classifier_turns_the_marginal_into_the_conditional(t: int) -> None:
    """Bayes: grad log p(x) + grad log p(y|x) = grad log p(x|y), so at s = 1 eps is that of the class alone."""
    data, steps = TwoGaussians(0.6, 0.3), torch.tensor([t, t])
    x = torch.randn(2, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(t))
    gradient = ClassifierGuidance(data.logits, torch.tensor([0, 1]), 1.0)(x, steps)
    assert gradient is not None
    guided = data.eps(x, steps).eps - math.sqrt(1 - SCHEDULE.alphas_cumprod[t]) * gradient.value
    for i, sign in enumerate((1, -1)):
        wanted = Gaussian(SCHEDULE, sign * 0.6, 0.3)(x[i : i + 1], steps[i : i + 1]).eps
        torch.testing.assert_close(guided[i : i + 1], wanted, rtol=1e-5, atol=1e-6)
    log_p = torch.log_softmax(data.logits(x, steps), dim=1)
    torch.testing.assert_close(gradient.score, torch.stack([log_p[0, 0], log_p[1, 1]]).float(), check_dtype=False)


def test_classifier_guidance_draws_the_class_asked_for() -> None:
    """Unconditional model and classifier together: all samples from the side asked for, spread as that Gaussian."""
    data = TwoGaussians(0.5, 0.1)
    noise = NoiseSource(3, range(200))
    y = torch.arange(200) % 2
    guide = together([ClassifierGuidance(data.logits, y, 1.0)])
    visited = SCHEDULE.respace("logsnr20")
    *_, out = dpmpp_2m(Unguided().of(data.eps), noise.initial(SHAPE).double(), visited, cond_fn=guide)
    assert bool(((out.x.mean(dim=(1, 2, 3)) > 0) == (y == 0)).all())
    assert out.x[y == 0].mean().item() == pytest.approx(0.5, abs=0.02)
    assert out.x[y == 0].std().item() == pytest.approx(0.1, abs=0.02)


class LinearClip:
    """f(x) = x flattened and made a unit vector; its gradient is known by hand."""

    logit_scale = 10.0

    def encode_image(self, x: Tensor, t: Tensor) -> Tensor:
        flat = x.flatten(1)
        return flat / flat.norm(dim=1, keepdim=True)


def test_clip_guidance_climbs_the_cosine() -> None:
    x = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    text = torch.nn.functional.normalize(torch.ones(2, 16), dim=1)
    gradient = ClipGuidance(LinearClip(), text, 2.0)(x, torch.tensor([5, 500]))
    assert gradient is not None and gradient.name == "clip"
    flat, norm = x.flatten(1), x.flatten(1).norm(dim=1, keepdim=True)
    cosine = (flat * text).sum(1, keepdim=True) / norm
    by_hand = 2 * 10 * (text - cosine * flat / norm) / norm
    torch.testing.assert_close(gradient.value.flatten(1), by_hand, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient.score, cosine[:, 0])


def test_clip_on_x0_goes_through_the_denoiser() -> None:
    """Against finite differences of the cosine of the predicted x0."""
    data, steps = Gaussian(SCHEDULE, 0.3, 0.5), torch.tensor([400])
    x = torch.randn(1, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    text = torch.nn.functional.normalize(torch.arange(16.0, dtype=torch.float64)[None], dim=1)
    guide = PlainClipGuidance(LinearClip(), text, data, SCHEDULE, 1.0)
    gradient = guide(x, steps)
    assert gradient is not None

    def score(moved: Tensor) -> float:
        found = guide(moved, steps)
        assert found is not None
        return float(found.score)

    for place in ((0, 0, 0, 0), (0, 0, 3, 1)):
        step = torch.zeros_like(x)
        step[place] = 1e-3
        slope = 10 * (score(x + step) - score(x - step)) / 2e-3
        assert float(gradient.value[place]) == pytest.approx(slope, rel=1e-3, abs=1e-4)


def test_terms_add_up_to_the_shift_of_eps() -> None:
    """Classifier-free and two gradients together: base + sum of the terms is the eps that x0 was made of."""

    class Pair(Gaussian):
        def unconditional(self, x: Tensor, t: Tensor) -> Prediction:
            return Gaussian(SCHEDULE, -0.2, 0.4)(x, t)

        def both(self, x: Tensor, t: Tensor) -> tuple[Prediction, Prediction]:
            return self(x, t), self.unconditional(x, t)

    x = NoiseSource(4, [0]).initial(SHAPE).double()
    text = torch.nn.functional.normalize(torch.ones(1, 16, dtype=torch.float64), dim=1)
    guides = [ClipGuidance(LinearClip(), text, 0.1), ClassifierGuidance(TwoGaussians(0.4, 0.2).logits, torch.tensor([0]), 0.5)]
    model = ClassifierFree(2.0).of(Pair(SCHEDULE, 0.3, 0.4))
    visited = SCHEDULE.respace([300, 600])
    record = next(ddim(model, x, visited, clip=False, cond_fn=together(guides)))
    assert [term.name for term in record.parts.terms] == ["classifier-free", "clip", "classifier"]
    eps = record.parts.base + sum(term.eps for term in record.parts.terms)
    a = visited.alphas_cumprod[1]
    torch.testing.assert_close(record.x0, (x - math.sqrt(1 - a) * eps) / math.sqrt(a), check_dtype=False)


def test_ddpm_shifts_the_mean_by_variance_times_gradient() -> None:
    data, noise = TwoGaussians(0.5, 0.2), NoiseSource(5, range(2))
    x, visited = noise.initial(SHAPE), SCHEDULE.respace(10)
    guide = ClassifierGuidance(data.logits, torch.tensor([0, 1]), 3.0)
    plain = next(ddpm(Unguided().of(data.eps), x, visited, noise))
    guided = next(ddpm(Unguided().of(data.eps), x, visited, noise, cond_fn=together([guide])))
    assert guided.parts.gradient is not None
    variance = math.exp(visited.posterior_log_variance_clipped[-1])
    torch.testing.assert_close(guided.x - plain.x, (variance * guided.parts.gradient).to(plain.x.dtype), rtol=1e-3, atol=1e-5)


def test_scales_over_time() -> None:
    t = torch.tensor([999, 750, 500, 250, 0])
    assert Scale(3.0).at(t, 1000).tolist() == [3.0] * 5
    assert Scale(3.0, "interval", 0.2, 0.6).at(t, 1000, neutral=1.0).tolist() == [1.0, 3.0, 3.0, 1.0, 1.0]
    ramp = Scale(4.0, "ramp", 0.0, 0.5).at(t, 1000).tolist()
    assert ramp == pytest.approx([0.0, 4 * 2 * (1 - 750 / 999), 4 * 2 * (1 - 500 / 999), 4.0, 4.0], abs=1e-5)


def test_a_gradient_outside_its_interval_costs_nothing() -> None:
    def never(x: Tensor, t: Tensor) -> Tensor:
        raise AssertionError("evaluated")

    guide = ClassifierGuidance(never, torch.tensor([0]), Scale(5.0, "interval", 0.5, 1.0))
    assert guide(torch.zeros(1, *SHAPE), torch.tensor([900])) is None
    assert ClassifierGuidance(never, torch.tensor([0]), 0.0)(torch.zeros(1, *SHAPE), torch.tensor([10])) is None
    guides = together([guide])
    assert guides is not None and list(guides(torch.zeros(1, *SHAPE), torch.tensor([900]))) == []
    assert together([]) is None


@pytest.mark.parametrize(
    "bad", [{"value": math.inf}, {"start": 0.5, "stop": 0.5}, {"stop": 1.5}, {"start": -0.1}, {"kind": "often"}]
)
def test_bad_scales_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"\w{3}"):
        Scale(**({"value": 1.0} | bad))  # type: ignore[arg-type]
