"""Standard networks of Stable-Baselines3, built anew from the names and shapes of their weights alone.

    PPO, A2C     mlp_extractor.policy_net, value_net; action_net, value_net; log_std of Gaussians
    DQN          q_net.q_net (its target network is not needed)
    SAC          actor.latent_pi, mu, log_std
    TD3, DDPG    actor.mu, with a tanh at the end

Convolutions before them are those of the Nature network, or none. Any weight that these do not need is a reason to
refuse, so that no part of an agent is left out in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.rl.errors import BadCheckpoint
from studio.ml.rl.learner import NetLook
from studio.ml.rl.sb3.space import Space

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    name: getattr(nn, name) for name in ("Tanh", "ReLU", "ELU", "LeakyReLU", "GELU", "SiLU", "Sigmoid", "Softplus")
}
_LOG_STD = (-20.0, 2.0)
"""Where SAC's log deviations are cut."""
_NATURE = ((0, 32, 8, 4), (2, 64, 4, 2), (4, 64, 3, 1))
Weights = Mapping[str, Tensor]
Spread = Callable[[Tensor], Tensor]


class Gauss(NamedTuple):
    mean: Tensor
    deviation: Tensor


class Rebuilt:
    """A policy out of a file. algorithm: which kind it is. Built by `rebuild`."""

    def __init__(
        self, algorithm: str, observation: Space, action: Space, features: nn.Module, head: nn.Module,
        critic: nn.Module | None = None, spread: Spread | None = None, squash: bool = False, epsilon: float = 0.0,
    ) -> None:
        self.algorithm, self.observation, self.action = algorithm, observation, action
        self._features, self._head, self._critic = features, head, critic
        self._spread, self._squash, self._epsilon = spread, squash, epsilon

    def act(self, observation: Any, u: float | None = None) -> Any:
        """The best action; with a draw u in [0, 1) the one that the exploring policy takes on that draw.

        Raises BadCheckpoint for an observation of another world.
        """
        with torch.no_grad():
            features = self._features(self._seen(observation))
            out = self._head(features)
            if self.action.kind == "Discrete":
                if u is None:
                    return int(out[0].argmax())
                chances = np.cumsum(self._chances(out))
                return min(int(np.searchsorted(chances, u, side="right")), self.action.n - 1)
            return self._taken(self._gauss(features, out), u)

    def look(self, observation: Any) -> NetLook:
        """What its networks say about one observation."""
        with torch.no_grad():
            features = self._features(self._seen(observation))
            out = self._head(features)
            value = None if self._critic is None else float(self._critic(features))
            if self.action.kind == "Discrete":
                values = np.asarray(out[0].numpy(), np.float64) if self.algorithm == "DQN" else None
                return NetLook(values, self._chances(out), value=value)
            mean, deviation = self._gauss(features, out)
            middle, spread = np.asarray(mean[0], np.float64), np.asarray(deviation[0], np.float64)
            return NetLook(mean=middle, deviation=spread, value=value)

    def _seen(self, observation: Any) -> Tensor:
        """One observation as a batch, as Stable-Baselines3 prepares it."""
        space, array = self.observation, np.asarray(observation)
        if space.kind == "Discrete":
            if array.size != 1 or not 0 <= int(array.reshape(())) < space.n:
                raise BadCheckpoint(f"This agent was trained on states from 0 to {space.n - 1}, not {observation!r}.")
            return torch.eye(space.n)[int(array.reshape(()))][None]
        if space.pixels and array.shape != space.shape and (array.shape[2:] + array.shape[:2]) == space.shape:
            array = array.transpose(2, 0, 1)
        if array.shape != space.shape:
            raise BadCheckpoint(
                f"This agent was trained on observations of shape {space.shape}; this world's have {array.shape}."
            )
        batch = torch.as_tensor(np.ascontiguousarray(array))[None].float()
        return batch / 255 if space.pixels else batch

    def _chances(self, out: Tensor) -> NDArray[np.float64]:
        if self.algorithm != "DQN":
            return np.asarray(torch.softmax(out[0].double(), dim=-1).numpy())
        chances = np.full(self.action.n, self._epsilon / self.action.n)
        chances[int(out[0].argmax())] += 1 - self._epsilon
        return chances

    def _gauss(self, features: Tensor, out: Tensor) -> Gauss:
        if self._spread is None:
            return Gauss(out, torch.zeros_like(out))
        return Gauss(out, self._spread(features).expand_as(out))

    def _taken(self, gauss: Gauss, u: float | None) -> NDArray[np.float32]:
        drawn, low, high = gauss.mean[0].numpy(), self.action.low.reshape(-1), self.action.high.reshape(-1)
        if u is not None:
            stream = np.random.Generator(np.random.PCG64(int(u * 2**53)))
            drawn = drawn + gauss.deviation[0].numpy() * stream.standard_normal(len(drawn))
        action = low + 0.5 * (np.tanh(drawn) + 1.0) * (high - low) if self._squash else np.clip(drawn, low, high)
        return np.asarray(action, np.float32).reshape(self.action.shape)


