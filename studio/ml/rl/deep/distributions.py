"""Distributions over actions that networks learn by; what draws from them is given its generator.

torch.distributions checks its arguments at every call and draws from torch's global stream; these do neither.
"""

from __future__ import annotations

from math import e, log, pi

import torch
import torch.nn.functional as F
from torch import Tensor


class Categorical:
    """One of A actions. logits: [B, A], not normalised."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = torch.log_softmax(logits, -1)

    @property
    def probabilities(self) -> Tensor:
        return self.logits.exp()

    def log_prob(self, actions: Tensor) -> Tensor:
        """actions: int64 [B]. [B]."""
        return self.logits.gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """[B], in nats."""
        return -(self.probabilities * self.logits.clamp(min=torch.finfo(self.logits.dtype).min)).sum(-1)


class Gaussian:
    """Independent normals. mean: [B, k]. log_std: [k] or [B, k]."""

    def __init__(self, mean: Tensor, log_std: Tensor) -> None:
        self.mean, self.log_std = mean, log_std.expand_as(mean)

    def log_prob(self, actions: Tensor) -> Tensor:
        """actions: [B, k]. Density in nats, [B]."""
        z = (actions - self.mean) * (-self.log_std).exp()
        return (-0.5 * z.square() - self.log_std - 0.5 * log(2 * pi)).sum(-1)

    def entropy(self) -> Tensor:
        """[B], in nats."""
        return (self.log_std + 0.5 * log(2 * pi * e)).sum(-1)

    def sample(self, generator: torch.Generator) -> Tensor:
        """[B, k]; gradients pass through mean and deviation."""
        noise = torch.randn(self.mean.shape, generator=generator, dtype=self.mean.dtype)
        return self.mean + self.log_std.exp() * noise


class SquashedGaussian:
    """tanh of a Gaussian: actions in (−1, 1)^k (Haarnoja et al. 2018, appendix C)."""

    def __init__(self, mean: Tensor, log_std: Tensor) -> None:
        self.before = Gaussian(mean, log_std)

    @property
    def mode(self) -> Tensor:
        return self.before.mean.tanh()

    def sample(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Actions [B, k] and their log densities [B], exact however near they are to ±1; gradients pass through."""
        x = self.before.sample(generator)
        # log(1 − tanh²x) = 2 (log 2 − x − softplus(−2x)), which does not round to log 0.
        return x.tanh(), self.before.log_prob(x) - (2 * (log(2) - x - F.softplus(-2 * x))).sum(-1)
