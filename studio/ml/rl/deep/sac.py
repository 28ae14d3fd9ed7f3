"""Soft actor-critic: continuous actions that earn as much as they can while staying as random as they are asked to.

    y = r + γ (1 − terminated) (min_i Q⁻_i(s', a') − α log π(a'|s')),   a' ~ π(·|s')
    critics:      ½ Σ_i mean (Q_i(s, a) − y)²
    actor:        mean (α log π(a~|s) − min_i Q_i(s, a~)),   a~ ~ π(·|s) with gradients through the draw
    temperature:  −log α · mean (log π(a~|s) + H),   H the target entropy

Haarnoja et al. 2018, arXiv 1812.05905, equations 5, 7 and 18. Q⁻ follows Q by τ after every step. Actions lie in
(−1, 1)^k for the networks and the buffer, and are stretched to the world's bounds outside.
"""

from __future__ import annotations

from copy import deepcopy
from math import log
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.rl.deep.base import LastGood, NetworkDiverged, Of, generator
from studio.ml.rl.deep.distributions import SquashedGaussian
from studio.ml.rl.deep.networks import Flat, body, linear, mlp
from studio.ml.rl.deep.offpolicy import OffPolicy
from studio.ml.rl.deep.replay import Batch
from studio.ml.rl.deep.settings import SACSettings, widths
from studio.ml.rl.errors import BadSetting
from studio.ml.rl.learner import NetLook, Policy
from studio.ml.rl.worlds import Description, Worlds, WorldSpec, describe

LOWEST, HIGHEST = -20.0, 2.0
"""Bounds of log σ, as in the authors' code."""
Floats32 = NDArray[np.float32]


class Actor(nn.Module):
    """Observations [B, ...] to a squashed Gaussian over [B, k]."""

    def __init__(self, description: Description, settings: SACSettings, stream: torch.Generator) -> None:
        super().__init__()
        self.body, features = body(
            description.observation, description.shape, description.states, widths(settings.hidden), stream,
            activation=settings.activation, start="uniform",
        )
        self.mean = linear(features, len(description.low), stream, "uniform")
        self.log_std = linear(features, len(description.low), stream, "uniform")

    def forward(self, observations: Tensor) -> SquashedGaussian:
        features = self.body(observations)
        return SquashedGaussian(self.mean(features), self.log_std(features).clamp(LOWEST, HIGHEST))


