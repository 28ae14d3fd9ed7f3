"""Worlds for tabular agents: a walk through the table where it is known, else the world itself with numbered states."""

from __future__ import annotations

from typing import Any

from studio.ml.rl.errors import BadAction, BadCheckpoint
from studio.ml.rl.walk import Environment, Walk
from studio.ml.rl.worlds.banks import bank_of
from studio.ml.rl.worlds.errors import BadSpace
from studio.ml.rl.worlds.known import describe, model_of
from studio.ml.rl.worlds.single import Frame
from studio.ml.rl.worlds.spec import WorldSpec


def tabular_world(spec: WorldSpec) -> Environment:
    """A world of numbered states. Raises BadSpace where its states or actions cannot be numbered."""
    described = describe(spec)
    if described.observation != "discrete" or described.actions != "discrete":
        what = "states" if described.observation != "discrete" else "actions"
        raise BadSpace(f"{spec.title} has no numbered {what}, so no table can hold its values; choose a deep agent.")
    model = model_of(spec)
    return Walk(model) if model is not None else Numbered(spec)


class Numbered:
    """A world without a known table behind the door of tabular agents. An episode is its seed and its actions.

    A reset without a seed takes the number after the last one. Raises WorldFailed.
    """

    def __init__(self, spec: WorldSpec, seed: int = 0) -> None:
        self._title, self._bank = spec.title, bank_of(spec, 1)
        self._states, self._actions = self._bank.description.states or 0, self._bank.description.n or 0
        self._seed = seed
        self.reset(seed)

    @property
    def states(self) -> int:
        return self._states

    @property
    def actions(self) -> int:
        return self._actions

    def reset(self, seed: int | None = None) -> int:
        self._seed = self._seed + 1 if seed is None else seed
        self._taken: list[int] = []
        self._state = int(self._bank.reset(0, self._seed))
        return self._state

    def step(self, action: int) -> tuple[int, float, bool]:
        """(next state, reward, whether the episode ended there: by the world itself, in whatever way)."""
        if not 0 <= action < self._actions:
            raise BadAction(action, self._actions)
        self._taken.append(action)
        state, reward, terminated, truncated = self._bank.act(0, action)
        self._state = int(state)
        return self._state, reward, terminated or truncated

    def keep(self) -> dict[str, Any]:
        return {"seed": self._seed, "actions": list(self._taken), "state": self._state}

    def put_back(self, kept: dict[str, Any]) -> None:
        """Acts the kept episode again. Raises BadCheckpoint and then stands where it stood."""
        before = self.keep()
        try:
            seed, actions, state = int(kept["seed"]), [int(a) for a in kept["actions"]], int(kept["state"])
        except (KeyError, TypeError, ValueError) as error:
            raise BadCheckpoint(f"This checkpoint holds no episode of {self._title} ({error!r}).") from error
        if self._again(seed, actions) != state:
            self._again(before["seed"], before["actions"])
            raise BadCheckpoint(
                f"{self._title} is not reproducible: the same seed and actions led elsewhere; start a new run."
            )

    def _again(self, seed: int, actions: list[int]) -> int:
        self.reset(seed)
        for action in actions:
            self.step(action)
        return self._state

    def frame(self) -> Frame | None:
        """The world as it is, uint8 [H, W, 3], where it can be drawn."""
        return self._bank.frame(0)

    def close(self) -> None:
        self._bank.close()
