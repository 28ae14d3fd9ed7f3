"""The hybrid loss of learned-variance diffusion (Nichol & Dhariwal 2021, arXiv 2102.09672) with min-SNR weights.

L = w(t) |eps - eps_theta|^2 + vb_t, where vb_t (bits per dimension) trains the variance alone: the mean is detached.
w(t) = min(SNR, gamma) / SNR (Hang et al. 2023, arXiv 2303.09556).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from studio.ml.diffusion.schedule import Schedule


class HybridLoss:
    """Loss of a network that returns noise and variance interpolation, for the schedule it is trained on."""

    def __init__(self, schedule: Schedule, *, gamma: float = 5.0) -> None:
        def table(values: object) -> Tensor:
            return torch.as_tensor(values, dtype=torch.float64).float()

        self.abar = table(schedule.alphas_cumprod)
        self.abar_prev = table(schedule.alphas_cumprod_prev)
        self.betas = table(schedule.betas)
        self.posterior_log_variance = table(schedule.posterior_log_variance_clipped)
        snr = torch.as_tensor(schedule.alphas_cumprod / (1 - schedule.alphas_cumprod))
        self.weight = (snr.clamp(max=gamma) / snr).float()

    def noised(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_t = sqrt(abar) x_0 + sqrt(1 - abar) eps."""
        abar = _at(self.abar, t, x0)
        return abar.sqrt() * x0 + (1 - abar).sqrt() * noise

    def __call__(self, output: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, noise: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """output [B, 2C, H, W] -> mean loss and its parts."""
        eps, interpolation = output.float().chunk(2, dim=1)
        squared = (eps - noise).square().mean(dim=(1, 2, 3))
        vb = self.variational_bound(eps.detach(), interpolation, x0, x_t, t)
        loss = (self.weight.to(t.device)[t] * squared + vb).mean()
        return loss, {"mse": squared.mean().detach(), "vb": vb.mean().detach()}

    def variational_bound(self, eps: Tensor, interpolation: Tensor, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """KL(q(x_{t-1}|x_t,x_0) || p) in bits per dimension, [B]; the decoder's likelihood of 8-bit pixels at t = 0."""
        abar, prev, beta = (_at(table, t, x0) for table in (self.abar, self.abar_prev, self.betas))
        low = _at(self.posterior_log_variance, t, x0)
        share = (interpolation + 1) / 2
        log_variance = share * beta.log() + (1 - share) * low
        predicted = ((x_t - (1 - abar).sqrt() * eps) / abar.sqrt()).clamp(-1, 1)
        first = beta * prev.sqrt() / (1 - abar)
        second = (1 - prev) * (1 - beta).sqrt() / (1 - abar)
        true_mean, mean = first * x0 + second * x_t, first * predicted + second * x_t
        kl = 0.5 * (log_variance - low + (low - log_variance).exp() + (true_mean - mean).square() * (-log_variance).exp() - 1)
        decoder = -_discretised_log_likelihood(x0, mean, 0.5 * log_variance)
        per_pixel = torch.where((t == 0).view(-1, 1, 1, 1), decoder, kl)
        return per_pixel.mean(dim=(1, 2, 3)) / math.log(2)


def _at(table: Tensor, t: Tensor, like: Tensor) -> Tensor:
    return table.to(like.device)[t].view(-1, *[1] * (like.ndim - 1))


def _discretised_log_likelihood(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """log P of an 8-bit pixel value under a Gaussian, by the difference of its distribution function over the bin."""
    inverse = (-log_scale).exp()
    upper = torch.special.ndtr((x - mean + 1 / 255) * inverse)
    lower = torch.special.ndtr((x - mean - 1 / 255) * inverse)
    probability = torch.where(x > 0.999, 1 - lower, torch.where(x < -0.999, upper, upper - lower))
    return probability.clamp(min=1e-12).log()
