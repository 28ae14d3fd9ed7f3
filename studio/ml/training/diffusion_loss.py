"""The hybrid loss of learned-variance diffusion (Nichol & Dhariwal 2021, arXiv 2102.09672) for networks that predict v.

L = w(t) |v - v_theta|^2 + vb_t with v = sqrt(abar) eps - sqrt(1 - abar) x_0 (Salimans & Ho 2022, arXiv 2202.00512); vb_t (bits per
dimension) trains the variance alone: the mean is detached. As |v - v_theta|^2 = (1 + SNR) |x_0 - x_theta|^2, the weights say what an
error of x_0 costs: floor + min(SNR, gamma). floor = 0 are min-SNR weights (Hang et al. 2023, arXiv 2303.09556); a floor of 1 makes the
noisiest steps, where background and layout are decided, count as much as they would by v alone.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from studio.ml.diffusion.schedule import Floats, Schedule


class HybridLoss:
    """Loss of a network that returns v and variance interpolation, for the schedule it is trained on."""

    def __init__(self, schedule: Schedule, *, gamma: float = 5.0, floor: float = 0.05) -> None:
        def table(values: Floats) -> Tensor:
            # worked out in float64 and only then rounded: 1 - abar near t = 0 would lose three digits in float32
            return torch.from_numpy(values).float()

        abar, prev, betas = schedule.alphas_cumprod, schedule.alphas_cumprod_prev, schedule.betas
        snr = abar / (1 - abar)
        self.signal, self.noise = table(np.sqrt(abar)), table(np.sqrt(1 - abar))
        self.mean_x0 = table(betas * np.sqrt(prev) / (1 - abar))
        self.mean_xt = table((1 - prev) * np.sqrt(1 - betas) / (1 - abar))
        self.log_beta = table(np.log(betas))
        self.posterior_log_variance = table(schedule.posterior_log_variance_clipped)
        self.weight = table((floor + np.minimum(snr, gamma)) / (1 + snr))

    def noised(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_t = sqrt(abar) x_0 + sqrt(1 - abar) eps."""
        return _at(self.signal, t, x0) * x0 + _at(self.noise, t, x0) * noise

    def __call__(
        self, output: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, noise: Tensor, where: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """output [B, 2C, H, W] -> mean loss and its parts. `where` [B, 1, H, W], of mean 1, says which pixels' v counts how much."""
        v, interpolation = output.float().chunk(2, dim=1)
        signal, scale = _at(self.signal, t, x0), _at(self.noise, t, x0)
        error = (v - (signal * noise - scale * x0)).square()
        squared = (error if where is None else error * where).mean(dim=(1, 2, 3))
        predicted = (signal * x_t - scale * v.detach()).clamp(-1, 1)
        vb = self.variational_bound(predicted, interpolation, x0, x_t, t)
        loss = (self.weight.to(t.device)[t] * squared + vb).mean()
        return loss, {"mse": squared.mean().detach(), "vb": vb.mean().detach()}

    def variational_bound(self, predicted: Tensor, interpolation: Tensor, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """KL(q(x_{t-1}|x_t,x_0) || p) in bits per dimension, [B]; the decoder's likelihood of 8-bit pixels at t = 0.

        predicted: the network's x_0, clamped to [-1, 1].
        """
        low = _at(self.posterior_log_variance, t, x0)
        share = (interpolation + 1) / 2
        log_variance = share * _at(self.log_beta, t, x0) + (1 - share) * low
        shift = _at(self.mean_x0, t, x0) * (x0 - predicted)  # the part of the means that x_t gives is the same in both
        mean = _at(self.mean_x0, t, x0) * predicted + _at(self.mean_xt, t, x0) * x_t
        kl = 0.5 * (log_variance - low + (low - log_variance).exp() + shift.square() * (-log_variance).exp() - 1)
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
