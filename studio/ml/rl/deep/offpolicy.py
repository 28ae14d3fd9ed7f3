"""What agents with a replay buffer share: collecting, when to update, and keeping the buffer.

One `advance()` is a step in every parallel world, or one gradient step. After every `train_freq` environment steps
come `gradient_steps` of the other kind, as in Stable-Baselines3.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from studio.ml.rl.deep.base import DeepLearner, LastGood
from studio.ml.rl.deep.replay import Replay
from studio.ml.rl.errors import BadCheckpoint
from studio.ml.rl.learner import Kept, Turn
from studio.ml.rl.worlds import Stepped, Worlds, WorldSpec

REMEMBERED = 500
"""Gradient steps between two copies of the weights to fall back on."""


class OffPolicy(DeepLearner):
    """A deep agent that learns from what it remembers. ages: of the last batch, in environment steps."""

    on_policy: ClassVar[bool] = False
    _good: LastGood

    def __init__(
        self, spec: WorldSpec, settings: Any, seed: int, budget: int, worlds: Worlds | None,
        action_shape: tuple[int, ...], action_dtype: DTypeLike,
    ) -> None:
        super().__init__(spec, settings, seed, budget, settings.worlds, worlds)
        here = self.observations
        self.replay = Replay(
            settings.buffer_size, self.count, here.shape[1:], here.dtype, action_shape, action_dtype
        )
        self.ages: NDArray[np.int64] | None = None
        self._since, self._pending = 0, 0

    def _advance(self) -> Turn:
        return self._update() if self._pending else self._collect()

    @abstractmethod
    def _choose(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Actions to explore with, [count, ...], as they are remembered."""

    @abstractmethod
    def _learn(self) -> dict[str, float]:
        """One gradient step; its figures. Raises NetworkDiverged and then leaves the weights as they were."""

    def _in_world(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Remembered actions as the worlds take them."""
        return actions

    def _stepped(self, slots: NDArray[np.int64], stepped: Stepped) -> None:
        """What else there is to do after each step of the worlds."""

    def _figures(self) -> dict[str, float]:
        """What a step of the worlds is shown with."""
        return {}

    def _collect(self) -> Turn:
        self.phase = "collect"
        figures = self._figures()
        before = self.observations
        actions = self._choose(before)
        stepped = self.step_worlds(self._in_world(actions))
        slots = self.replay.add(
            before, actions, stepped.rewards, stepped.terminated, stepped.truncated, stepped.final
        )
        self._stepped(slots, stepped)
        self._since += self.count
        if self._since >= self.settings.train_freq:
            if self.steps > self.settings.learning_starts:
                self._pending = self._since if self.settings.gradient_steps < 0 else self.settings.gradient_steps
            self._since = 0
        return Turn("collect", stepped.episodes, figures)

    def _update(self) -> Turn:
        self.phase = "update"
        figures = self._learn()
        self.updates += 1
        self._pending -= 1
        if self.updates % REMEMBERED == 0 and all(bool(p.isfinite().all()) for p in self.network.parameters()):
            self._good.remember()
        return Turn("update", (), figures)

    def _set_rates(self) -> None:
        """The learning rate of now: settings may change between two steps, and it may fall over the budget."""
        left = max(1 - self.steps / self.budget, 0.0) if self.settings.decay else 1.0
        for optimizer in self.optimizers.values():
            optimizer.param_groups[0]["lr"] = self.settings.learning_rate * left

    def _keep_more(self) -> Kept:
        data, arrays = self.replay.keep()
        held = {f"replay/{name}": array for name, array in arrays.items()}
        if self.ages is not None:
            held["ages"] = self.ages.copy()
        return Kept({"replay": data, "since": self._since, "pending": self._pending}, held)

    def _put_back_more(self, kept: Kept) -> None:
        arrays = {name[7:]: array for name, array in kept.arrays.items() if name.startswith("replay/")}
        self.replay.put_back(kept.data["replay"], arrays)
        since, pending = kept.data["since"], kept.data["pending"]
        if not (isinstance(since, int) and since >= 0 and isinstance(pending, int) and pending >= 0):
            raise BadCheckpoint("The checkpoint does not say where between two updates it was. Take an earlier one.")
        self._since, self._pending = since, pending
        self.ages = kept.arrays["ages"].copy() if "ages" in kept.arrays else None
        self._good.remember()
