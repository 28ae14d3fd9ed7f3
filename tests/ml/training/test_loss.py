"""The hybrid loss against independent computations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from studio.ml.diffusion.denoiser import Velocity
from studio.ml.diffusion.schedule import Schedule
from studio.ml.training.diffusion_loss import HybridLoss

SCHEDULE = Schedule.named("squaredcos_cap_v2")


@pytest.fixture
def draws():
    g = torch.Generator().manual_seed(0)
    return {
        "x0": torch.rand(6, 3, 8, 8, generator=g) * 2 - 1,
        "noise": torch.randn(6, 3, 8, 8, generator=g),
        "output": 0.5 * torch.randn(6, 6, 8, 8, generator=g),
        "t": torch.tensor([0, 1, 50, 400, 800, 998]),
    }


def test_noised_keeps_signal_and_noise_shares(draws):
    loss = HybridLoss(SCHEDULE)
    x_t = loss.noised(draws["x0"], draws["t"], draws["noise"])
    abar = torch.tensor(SCHEDULE.alphas_cumprod)[draws["t"]].view(-1, 1, 1, 1)
    assert torch.allclose(x_t.double(), abar.sqrt() * draws["x0"] + (1 - abar).sqrt() * draws["noise"], atol=1e-6)


def test_bound_is_the_kl_of_torch_distributions(draws):
    loss = HybridLoss(SCHEDULE)
    x0, t = draws["x0"][1:], draws["t"][1:]
    x_t = loss.noised(x0, t, draws["noise"][1:])
    predicted, v = draws["output"][1:].chunk(2, dim=1)
    bound = loss.variational_bound(predicted, v, x0, x_t, t)
    at = lambda values: torch.tensor(values)[t].view(-1, 1, 1, 1)  # noqa: E731
    abar, prev, beta = at(SCHEDULE.alphas_cumprod), at(SCHEDULE.alphas_cumprod_prev), at(SCHEDULE.betas)
    mean = lambda x: (prev.sqrt() * beta * x + (1 - beta).sqrt() * (1 - prev) * x_t) / (1 - abar)  # noqa: E731
    low = at(SCHEDULE.posterior_variance).log()
    scale = (((v + 1) / 2 * beta.log() + (1 - v) / 2 * low) / 2).exp()
    kl = kl_divergence(Normal(mean(x0), (low / 2).exp()), Normal(mean(predicted), scale))
    assert torch.allclose(bound.double(), kl.mean(dim=(1, 2, 3)) / np.log(2), rtol=1e-3)


def test_decoder_term_is_the_probability_of_the_pixel_bin(draws):
    loss = HybridLoss(SCHEDULE)
    x0 = torch.linspace(0, 255, 192).round().view(1, 3, 8, 8) / 127.5 - 1
    t = torch.tensor([0])
    noise = draws["noise"][:1]
    x_t = loss.noised(x0, t, noise)
    bound = loss.variational_bound(x0, torch.ones_like(x0), x0, x_t, t)
    # with the true x0 the mean is x0 and the scale sqrt(beta_0); inner bins are +-1/255 wide, the outer ones open
    normal = Normal(0.0, float(np.sqrt(SCHEDULE.betas[0])))
    inner = normal.cdf(torch.tensor(1 / 255)) - normal.cdf(torch.tensor(-1 / 255))
    outer = normal.cdf(torch.tensor(1 / 255))
    expected = -(190 * inner.log() + 2 * outer.log()) / 192 / np.log(2)
    assert float(bound) == pytest.approx(float(expected), rel=2e-3)


def test_bound_does_not_train_the_mean(draws):
    loss = HybridLoss(SCHEDULE)
    output = draws["output"].requires_grad_()
    x_t = loss.noised(draws["x0"], draws["t"], draws["noise"])
    total, parts = loss(output, draws["x0"], x_t, draws["t"], draws["noise"])
    total.backward()
    abar = torch.tensor(SCHEDULE.alphas_cumprod).float()[draws["t"]].view(-1, 1, 1, 1)
    v = abar.sqrt() * draws["noise"] - (1 - abar).sqrt() * draws["x0"]
    weight = loss.weight[draws["t"]].view(-1, 1, 1, 1)
    expected = 2 * weight * (draws["output"].detach()[:, :3] - v) / (3 * 64 * 6)
    assert torch.allclose(output.grad[:, :3], expected, rtol=1e-4, atol=1e-8)
    assert output.grad[:, 3:].abs().sum() > 0
    assert parts["mse"] > 0


def test_weights_say_what_an_error_of_x0_costs():
    snr = SCHEDULE.alphas_cumprod / (1 - SCHEDULE.alphas_cumprod)
    for floor in (0.0, 1.0):
        on_x0 = HybridLoss(SCHEDULE, gamma=5.0, floor=floor).weight.numpy() * (1 + snr)
        assert np.allclose(on_x0, floor + np.minimum(snr, 5), rtol=1e-5)


def test_velocity_means_the_noise_that_made_it(draws):
    loss, t = HybridLoss(SCHEDULE), draws["t"]
    x_t = loss.noised(draws["x0"], t, draws["noise"])
    abar = torch.tensor(SCHEDULE.alphas_cumprod).float()[t].view(-1, 1, 1, 1)
    v = abar.sqrt() * draws["noise"] - (1 - abar).sqrt() * draws["x0"]
    assert torch.allclose(Velocity(SCHEDULE).eps(v, x_t, t), draws["noise"], atol=1e-5)