def rebuild(
    weights: Weights, observation: Space, action: Space, kwargs: Mapping[str, Any], epsilon: float = 0.0
) -> Rebuilt:
    """The policy of these weights. kwargs: of the policy, as far as JSON tells them. Raises BadCheckpoint."""
    if action.kind == "Box" and (action.low is None or action.high is None):
        raise BadCheckpoint("The bounds of its actions cannot be read without unpickling.")
    parts = _Parts(weights, observation, kwargs)
    if parts.has("q_net.q_net."):
        network = parts.features("q_net.features_extractor."), parts.mlp("q_net.q_net.", nn.ReLU, end=True)
        parts.ignore("q_net_target.")
        found = Rebuilt("DQN", observation, action, *network, epsilon=epsilon)
    elif parts.has("actor.latent_pi.") or parts.has("actor.log_std"):
        found = _sac(parts, observation, action)
    elif parts.has("actor.mu."):
        network = parts.features("actor.features_extractor."), parts.mlp("actor.mu.", nn.ReLU, end=True)
        parts.ignore("actor_target.", "critic.", "critic_target.")
        found = Rebuilt("TD3 or DDPG", observation, action, *network, squash=True)
    elif parts.has("action_net."):
        found = _actor_critic(parts, observation, action)
    else:
        raise BadCheckpoint("Its networks are none of the standard ones of PPO, A2C, DQN, SAC, TD3 or DDPG.")
    parts.nothing_left()
    try:
        sample = np.zeros(observation.shape, np.uint8 if observation.pixels else np.float32)
        found.act(0 if observation.kind == "Discrete" else sample)
    except (RuntimeError, ValueError) as error:
        raise BadCheckpoint(f"The weights do not fit together: {error}.") from error
    return found


def _sac(parts: _Parts, observation: Space, action: Space) -> Rebuilt:
    features = parts.features("actor.features_extractor.")
    latent = parts.mlp("actor.latent_pi.", nn.ReLU, end=False)
    mean: nn.Module
    spread: Spread
    if parts.has("actor.log_std.weight"):
        mean = parts.linear("actor.mu.")
        spread = nn.Sequential(parts.linear("actor.log_std."), nn.Hardtanh(*_LOG_STD), _Exp())
    else:
        clip = float(parts.kwargs.get("clip_mean", 2.0))
        mean = parts.linear("actor.mu.0." if clip > 0 else "actor.mu.")
        mean = nn.Sequential(mean, nn.Hardtanh(-clip, clip)) if clip > 0 else mean
        spread = parts.state_dependent("actor.log_std")
    parts.ignore("critic.", "critic_target.")
    return Rebuilt("SAC", observation, action, nn.Sequential(features, latent), mean, spread=spread, squash=True)


def _actor_critic(parts: _Parts, observation: Space, action: Space) -> Rebuilt:
    shared = parts.features("features_extractor.", also=("pi_features_extractor.",))
    of_values = parts.features("vf_features_extractor.") if parts.has("vf_features_extractor.") else shared
    pairs = zip(shared.state_dict().values(), of_values.state_dict().values(), strict=True)
    same = all(torch.equal(a, b) for a, b in pairs)
    policy = parts.mlp("mlp_extractor.policy_net.", nn.Tanh, end=False)
    critic = nn.Sequential(parts.mlp("mlp_extractor.value_net.", nn.Tanh, end=False), parts.linear("value_net."))
    head = nn.Sequential(policy, parts.linear("action_net."))
    if action.kind != "Box":
        return Rebuilt("PPO or A2C", observation, action, shared, head, critic if same else None)
    log_std = parts.weights.get("log_std")
    if log_std is None:
        raise BadCheckpoint("It has continuous actions but no deviation for them.")
    spread: nn.Module = _Constant(log_std.exp())
    squash = False
    if log_std.dim() > 1:
        spread = nn.Sequential(policy, parts.state_dependent("log_std"))
        squash = parts.kwargs.get("squash_output") is True
    parts.used.add("log_std")
    return Rebuilt("PPO or A2C", observation, action, shared, head, critic if same else None, spread, squash)


