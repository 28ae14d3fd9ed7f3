"""What networks of Stable-Baselines3 say about one observation, and frozen copies of them that act."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from studio.ml.rl.learner import NetLook


class Said(NamedTuple):
    """values: [A] action values. policy: [A] probabilities. mean, deviation: [k] of the Gaussian, before any squashing.

    value: of a critic. best: the action taken when nothing is tried out, as the world takes it.
    """

    best: Any
    values: NDArray[np.float64] | None = None
    policy: NDArray[np.float64] | None = None
    mean: NDArray[np.float64] | None = None
    deviation: NDArray[np.float64] | None = None
    value: float | None = None

    def look(self, last: dict[str, float]) -> NetLook:
        return NetLook(self.values, self.policy, self.mean, self.deviation, self.value, dict(last))


def say(network: Any, observation: Any, epsilon: float) -> Said:
    """What the policy object of an algorithm says about one observation. epsilon: share of random actions, with values.

    Draws from no stream, and leaves the networks as they are.
    """
    training = network.training
    network.set_training_mode(False)
    try:
        with torch.no_grad():
            seen = network.obs_to_tensor(np.asarray(observation))[0]
            if hasattr(network, "q_net") or hasattr(network, "quantile_net"):
                return _valued(network, seen, epsilon)
            if hasattr(network, "action_net"):
                return _rated(network, seen)
            return _steered(network, seen)
    finally:
        network.set_training_mode(training)


def _valued(network: Any, seen: torch.Tensor, epsilon: float) -> Said:
    found = network.q_net(seen) if hasattr(network, "q_net") else network.quantile_net(seen).mean(dim=1)
    values = _array(found[0])
    policy = np.full(len(values), epsilon / len(values))
    policy[values.argmax()] += 1 - epsilon
    return Said(int(values.argmax()), values, policy)


def _rated(network: Any, seen: torch.Tensor) -> Said:
    of_actions = network.get_distribution(seen).distribution
    value = float(network.predict_values(seen))
    if isinstance(of_actions, torch.distributions.Categorical):
        policy = _array(of_actions.probs[0])
        return Said(int(policy.argmax()), policy=policy, value=value)
    mean, deviation = _array(of_actions.mean[0]), _array(of_actions.stddev[0])
    return Said(acted(network, mean), mean=mean, deviation=deviation, value=value)


def _steered(network: Any, seen: torch.Tensor) -> Said:
    actor = network.actor
    if not hasattr(actor, "get_action_dist_params"):
        squashed = actor(seen)
        action = _array(squashed[0])
        best = _unscaled(network, action)
        return Said(best, mean=action, deviation=np.zeros(len(action)), value=_least(network, seen, squashed))
    mean, log_std, more = actor.get_action_dist_params(seen)
    of_actions = actor.action_dist.proba_distribution(mean, log_std, **more).distribution
    mean, deviation = of_actions.mean, of_actions.stddev
    value = _least(network, seen, torch.tanh(mean))
    return Said(acted(network, _array(mean[0])), mean=_array(mean[0]), deviation=_array(deviation[0]), value=value)


def _least(network: Any, seen: torch.Tensor, action: torch.Tensor) -> float:
    """The lowest of what the critics say."""
    said = network.critic(seen, action)
    if not isinstance(said, tuple):
        return float(said.mean())  # quantiles of one distribution
    return min(float(one) for one in said)


def acted(network: Any, drawn: NDArray[np.float64]) -> NDArray[np.float32]:
    """A draw of the Gaussian as the world takes it: squashed and stretched to the bounds, or cut at them."""
    if network.squash_output:
        return _unscaled(network, np.tanh(drawn))
    space = network.action_space
    return np.asarray(np.clip(drawn, space.low, space.high), np.float32)


def _unscaled(network: Any, action: NDArray[np.float64]) -> NDArray[np.float32]:
    low, high = network.action_space.low, network.action_space.high
    return np.asarray(low + 0.5 * (action + 1.0) * (high - low), np.float32)


def _array(tensor: torch.Tensor) -> NDArray[np.float64]:
    return np.asarray(tensor.detach().numpy(), np.float64).copy()


def drawn(said: Said, u: float) -> Any:
    """What the exploring policy draws on u in [0, 1): the index of an action, or a Gaussian draw [k] not yet acted."""
    if said.policy is not None:
        return min(int(np.searchsorted(np.cumsum(said.policy), u, side="right")), len(said.policy) - 1)
    assert said.mean is not None and said.deviation is not None
    stream = np.random.Generator(np.random.PCG64(int(u * 2**53)))
    return said.mean + said.deviation * stream.standard_normal(len(said.mean))


class Frozen:
    """A policy object as it is now, without its optimisers. epsilon: its share of random actions."""

    def __init__(self, network: Any, epsilon: float = 0.0) -> None:
        parts = (network, getattr(network, "actor", None), getattr(network, "critic", None))
        left_out = [getattr(part, "optimizer", None) for part in parts]
        memo: dict[int, Any] = {id(optimizer): None for optimizer in left_out if optimizer is not None}
        self._network = copy.deepcopy(network, memo)
        self._epsilon = epsilon

    def act(self, observation: Any, u: float | None = None) -> Any:
        """The best action; with a draw u in [0, 1) the one that the exploring policy takes on that draw."""
        said = say(self._network, observation, self._epsilon)
        if u is None:
            return said.best
        action = drawn(said, u)
        if isinstance(action, int):
            return action
        if said.deviation is not None and not said.deviation.any():
            return said.best
        return acted(self._network, action)
