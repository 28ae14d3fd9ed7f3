"""Distributions over actions against torch.distributions."""

from __future__ import annotations

import numpy as np
import torch
from torch import distributions as reference

from studio.ml.rl.deep.base import generator
from studio.ml.rl.deep.distributions import Categorical, Gaussian, SquashedGaussian

STREAM = generator(0, "test")


def near(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float = 1e-6) -> None:
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def test_categorical_is_that_of_torch() -> None:
    logits = 3 * torch.randn(50, 4, generator=STREAM)
    ours, theirs = Categorical(logits), reference.Categorical(logits=logits)
    actions = torch.randint(4, (50,), generator=STREAM)
    near(ours.log_prob(actions), theirs.log_prob(actions))
    near(ours.entropy(), theirs.entropy())
    near(ours.probabilities, theirs.probs)
    certain = Categorical(torch.tensor([[0.0, -torch.inf]]))
    assert certain.entropy().item() == 0.0


def test_gaussian_is_that_of_torch() -> None:
    mean, log_std = torch.randn(50, 3, generator=STREAM), 0.5 * torch.randn(3, generator=STREAM)
    ours = Gaussian(mean, log_std)
    theirs = reference.Independent(reference.Normal(mean, log_std.exp().expand_as(mean)), 1)
    actions = mean + torch.randn(50, 3, generator=STREAM)
    near(ours.log_prob(actions), theirs.log_prob(actions))
    near(ours.entropy(), theirs.entropy())


def test_squashed_gaussian_is_that_of_torch() -> None:
    mean = torch.randn(50, 3, generator=STREAM, dtype=torch.float64)
    log_std = 0.5 * torch.randn(50, 3, generator=STREAM, dtype=torch.float64)
    ours = SquashedGaussian(mean, log_std)
    tanh = reference.TanhTransform(cache_size=1)
    base = reference.Independent(reference.Normal(mean, log_std.exp()), 1)
    actions, log_probs = ours.sample(generator(1, "test"))
    drawn = (actions.atanh() - mean) / log_std.exp()
    near(drawn, torch.randn(50, 3, generator=generator(1, "test"), dtype=torch.float64), 1e-5)
    near(log_probs, reference.TransformedDistribution(base, [tanh]).log_prob(actions))
    assert torch.equal(ours.mode, mean.tanh())


def test_densities_at_the_rim_stay_finite_and_have_slopes() -> None:
    mean = torch.full((1, 1), 12.0, requires_grad=True)
    actions, log_probs = SquashedGaussian(mean, torch.full((1, 1), -5.0)).sample(generator(0, "rim"))
    assert actions.item() == 1.0 and torch.isfinite(log_probs).all()
    log_probs.sum().backward()
    assert mean.grad is not None and torch.isfinite(mean.grad).all() and mean.grad.item() > 1.9


def test_samples_have_the_mean_and_deviation_and_the_global_stream_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    ours = Gaussian(torch.full((20_000, 1), 2.0), torch.tensor([np.log(0.5)], dtype=torch.float32))
    drawn = ours.sample(generator(2, "test"))
    assert abs(drawn.mean().item() - 2.0) < 4 * 0.5 / np.sqrt(20_000)
    assert abs(drawn.std().item() - 0.5) < 4 * 0.5 / np.sqrt(40_000)
    assert torch.equal(torch.random.get_rng_state(), before)