class _Parts:
    """Weights by name, and which have found their place."""

    def __init__(self, weights: Weights, observation: Space, kwargs: Mapping[str, Any]) -> None:
        self.weights, self.observation, self.kwargs = weights, observation, kwargs
        self.used: set[str] = set()

    def has(self, prefix: str) -> bool:
        return any(name.startswith(prefix) for name in self.weights)

    def ignore(self, *prefixes: str) -> None:
        """Parts that acting does not need: critics and target networks."""
        self.used |= {name for name in self.weights if name.startswith(prefixes)}

    def nothing_left(self) -> None:
        left = sorted(set(self.weights) - self.used)
        if left:
            raise BadCheckpoint(
                f"It has weights that no standard policy has, such as {left[0]}: what they do cannot be known without "
                "its code."
            )

    def linear(self, prefix: str) -> nn.Linear:
        """The linear layer of these weights. Raises BadCheckpoint."""
        weight, bias = self.weights.get(prefix + "weight"), self.weights.get(prefix + "bias")
        if weight is None or weight.dim() != 2:
            raise BadCheckpoint(f"The layer {prefix.rstrip('.')} is missing or has the wrong shape.")
        layer: nn.Linear = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0], bias=bias is not None)
        self.used |= {prefix + "weight"} | ({prefix + "bias"} if bias is not None else set())
        layer.weight.data = weight
        if bias is not None:
            if bias.shape != weight.shape[:1]:
                raise BadCheckpoint(f"The layer {prefix.rstrip('.')} has the wrong shape.")
            layer.bias.data = bias
        return layer

    def mlp(self, prefix: str, usual: type[nn.Module], end: bool) -> nn.Sequential:
        """Linear layers with the activation between them, and after the last one unless it is the `end`."""
        layer = re.compile(re.escape(prefix) + r"(\d+)\.weight")
        places = sorted(int(found[1]) for name in self.weights if (found := layer.fullmatch(name)))
        if places != list(range(0, 2 * len(places), 2)):
            raise BadCheckpoint(f"{prefix.rstrip('.')} has layers between its linear ones that no standard policy has.")
        layers: list[nn.Module] = []
        for place in places:
            layers += [self.linear(f"{prefix}{place}."), self.activation(usual)()]
        return nn.Sequential(*(layers[:-1] if end else layers))

    def activation(self, usual: type[nn.Module]) -> type[nn.Module]:
        told = str(self.kwargs.get("activation_fn", ""))
        if not told:
            return usual
        found = re.fullmatch(r"<class 'torch\.nn\.modules\.activation\.(\w+)'>", told)
        if found is None or found[1] not in _ACTIVATIONS:
            raise BadCheckpoint(f"Its activation is {told}; known are {', '.join(_ACTIVATIONS)}.")
        return _ACTIVATIONS[found[1]]

    def features(self, prefix: str, also: tuple[str, ...] = ()) -> nn.Module:
        """Flattening, or the convolutions of the Nature network. also: other names of the same weights."""
        self.ignore(*also)
        if not self.has(prefix + "cnn."):
            return nn.Flatten()
        if not self.observation.pixels:
            raise BadCheckpoint("It has convolutions, but its observations are no pictures.")
        layers: list[nn.Module] = []
        for place, filters, size, stride in _NATURE:
            names = f"{prefix}cnn.{place}.weight", f"{prefix}cnn.{place}.bias"
            weight, bias = self.weights.get(names[0]), self.weights.get(names[1])
            if weight is None or bias is None or weight.shape[:1] + weight.shape[2:] != (filters, size, size):
                raise BadCheckpoint("Its convolutions are not those of the Nature network.")
            layer: nn.Conv2d = nn.utils.skip_init(nn.Conv2d, weight.shape[1], filters, size, stride)
            assert layer.bias is not None
            layer.weight.data, layer.bias.data = weight, bias
            self.used |= set(names)
            layers += [layer, nn.ReLU()]
        return nn.Sequential(*layers, nn.Flatten(), self.linear(f"{prefix}linear.0."), nn.ReLU())

    def state_dependent(self, name: str) -> _StateDependent:
        """Deviations that depend on the state."""
        if self.kwargs.get("use_expln") is True:
            raise BadCheckpoint("Its deviations use expln, which is not rebuilt.")
        self.used.add(name)
        return _StateDependent(self.weights[name].exp() ** 2)


class _Constant(nn.Module):
    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value

    def forward(self, _: Tensor) -> Tensor:
        return self.value


class _Exp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


class _StateDependent(nn.Module):
    """√(h² σ²) for features h and variances σ² [h, k] (Raffin et al., 2021, arXiv 2005.05719, equation 5)."""

    def __init__(self, variance: Tensor) -> None:
        super().__init__()
        self.variance = variance

    def forward(self, features: Tensor) -> Tensor:
        return torch.sqrt(features**2 @ self.variance + 1e-6)


