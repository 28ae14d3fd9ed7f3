"""Worlds as an agent meets them: reset and step. A Gymnasium environment fits behind the same door."""

from __future__ import annotations

from random import Random
from typing import Any, Protocol

from studio.ml.rl.errors import BadAction, BadCheckpoint, BadWorld
from studio.ml.rl.model import Model


class Environment(Protocol):
    """A world with numbered states and actions.

    `keep` gives all that its future depends on as JSON, `put_back` takes it again: then a resumed run is the same run.
    """

    @property
    def states(self) -> int: ...
    @property
    def actions(self) -> int: ...
    def reset(self, seed: int | None = None) -> int:
        """A new episode's first state; a seed restarts the world's random stream."""
        ...

    def step(self, action: int) -> tuple[int, float, bool]:
        """(next state, reward, whether the episode ended there)."""
        ...

    def keep(self) -> dict[str, Any]: ...
    def put_back(self, kept: dict[str, Any]) -> None: ...


def stream_state(stream: Random) -> list[Any]:
    """A random stream's state as JSON."""
    version, numbers, spare = stream.getstate()
    return [version, list(numbers), spare]


def set_stream(stream: Random, state: list[Any]) -> None:
    """Puts back what `stream_state` gave. Raises BadCheckpoint."""
    try:
        version, numbers, spare = state
        stream.setstate((version, tuple(numbers), spare))
    except (TypeError, ValueError) as error:
        raise BadCheckpoint(
            f"The random stream of this checkpoint cannot be read ({error}); start the run again from its seed."
        ) from error


class Walk:
    """A walk through a model. Its random stream is its own: one draw a step, none where the model is certain."""

    def __init__(self, model: Model, seed: int = 0) -> None:
        self._random = Random()
        self._take(model)
        self.state = self.reset(seed)

    @property
    def model(self) -> Model:
        return self._model

    @property
    def states(self) -> int:
        return self._model.states

    @property
    def actions(self) -> int:
        return self._actions

    def change(self, model: Model) -> None:
        """Goes on from the same state in an edited world. Raises BadWorld where states or actions differ in number."""
        if (model.states, model.actions) != (self.states, self.actions):
            raise BadWorld(
                f"The edited world has {model.states} states and {model.actions} actions, "
                f"this one {self.states} and {self.actions}; start a new run in it."
            )
        self._take(model)

    def _take(self, model: Model) -> None:
        self._model, self._table, self._certain, self._actions = model, model.table, model.certain, model.actions

    def reset(self, seed: int | None = None) -> int:
        if seed is not None:
            self._random.seed(f"world {seed}")
        starts = self._model.starts
        place = 0 if len(starts) == 1 else pick([p for p, _ in starts], self._random.random())
        self.state = starts[place][1]
        return self.state

    def step(self, action: int) -> tuple[int, float, bool]:
        if not 0 <= action < self._actions:
            raise BadAction(action, self._actions)
        outcomes = self._table[self.state][action]
        outcome = outcomes[0] if self._certain else outcomes[pick([o[0] for o in outcomes], self._random.random())]
        self.state = outcome[1]
        return outcome[1:]

    def keep(self) -> dict[str, Any]:
        return {"state": self.state, "random": stream_state(self._random)}

    def put_back(self, kept: dict[str, Any]) -> None:
        state = kept.get("state")
        if not isinstance(state, int) or not 0 <= state < self.states:
            raise BadCheckpoint(
                f"The checkpoint stands in state {state}, which this world lacks; open the world it was made in."
            )
        set_stream(self._random, kept.get("random", []))
        self.state = state


def pick(probabilities: list[float], u: float) -> int:
    """The place where the sums of `probabilities` first pass u in [0, 1): one draw decides."""
    total, last = 0.0, 0
    for place, p in enumerate(probabilities):
        if p > 0:
            total, last = total + p, place
            if u < total:
                return place
    return last
