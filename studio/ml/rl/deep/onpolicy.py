"""What agents on policy share: a rollout of every parallel world, advantages, then an update from it alone.

One `advance()` is a step in every world while collecting, then one gradient step at a time while updating.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from studio.ml.rl.deep.actor_critic import Actor, ActorCritic, ActorPolicy
from studio.ml.rl.deep.base import DeepLearner, LastGood, NetworkDiverged, Of, generator, under
from studio.ml.rl.deep.networks import Flat
from studio.ml.rl.deep.normalise import Moments, RewardScale
from studio.ml.rl.deep.rollout import Rollout
from studio.ml.rl.deep.settings import A2CSettings, PPOSettings
from studio.ml.rl.errors import BadCheckpoint
from studio.ml.rl.learner import Kept, NetLook, Turn
from studio.ml.rl.worlds import Worlds, WorldSpec


class Batch:
    """A rollout as tensors: observations [M, *shape], actions [M] or [M, k]; M steps of time, worlds within."""

    def __init__(self, rollout: Rollout, gamma: float, lam: float) -> None:
        self.observations = torch.from_numpy(rollout.observations).flatten(0, 1)
        self.actions = torch.from_numpy(rollout.actions).flatten(0, 1)
        advantages = rollout.advantages(gamma, lam)
        numbers = (rollout.log_probs, rollout.values, advantages, advantages + rollout.values)
        self.numbers = torch.stack([torch.from_numpy(n).flatten() for n in numbers])
        """[4, M]: log-probabilities and values when collected, advantages, returns."""

    def __len__(self) -> int:
        return len(self.actions)

    def rows(self, index: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Observations, actions and numbers [4, m] of some rows, or of all."""
        if index is None:
            return self.observations, self.actions, self.numbers
        return self.observations[index], self.actions[index], self.numbers[:, index]

    def explained(self) -> dict[str, float]:
        """"explained_variance": 1 − Var(returns − values) / Var(returns), 1 of a perfect critic and 0 of an idle one.

        Empty where all returns are equal and nothing is to be explained.
        """
        _, values, _, returns = self.numbers
        spread = float(returns.var(correction=0))
        left = float((returns - values).var(correction=0))
        return {"explained_variance": 1 - left / spread} if spread > 0 else {}


