"""A policy and its critic, and how they act: in torch to learn, in numpy or torch to collect, frozen to be judged."""

from __future__ import annotations

from copy import deepcopy
from math import log, pi
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.rl.deep.distributions import Categorical, Gaussian
from studio.ml.rl.deep.networks import body, linear
from studio.ml.rl.deep.normalise import Moments
from studio.ml.rl.deep.plain import Plain, choose, softmax
from studio.ml.rl.deep.settings import A2CSettings, PPOSettings, widths
from studio.ml.rl.worlds import Description

Floats = NDArray[np.float32]
SERIAL = 2**18
"""Products up to which numpy's BLAS stays on the calling thread; larger ones are left to torch, which is told to."""


class ActorCritic(nn.Module):
    """Observations [B, ...] to a distribution over actions and the values of the observations.

    Vectors and states go through a perceptron for the policy and one for the critic; pixels through convolutions that
    both share. Continuous actions have a deviation of their own, the same in every state. It begins as is usual:
    orthogonal, the policy's last layer small (0.01) so that all actions are about equally likely.
    """

    def __init__(
        self, description: Description, settings: PPOSettings | A2CSettings, stream: torch.Generator
    ) -> None:
        super().__init__()
        about, layers = description, widths(settings.hidden)
        self.continuous = about.actions == "continuous"
        outputs = about.size if self.continuous else about.n or 0

        def fresh() -> tuple[nn.Sequential, int]:
            return body(about.observation, about.shape, about.states, layers, stream, activation=settings.activation)

        self.policy: nn.Module
        self.value: nn.Module
        if about.observation == "pixels":
            self.shared, features = fresh()
            self.policy = linear(features, outputs, stream, gain=0.01)
            self.value = linear(features, 1, stream, gain=1.0)
        else:
            self.shared = nn.Sequential()
            policy, features = fresh()
            value, _ = fresh()
            self.policy = policy.append(linear(features, outputs, stream, gain=0.01))
            self.value = value.append(linear(features, 1, stream, gain=1.0))
        self.log_std = nn.Parameter(torch.zeros(outputs)) if self.continuous else None

    def outputs(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Logits or means [B, A], and values [B]."""
        features = self.shared(observations)
        return self.policy(features), self.value(features).squeeze(-1)

    def forward(self, observations: Tensor) -> tuple[Categorical | Gaussian, Tensor]:
        outputs, values = self.outputs(observations)
        return (Categorical(outputs) if self.log_std is None else Gaussian(outputs, self.log_std)), values


class Act(NamedTuple):
    """actions: int64 [B], or float32 [B, k] as drawn, not yet cut to the world's bounds. log_probs, values: [B]."""

    actions: NDArray[Any]
    log_probs: Floats
    values: Floats


class Actor:
    """How a network acts, for a few observations at a time. frozen: with weights of its own."""

    def __init__(self, network: ActorCritic, *, frozen: bool = False) -> None:
        network = deepcopy(network) if frozen else network
        self._network = network
        self._log_std = None if network.log_std is None else network.log_std.detach().numpy()
        self._plain = None if len(network.shared) else (Plain(network.policy), Plain(network.value))
        self._most_rows = SERIAL // max(parameter.numel() for parameter in network.parameters())

    def outputs(self, observations: NDArray[Any]) -> tuple[Floats, Floats]:
        """Logits or means [B, A], and values [B]."""
        if self._plain is not None and len(observations) <= self._most_rows:
            policy, value = self._plain
            return policy(observations), value(observations)[:, 0]
        with torch.inference_mode():
            outputs, values = self._network.outputs(torch.from_numpy(observations))
            return outputs.numpy(), values.numpy()

    def act(self, observations: NDArray[Any], stream: np.random.Generator) -> Act:
        """Draws actions: one uniform number for each row, or a normal one for each number of an action."""
        outputs, values = self.outputs(observations)
        if self._log_std is None:
            p = softmax(outputs)
            actions = choose(p, stream.random(len(p)))
            return Act(actions, np.log(p[np.arange(len(p)), actions]).astype(np.float32), values)
        z = stream.standard_normal(outputs.shape, dtype=np.float32)
        densities = -0.5 * z * z - self._log_std - np.float32(0.5 * log(2 * pi))
        return Act(outputs + np.exp(self._log_std) * z, densities.sum(-1), values)

    def deviation(self) -> NDArray[np.float64] | None:
        """[k] of continuous actions."""
        return None if self._log_std is None else np.exp(self._log_std.astype(np.float64))


class ActorPolicy:
    """A frozen copy of a policy: the most likely action, or one drawn. low, high: bounds of continuous actions."""

    def __init__(self, network: ActorCritic, seen: Moments | None, low: Floats, high: Floats) -> None:
        self._actor, self._seen, self._low, self._high = Actor(network, frozen=True), seen, low, high

    def act(self, observation: Any, u: float | None = None) -> Any:
        """observation: [*shape] as the world gives it. An int, or float32 [k]."""
        row = np.asarray(observation)[None]
        if self._seen is not None:
            row = self._seen.normal(row)
        outputs, _ = self._actor.outputs(row)
        deviation = self._actor.deviation()
        if deviation is None:
            return int(outputs[0].argmax()) if u is None else int(choose(softmax(outputs), np.array([u]))[0])
        action = outputs[0].astype(np.float64)
        if u is not None:
            # One number between 0 and 1 stands for k normal ones: as the seed of a stream of them.
            action += deviation * np.random.Generator(np.random.PCG64(int(u * 2**53))).standard_normal(len(action))
        return np.clip(action.astype(np.float32), self._low, self._high)
