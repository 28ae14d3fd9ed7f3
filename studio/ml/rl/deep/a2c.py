"""Advantage actor-critic (Mnih et al. 2016, arXiv 1602.01783), in step: one gradient step from every short rollout.

    L = −E Â log π(a|s) + c₁ E (V − R)² − c₂ E H(π)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from studio.ml.rl.deep.actor_critic import ActorCritic
from studio.ml.rl.deep.onpolicy import OnPolicy
from studio.ml.rl.deep.settings import A2CSettings
from studio.ml.rl.learner import Turn
from studio.ml.rl.worlds import Worlds, WorldSpec

FIGURES = ("loss", "policy_loss", "value_loss", "entropy")


class Loss(NamedTuple):
    """total: what is descended. figures: `FIGURES`, a tensor without gradient."""

    total: Tensor
    figures: Tensor


def loss_of(
    network: ActorCritic, observations: Tensor, actions: Tensor, numbers: Tensor, settings: A2CSettings
) -> Loss:
    """L of a rollout. numbers: [4, m] as in `onpolicy.Batch`, of which advantages and returns are used."""
    _, _, advantages, returns = numbers
    if settings.normalize_advantage and len(advantages) > 1:
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    policy, values = network(observations)
    policy_loss = -(advantages * policy.log_prob(actions)).mean()
    value_loss = (values - returns).square().mean()
    entropy = policy.entropy().mean()
    total = policy_loss + settings.value * value_loss - settings.entropy * entropy
    return Loss(total, torch.stack((total, policy_loss, value_loss, entropy)).detach())


class A2C(OnPolicy):
    """Advantage actor-critic for discrete and continuous actions. Raises NetworkDiverged.

    Each update tells "loss", "policy_loss", "value_loss", "entropy", "explained_variance", "learning_rate".
    """

    kind = "a2c"
    settings: A2CSettings

    def __init__(
        self, spec: WorldSpec, settings: A2CSettings, seed: int, budget: int = 100_000, worlds: Worlds | None = None
    ) -> None:
        super().__init__(spec, settings, seed, budget, worlds)

    def _optimizer(self, parameters: torch.nn.Parameter) -> torch.optim.Optimizer:
        rate = self.settings.learning_rate
        if self.settings.optimiser == "adam":
            return torch.optim.Adam([parameters], lr=rate, eps=1e-5, fused=True)
        return torch.optim.RMSprop([parameters], lr=rate, alpha=0.99, eps=1e-5)

    def _begin_update(self) -> None:
        """There is only the one step."""

    def _update(self) -> Turn:
        assert self.batch is not None
        explained, rate = self.batch.explained(), self._rate()
        loss = loss_of(self.network, *self.batch.rows(None), self.settings)
        length = self._descend([(loss.total, np.float32(1))], rate)
        figures = dict(zip(FIGURES, loss.figures.tolist(), strict=True))
        figures |= explained | {"learning_rate": rate}
        self.last = figures | {"gradient_norm": length}
        self._collect_again()
        return Turn("update", (), figures)
