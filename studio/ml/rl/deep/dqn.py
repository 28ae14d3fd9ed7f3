"""Deep Q-learning: a network of action values, fitted to its own bootstrapped targets out of a replay buffer.

    y = Σ_{k<m} γᵏ r_{t+k} + γᵐ (1 − terminated) Q⁻(s_{t+m}, a*)
    a* = argmax Q⁻(s_{t+m}, ·)                         Mnih et al. 2015, Nature 518
    a* = argmax Q(s_{t+m}, ·)                          double: van Hasselt et al. 2016, arXiv 1509.06461
    Q(s, a) = V(s) + A(s, a) − mean A(s, ·)            dueling: Wang et al. 2016, arXiv 1511.06581

Q⁻ is the target network, a copy of Q made every so many steps. n-step sums and truncation are in `replay`, priorities
in `prioritised`.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.rl.deep.base import LastGood, NetworkDiverged, Of, generator
from studio.ml.rl.deep.networks import Flat, body, linear
from studio.ml.rl.deep.offpolicy import OffPolicy
from studio.ml.rl.deep.prioritised import Priorities
from studio.ml.rl.deep.replay import Batch
from studio.ml.rl.deep.settings import DQNSettings, widths
from studio.ml.rl.errors import BadSetting
from studio.ml.rl.learner import Kept, NetLook, Policy
from studio.ml.rl.worlds import Description, Stepped, Worlds, WorldSpec, describe

Floats32 = NDArray[np.float32]


class QNetwork(nn.Module):
    """Observations [B, ...] to action values [B, A]."""

    def __init__(self, description: Description, settings: DQNSettings, stream: torch.Generator) -> None:
        super().__init__()
        assert description.n is not None
        self.body, features = body(
            description.observation, description.shape, description.states, widths(settings.hidden), stream,
            activation=settings.activation, start="uniform",
        )
        self.head = linear(features, description.n, stream, "uniform")
        self.state_value = linear(features, 1, stream, "uniform") if settings.dueling else None

    def forward(self, observations: Tensor) -> Tensor:
        features = self.body(observations)
        values: Tensor = self.head(features)
        if self.state_value is None:
            return values
        return torch.add(self.state_value(features), values - values.mean(dim=1, keepdim=True))


class Target(NamedTuple):
    """[B] each. action: whose value stands in the target. usual: the one that plain Q-learning would have taken."""

    target: Floats32
    bootstrap: Floats32
    action: NDArray[np.int64]
    usual: NDArray[np.int64]


def target(batch: Batch, following: Floats32, online: Floats32 | None) -> Target:
    """y, from the target network's values [B, A] of what follows, and the online network's ones for double DQN."""
    usual = following.argmax(axis=1)
    action = usual if online is None else online.argmax(axis=1)
    bootstrap = following[np.arange(len(action)), action]
    return Target(batch.returns + batch.discounts * bootstrap, bootstrap, action, usual)


def loss_and_slope(errors: Floats32, loss: str, weights: Floats32 | None) -> tuple[float, Floats32]:
    """The mean loss of errors δ = y − Q, [B], and its slope by each Q.

    huber: δ²/2 up to 1, then |δ| − 1/2. squared: δ².
    """
    size = np.abs(errors)
    if loss == "huber":
        losses, slopes = np.where(size < 1, 0.5 * errors * errors, size - 0.5), -np.clip(errors, -1, 1)
    else:
        losses, slopes = errors * errors, -2 * errors
    if weights is not None:
        losses, slopes = weights * losses, weights * slopes
    return float(losses.mean()), slopes / np.float32(len(errors))


class DQN(OffPolicy):
    """Deep Q-network; double, dueling, n-step and prioritised are switches. Raises BadSetting, NetworkDiverged.

    figures: "epsilon" while collecting; "loss", "q", "target_q", "td_error" (means of the batch) of an update.
    """

    kind = "dqn"
    settings: DQNSettings

    def __init__(
        self, spec: WorldSpec, settings: DQNSettings, seed: int, budget: int, worlds: Worlds | None = None
    ) -> None:
        if reason := refuses(describe(spec) if worlds is None else worlds.description):
            raise BadSetting(reason)
        super().__init__(spec, settings, seed, budget, worlds, (), np.int64)
        self.actions = int(self.description.n or 0)
        self.online = QNetwork(self.description, settings, generator(seed, "weights"))
        self.target = deepcopy(self.online)
        self._flat, self._flat_target = Flat(self.online), Flat(self.target)
        self.network = nn.ModuleDict({"online": self.online, "target": self.target})
        self.optimizers = {"q": torch.optim.Adam([self._flat.vector], lr=settings.learning_rate, fused=True)}
        self.priorities = Priorities(self.replay.slots) if settings.prioritised else None
        self._good = LastGood(self.network, self.optimizers)

    @property
    def epsilon(self) -> float:
        """ε now: from the first to the last in a straight line over the share of the budget."""
        s = self.settings
        falling = s.exploration_fraction * self.budget
        done = min(self.steps / falling, 1.0) if falling > 0 else 1.0
        return s.exploration_initial_eps + done * (s.exploration_final_eps - s.exploration_initial_eps)

    def values(self, observations: NDArray[Any]) -> Floats32:
        """Q of the online network, [B, A]."""
        with torch.inference_mode():
            return np.asarray(self.online(torch.from_numpy(observations)).numpy())

    def _figures(self) -> dict[str, float]:
        return {"epsilon": self.epsilon if self.steps >= self.settings.learning_starts else 1.0}

    def _choose(self, observations: NDArray[Any]) -> NDArray[np.int64]:
        """The same two draws for each world, whatever ε is."""
        draws = self.numpy_stream.random((2, self.count))
        random: NDArray[np.int64] = (draws[1] * self.actions).astype(np.int64)
        if self.steps < self.settings.learning_starts:
            return random
        explores = draws[0] < self.epsilon
        if explores.all():
            return random
        return np.asarray(np.where(explores, random, self.values(observations).argmax(axis=1)))

    def _stepped(self, slots: NDArray[np.int64], stepped: Stepped) -> None:
        if self.priorities is not None:
            self.priorities.enter(slots)
        every = self.settings.target_update_interval
        if self.steps // every > (self.steps - self.count) // every:
            with torch.no_grad():
                self._flat_target.vector.lerp_(self._flat.vector, self.settings.tau)

    def _batch(self) -> Batch:
        s, size = self.settings, self.settings.batch_size
        if self.priorities is None:
            return self.replay.batch(self.replay.draw(size, self.numpy_stream), s.n_step, s.gamma)
        slots = self.priorities.draw(size, self.numpy_stream)
        beta = s.correction + (1 - s.correction) * min(self.steps / self.budget, 1.0)
        return self.replay.batch(slots, s.n_step, s.gamma, self.priorities.weights(slots, len(self.replay), beta))

    def _learn(self) -> dict[str, float]:
        self._set_rates()
        batch = self._batch()
        self.ages = batch.ages * self.count
        figures, errors = self.learn_from(batch)
        if self.priorities is not None:
            self.priorities.learnt(batch.slots, errors.astype(np.float64), self.settings.priority_exponent)
        return figures

    def learn_from(self, batch: Batch) -> tuple[dict[str, float], Floats32]:
        """One gradient step on this batch; its figures and TD errors [B]."""
        rows, following = np.arange(len(batch.slots)), torch.from_numpy(batch.following)
        with torch.no_grad():
            told = self.target(following).numpy()
            online = self.online(following).numpy() if self.settings.double else None
        goal = target(batch, told, online)
        values = self.online(torch.from_numpy(batch.observations))
        taken = values.detach().numpy()[rows, batch.actions]
        errors = goal.target - taken
        loss, slopes = loss_and_slope(errors, self.settings.loss, batch.weights)
        if not np.isfinite(loss):
            self._good.bring_back()
            raise NetworkDiverged("the loss")
        slope = np.zeros((len(rows), self.actions), np.float32)
        slope[rows, batch.actions] = slopes
        self._flat.gradient.zero_()
        values.backward(torch.from_numpy(slope))
        if not np.isfinite(self._flat.clip(self.settings.max_grad_norm)):
            self._good.bring_back()
            raise NetworkDiverged("the gradient")
        self.optimizers["q"].step()
        self.last = _numbers(batch, goal, taken, errors)
        means = {"q": taken, "target_q": goal.target, "td_error": np.abs(errors)}
        return {"loss": loss, **{name: float(array.mean()) for name, array in means.items()}}, errors

    def _net_look(self) -> NetLook:
        values = self.values(self.observations[:1])[0].astype(np.float64)
        epsilon = self._figures()["epsilon"]
        policy = np.full(self.actions, epsilon / self.actions)
        policy[values.argmax()] += 1 - epsilon
        return NetLook(values, policy, value=float(values.max()), last=dict(self.last), ages=_copy(self.ages))

    def score(self, observations: Tensor, of: Of) -> Tensor:
        """The value of the best action, which is both."""
        best: Tensor = self.online(observations).max(dim=1).values
        return best

    def policy(self) -> Policy:
        return QPolicy(deepcopy(self.online), self.actions, self._figures()["epsilon"])

    def _keep_more(self) -> Kept:
        kept = super()._keep_more()
        if self.priorities is None:
            return kept
        return Kept(kept.data, kept.arrays | {"priorities": self.priorities.keep()})

    def _put_back_more(self, kept: Kept) -> None:
        super()._put_back_more(kept)
        if self.priorities is not None:
            self.priorities.put_back(kept.arrays["priorities"])


class QPolicy:
    """A frozen copy: the best action, or ε-greedy on a draw."""

    def __init__(self, network: QNetwork, actions: int, epsilon: float) -> None:
        self._network, self._actions, self._epsilon = network, actions, epsilon

    def act(self, observation: Any, u: float | None = None) -> int:
        if u is not None and u < self._epsilon:
            return min(int(u / self._epsilon * self._actions), self._actions - 1)
        with torch.inference_mode():
            return int(self._network(torch.from_numpy(np.asarray(observation)[None])).argmax())


def _numbers(batch: Batch, goal: Target, taken: Floats32, errors: Floats32) -> dict[str, float]:
    """The target of the batch's first transition, written out."""
    return {
        "return": float(batch.returns[0]), "discount": float(batch.discounts[0]), "action": float(batch.actions[0]),
        "bootstrap": float(goal.bootstrap[0]), "bootstrap_action": float(goal.action[0]),
        "target_network_action": float(goal.usual[0]), "target": float(goal.target[0]), "q": float(taken[0]),
        "td_error": float(errors[0]),
    }


def refuses(description: Description) -> str:
    """Why DQN cannot learn in this world, and what can; nothing where it can."""
    if description.actions != "discrete":
        return "DQN picks one of a few actions, and this world's are continuous. Take SAC, PPO or A2C."
    return ""


def _copy(ages: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    return None if ages is None else ages.copy()