class Critics(nn.Module):
    """Observations and actions [B, k] to two independent action values, [B] each."""

    def __init__(self, description: Description, settings: SACSettings, stream: torch.Generator) -> None:
        super().__init__()
        self.body, features = body(description.observation, description.shape, description.states, (), stream,
                                   start="uniform")
        layers, inputs = widths(settings.hidden), features + len(description.low)
        self.first, self.second = (
            mlp(inputs, layers, 1, stream, activation=settings.activation, start="uniform") for _ in range(2)
        )

    def forward(self, observations: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        inputs = torch.cat((self.body(observations), actions), dim=1)
        return self.first(inputs).squeeze(1), self.second(inputs).squeeze(1)


class SAC(OffPolicy):
    """Soft actor-critic with two critics. Raises BadSetting, NetworkDiverged.

    figures of an update: "critic_loss", "actor_loss", "alpha", "entropy" (of the policy, before the stretching), "q".
    """

    kind = "sac"
    settings: SACSettings

    def __init__(
        self, spec: WorldSpec, settings: SACSettings, seed: int, budget: int, worlds: Worlds | None = None
    ) -> None:
        description = describe(spec) if worlds is None else worlds.description
        if reason := refuses(description):
            raise BadSetting(reason)
        super().__init__(spec, settings, seed, budget, worlds, (len(description.low),), np.float32)
        self.low, self.high = (np.array(bound, np.float32) for bound in (description.low, description.high))
        stream = generator(seed, "weights")
        self.actor, self.critics = Actor(description, settings, stream), Critics(description, settings, stream)
        self.targets = deepcopy(self.critics)
        self.log_alpha = nn.ParameterList([nn.Parameter(torch.tensor([log(max(settings.temperature, 1e-8))]))])
        self._flat_actor, self._flat, self._flat_targets = map(Flat, (self.actor, self.critics, self.targets))
        self.network = nn.ModuleDict(
            {"actor": self.actor, "critics": self.critics, "targets": self.targets, "temperature": self.log_alpha}
        )
        self.optimizers = {
            name: torch.optim.Adam([vector], lr=settings.learning_rate, fused=True)
            for name, vector in (
                ("actor", self._flat_actor.vector), ("critics", self._flat.vector), ("temperature", self.log_alpha[0])
            )
        }
        self._good = LastGood(self.network, self.optimizers)

    @property
    def alpha(self) -> float:
        """The temperature: weight of the entropy against the reward."""
        return float(self.log_alpha[0].detach().exp()) if self.settings.automatic else self.settings.temperature

    @property
    def target_entropy(self) -> float:
        """H, for the actions in (−1, 1)^k."""
        return self.settings.target_entropy or -float(len(self.low))

    def best(self, observations: NDArray[Any]) -> Floats32:
        """The most likely actions before squashing, [B, k] in (−1, 1)."""
        with torch.inference_mode():
            return np.asarray(self.actor(torch.from_numpy(observations)).mode.numpy())

    def _choose(self, observations: NDArray[Any]) -> Floats32:
        if self.steps < self.settings.learning_starts:
            return self.numpy_stream.uniform(-1, 1, (self.count, len(self.low))).astype(np.float32)
        with torch.inference_mode():
            return np.asarray(self.actor(torch.from_numpy(observations)).sample(self.torch_stream)[0].numpy())

    def _in_world(self, actions: NDArray[Any]) -> NDArray[Any]:
        return stretched(actions, self.low, self.high)

    def _learn(self) -> dict[str, float]:
        self._set_rates()
        s = self.settings
        batch = self.replay.batch(self.replay.draw(s.batch_size, self.numpy_stream), 1, s.gamma)
        self.ages = batch.ages * self.count
        return self.learn_from(batch)

    def learn_from(self, batch: Batch) -> dict[str, float]:
        """One step of the temperature, the critics and the actor on this batch, in this order; its figures."""
        observations, following = torch.from_numpy(batch.observations), torch.from_numpy(batch.following)
        alpha = self.alpha
        tried, density = self.actor(observations).sample(self.torch_stream)
        entropy = -float(density.detach().mean())
        if self.settings.automatic:
            # The slope of the temperature's loss by log α.
            self.log_alpha[0].grad = torch.tensor([entropy - self.target_entropy])
            self.optimizers["temperature"].step()

        with torch.no_grad():
            next_actions, next_density = self.actor(following).sample(self.torch_stream)
            worth = torch.minimum(*self.targets(following, next_actions))
            soft = worth - alpha * next_density
            target = torch.from_numpy(batch.returns) + torch.from_numpy(batch.discounts) * soft
        first, second = self.critics(observations, torch.from_numpy(batch.actions))
        critic_loss = 0.5 * ((first - target).square().mean() + (second - target).square().mean())
        self._good_or_back(critic_loss, "the critics' loss")
        self._flat.gradient.zero_()
        critic_loss.backward()
        self.optimizers["critics"].step()

        actor_loss = (alpha * density - torch.minimum(*self.critics(observations, tried))).mean()
        self._good_or_back(actor_loss, "the actor's loss")
        self._flat_actor.gradient.zero_()
        # Only the actor's slopes; those of the critics would be thrown away.
        actor_loss.backward(inputs=list(self.actor.parameters()))
        self.optimizers["actor"].step()
        with torch.no_grad():
            self._flat_targets.vector.lerp_(self._flat.vector, self.settings.tau)

        q, y = first.detach(), float(target[0])
        self.last = {
            "return": float(batch.returns[0]), "discount": float(batch.discounts[0]), "bootstrap": float(worth[0]),
            "entropy_bonus": float(soft[0] - worth[0]), "target": y, "q": float(q[0]),
            "q_second": float(second.detach()[0]), "td_error": y - float(q[0]),
        }
        losses = {"critic_loss": float(critic_loss.detach()), "actor_loss": float(actor_loss.detach())}
        return losses | {"alpha": alpha, "entropy": entropy, "q": float(q.mean())}

    def _good_or_back(self, loss: Tensor, what: str) -> None:
        if not torch.isfinite(loss):
            self._good.bring_back()
            raise NetworkDiverged(what)

    def _net_look(self) -> NetLook:
        observations = torch.from_numpy(self.observations[:1])
        policy = self.actor(observations)
        mean = policy.mode
        # To first order a squashed Gaussian is as wide as its normal one times the slope of tanh at the mean.
        deviation = (policy.before.log_std.exp() * (1 - mean.square()))[0].numpy() * (self.high - self.low) / 2
        value = float(torch.minimum(*self.critics(observations, mean)))
        return NetLook(
            mean=stretched(mean[0].numpy(), self.low, self.high).astype(np.float64),
            deviation=deviation.astype(np.float64), value=value, last=dict(self.last),
            ages=None if self.ages is None else self.ages.copy(),
        )

    def score(self, observations: Tensor, of: Of) -> Tensor:
        """The action before it is stretched, or the smaller of its values."""
        mode = self.actor(observations).mode
        return mode[0] if of == "action" else torch.minimum(*self.critics(observations, mode)).reshape(1)

    def policy(self) -> Policy:
        return SquashedPolicy(deepcopy(self.actor), self.low, self.high)


class SquashedPolicy:
    """A frozen copy of an actor: its most likely action, or one drawn from the stream that u begins."""

    def __init__(self, actor: Actor, low: Floats32, high: Floats32) -> None:
        self._actor, self._low, self._high = actor, low, high

    def act(self, observation: Any, u: float | None = None) -> Floats32:
        with torch.inference_mode():
            policy = self._actor(torch.from_numpy(np.asarray(observation)[None]))
            if u is None:
                action = policy.mode
            else:
                action, _ = policy.sample(generator(int(u * 2**53), "action"))
        return stretched(action[0].numpy(), self._low, self._high)


def stretched(actions: NDArray[Any], low: Floats32, high: Floats32) -> Floats32:
    """Actions in [−1, 1]^k as the world takes them, within its bounds."""
    return np.asarray(np.clip(low + (actions + 1) * (0.5 * (high - low)), low, high), np.float32)


def refuses(description: Description) -> str:
    """Why SAC cannot learn in this world, and what can; nothing where it can."""
    if description.actions != "continuous":
        return "SAC draws continuous actions, and this world's are a few to pick from. Take DQN, PPO or A2C."
    return ""
