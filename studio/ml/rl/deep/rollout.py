"""What agents on policy collect before an update: [T, N] steps of N worlds, their advantages and returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from studio.ml.rl.errors import BadCheckpoint

Floats = NDArray[np.float32]
_NUMBERS = ("log_probs", "values", "rewards", "next_values", "going")


def advantages(
    rewards: Floats, values: Floats, next_values: Floats, going: Floats, gamma: float, lam: float
) -> Floats:
    """GAE(λ): Aₜ = δₜ + γλ goingₜ Aₜ₊₁ with δₜ = rₜ + γ V(next)ₜ − V(sₜ) (Schulman et al. 2016, eq. 16).

    All [T, N]. next_values: the value of what truly followed: 0 where the world ended the episode, that of the final
    observation where a time limit cut it. going: 0 after the last step of an episode, else 1.
    """
    result = rewards + gamma * next_values - values
    decay = (gamma * lam) * going
    for t in range(len(result) - 2, -1, -1):
        result[t] += decay[t] * result[t + 1]
    return result


class Rollout:
    """T steps of N worlds. observations: [T, N, *shape]; actions: [T, N] or [T, N, k]; the numbers: float32 [T, N].

    The arrays lie in memory of torch, so that both libraries read them without a copy. filled: steps so far.
    """

    def __init__(self, steps: int, worlds: int, observation: NDArray[Any], action: NDArray[Any]) -> None:
        """observation, action: examples [N, ...] with the shapes and types to store."""
        self.steps, self.worlds, self.filled = steps, worlds, 0
        self.observations = _room(steps, observation)
        self.actions = _room(steps, action)
        self.log_probs, self.values, self.rewards, self.next_values, self.going = (
            torch.zeros(steps, worlds).numpy() for _ in _NUMBERS
        )

    @property
    def full(self) -> bool:
        return self.filled == self.steps

    def add(
        self, observations: NDArray[Any], actions: NDArray[Any], log_probs: NDArray[Any], values: NDArray[Any],
        rewards: NDArray[Any], ended: NDArray[np.bool_],
    ) -> None:
        """One step of all worlds. The values of the step before it follow from it, where no episode ended."""
        t = self.filled
        self.observations[t], self.actions[t] = observations, actions
        self.log_probs[t], self.values[t], self.rewards[t] = log_probs, values, rewards
        self.going[t] = ~ended
        if t:
            self.follow(values)
        self.next_values[t] = 0
        self.filled = t + 1

    def follow(self, values: NDArray[Any]) -> None:
        """The values [N] of the observations after the newest step, where its episode goes on."""
        t = self.filled - 1
        self.next_values[t] = np.where(self.going[t] > 0, values, self.next_values[t])

    def cut(self, worlds: NDArray[np.bool_], values: NDArray[Any]) -> None:
        """The episodes of `worlds` were cut by a limit after the newest step; values: of their final observations."""
        self.next_values[self.filled - 1, worlds] = values

    def advantages(self, gamma: float, lam: float) -> Floats:
        """GAE(λ) of the whole rollout, [T, N]; the returns to fit are these plus `values`."""
        return advantages(self.rewards, self.values, self.next_values, self.going, gamma, lam)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Copies of what is filled."""
        names = ("observations", "actions", *_NUMBERS)
        return {name: getattr(self, name)[: self.filled].copy() for name in names}

    def put_back(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Takes what `arrays` gave. Raises BadCheckpoint where it does not fit."""
        filled = len(arrays["values"])
        for name, array in arrays.items():
            room = getattr(self, name)
            if filled > self.steps or array.shape != (filled, *room.shape[1:]) or array.dtype != room.dtype:
                raise BadCheckpoint(f"The rollout of this checkpoint has other {name}: {array.dtype} {array.shape}.")
            room[:filled] = array
        self.filled = filled


def _room(steps: int, example: NDArray[Any]) -> NDArray[Any]:
    empty: NDArray[Any] = torch.zeros((steps, *example.shape), dtype=torch.from_numpy(example).dtype).numpy()
    return empty