class OnPolicy(DeepLearner):
    """A deep agent that learns from what it has just done, once. Raises NetworkDiverged."""

    on_policy: ClassVar[bool] = True
    network: ActorCritic
    settings: PPOSettings | A2CSettings

    def __init__(
        self, spec: WorldSpec, settings: PPOSettings | A2CSettings, seed: int, budget: int, worlds: Worlds | None
    ) -> None:
        super().__init__(spec, settings, seed, budget, settings.worlds, worlds)
        about = self.description
        self.network = ActorCritic(about, settings, generator(seed, "weights"))
        self.flat = Flat(self.network)
        self.optimizers = {"weights": self._optimizer(self.flat.vector)}
        self.actor = Actor(self.network)
        normal = settings.normalize_observations and about.observation == "vector"
        self.moments = Moments(about.shape) if normal else None
        self.earned = RewardScale(self.count) if settings.normalize_rewards else None
        self.input = self._take(self.observations)
        action = np.zeros((self.count, about.size), np.float32) if self.network.continuous else np.zeros(self.count, int)
        self.rollout = Rollout(settings.n_steps, self.count, self.input, action)
        self.good = LastGood(self.network, self.optimizers)
        self.batch: Batch | None = None

    @abstractmethod
    def _optimizer(self, parameters: torch.nn.Parameter) -> torch.optim.Optimizer: ...

    @abstractmethod
    def _begin_update(self) -> None:
        """Called when `batch` is there."""

    @abstractmethod
    def _update(self) -> Turn:
        """One gradient step. Calls `_collect_again` after the last one."""

    def _advance(self) -> Turn:
        if self.batch is None:
            return self._collect()
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is told by itself
            return self._update()

    def _take(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Observations as the network is given them; their running moments move."""
        if self.moments is None:
            return observations
        self.moments.add(observations)
        return self.moments.normal(observations)

    def _collect(self) -> Turn:
        settings, rollout = self.settings, self.rollout
        acted = self.actor.act(self.input, self.numpy_stream)
        if not np.isfinite(acted.log_probs).all():
            raise NetworkDiverged("the probability of an action")
        stepped = self.step_worlds(acted.actions)
        ended, cut = stepped.terminated | stepped.truncated, stepped.truncated & ~stepped.terminated
        rewards = stepped.rewards if self.earned is None else self.earned.scale(stepped.rewards, ended, settings.gamma)
        rollout.add(self.input, acted.actions, acted.log_probs, acted.values, rewards, ended)
        self.input = self._take(self.observations)
        if cut.any():
            final = stepped.final[cut]
            rollout.cut(cut, self.actor.outputs(final if self.moments is None else self.moments.normal(final))[1])
        if rollout.full:
            rollout.follow(self.actor.outputs(self.input)[1])
            self.batch = Batch(rollout, settings.gamma, settings.gae_lambda)
            self.phase = "update"
            self.good.remember()
            self._begin_update()
        return Turn("collect", stepped.episodes)

    def _descend(self, slopes: Sequence[tuple[Tensor, Any]], rate: float) -> float:
        """One gradient step, given outputs and the loss's slopes by them; the gradient's length before it is cut.

        Raises NetworkDiverged and goes back to the last good weights.
        """
        self.flat.gradient.zero_()
        outputs, by_output = zip(*slopes, strict=True)
        torch.autograd.backward(outputs, [torch.from_numpy(np.asarray(slope)) for slope in by_output])
        length = self.flat.clip(self.settings.max_grad_norm)
        if not np.isfinite(length):
            self._give_up("the loss")
        optimizer = self.optimizers["weights"]
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        self.updates += 1
        return length

    def _collect_again(self) -> None:
        """Ends an update: what was collected is used up."""
        if not self.flat.finite() or not np.isfinite(self.actor.outputs(self.input)[0]).all():
            self._give_up("a weight")
        self._forget()

    def _give_up(self, what: str) -> NoReturn:
        self.good.bring_back()
        self._forget()
        raise NetworkDiverged(what)

    def _forget(self) -> None:
        self.batch, self.phase, self.rollout.filled = None, "collect", 0

    def _rate(self) -> float:
        """The learning rate now: where it falls, in a straight line to 0 at the end of the budget."""
        rate: float = self.settings.learning_rate
        return rate * self._left() if self.settings.decay else rate

    def _left(self) -> float:
        return max(0.0, 1 - self.steps / self.budget)

    def seen(self) -> NDArray[Any]:
        row = super().seen()
        return row if self.moments is None else self.moments.normal(row)

    def score(self, observations: Tensor, of: Of) -> Tensor:
        """The critic's value; the log-probability of the likeliest action, or the means of a continuous one."""
        outputs, values = self.network.outputs(observations)
        if of == "value":
            return values
        return outputs[0] if self.network.continuous else torch.log_softmax(outputs, -1).max(-1).values

    def _net_look(self) -> NetLook:
        outputs, values = self.actor.outputs(self.seen())
        value, last = float(values[0]), dict(self.last)
        t, gamma = self.rollout.filled - 1, self.settings.gamma
        if self.phase == "collect" and t >= 0 and self.rollout.going[t, 0]:
            last["advantage"] = float(self.rollout.rewards[t, 0] + gamma * value - self.rollout.values[t, 0])
        deviation = self.actor.deviation()
        if deviation is not None:
            return NetLook(mean=outputs[0].astype(np.float64), deviation=deviation, value=value, last=last)
        policy = torch.softmax(torch.from_numpy(outputs[0]).double(), 0).numpy()
        return NetLook(policy=policy, value=value, last=last)

    def policy(self) -> ActorPolicy:
        seen = None
        if self.moments is not None:
            seen = Moments(self.description.shape)
            seen.put_back(self.moments.arrays())
        low, high = (np.array(bound, np.float32) for bound in (self.description.low, self.description.high))
        return ActorPolicy(self.network, seen, low, high)

    def _keep_more(self) -> Kept:
        arrays = {f"rollout/{name}": array for name, array in self.rollout.arrays().items()}
        arrays["input"] = self.input.copy()
        if self.moments is not None:
            arrays |= {f"seen/{name}": array for name, array in self.moments.arrays().items()}
        if self.earned is not None:
            arrays |= {f"earned/{name}": array for name, array in self.earned.arrays().items()}
        if self.batch is not None:
            arrays["numbers"] = self.batch.numbers.numpy().copy()
            arrays |= {f"good/{name}": array for name, array in self.good.arrays().items()}
        return Kept({}, arrays)

    def _put_back_more(self, kept: Kept) -> None:
        self.rollout.put_back(under(kept.arrays, "rollout/"))
        given = kept.arrays["input"]
        if given.shape != self.input.shape or given.dtype != self.input.dtype:
            raise BadCheckpoint(f"What this checkpoint's network was given has another shape: {given.shape}.")
        self.input = given.copy()
        if self.moments is not None:
            self.moments.put_back(under(kept.arrays, "seen/"))
        if self.earned is not None:
            self.earned.put_back(under(kept.arrays, "earned/"))
        self.batch = None
        if self.phase == "update":
            if not self.rollout.full:
                raise BadCheckpoint("This checkpoint is in an update, but its rollout is not whole.")
            self.batch = Batch(self.rollout, self.settings.gamma, self.settings.gae_lambda)
            self.batch.numbers.copy_(torch.from_numpy(kept.arrays["numbers"]))
            self.good.put_back(under(kept.arrays, "good/"))
