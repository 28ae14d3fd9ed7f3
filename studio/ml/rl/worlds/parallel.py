"""Copies of one world side by side for agents that act in all of them at once.

Every episode is reset with a seed of its own, `learner.episode_seed(seed, place, number)`; a place whose episode ended
is reset within the same step. So an episode is its seed and its actions, and nothing else ever decides what a world
does: neither how often it was drawn, nor what went on in the other places.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl.errors import BadSetting, BadWorld
from studio.ml.rl.grid import GridWorld
from studio.ml.rl.learner import Episode, Floats, Kept, episode_seed
from studio.ml.rl.worlds.actions import Actions
from studio.ml.rl.worlds.bank import Bank
from studio.ml.rl.worlds.banks import bank_of
from studio.ml.rl.worlds.log import ActionLog
from studio.ml.rl.worlds.resuming import resumed
from studio.ml.rl.worlds.single import Frame
from studio.ml.rl.worlds.spec import WorldSpec

_DTYPES = {"discrete": np.int64, "vector": np.float32, "pixels": np.uint8}


class Stepped(NamedTuple):
    """One step in every place.

    observations: [count, ...] to act on next, already of the new episode where one ended. final: [count, ...] what
    followed the actions; the same array where no episode ended. rewards: [count]. terminated, truncated: bool
    [count]; both where a world ended in the very step of its limit. episodes: those that ended.
    """

    observations: NDArray[Any]
    final: NDArray[Any]
    rewards: Floats
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    episodes: tuple[Episode, ...]


class Worlds:
    """`count` copies of a world, in a process of their own where they are `isolated` or come from a file.

    Arrays it gives are never written to again.

    Raises UnknownWorld, MissingPackage, BadSpace, WorldFailed (WorldHung for worlds in a process of their own).
    """

    def __init__(self, spec: WorldSpec, count: int, seed: int, *, isolated: bool = False) -> None:
        if count < 1:
            raise BadSetting(f"There is at least one copy of a world, not {count}.")
        self.spec, self.count, self.seed, self.steps = spec, count, seed, 0
        self._isolated = isolated
        self._bank: Bank = bank_of(spec, count, isolated=isolated)
        self.description = self._bank.description
        self._dtype = _DTYPES[self.description.observation]
        self._limit = self.description.limit or np.iinfo(np.int64).max
        self._actions = Actions(self.description)
        self._begin()

    def _begin(self) -> None:
        self._numbers = [-1] * self.count
        self._log = ActionLog([self._actions.none()] * self.count)
        self._totals = np.zeros(self.count)
        self._observations: NDArray[Any] = np.zeros((self.count, *self.description.shape), dtype=self._dtype)

    def reset(self) -> NDArray[Any]:
        """The first observations, [count, ...]: everything begins anew at the first episodes. `steps` goes to 0."""
        self._begin()
        self.steps = 0
        for place in range(self.count):
            self._observations[place] = self._next(place)
        return self._observations.copy()

    def _next(self, place: int) -> Any:
        """Begins the next episode at a place; its first observation."""
        self._numbers[place] += 1
        self._log.begin(place)
        self._totals[place] = 0.0
        return self._bank.reset(place, episode_seed(self.seed, place, self._numbers[place]))

    def step(self, actions: Any) -> Stepped:
        """One step in every place. actions: integers [count], or [count, k], cut to the bounds.

        Raises BadAction, BadSetting, WorldFailed.
        """
        taken, each = self._actions.checked(actions, self.count)
        moved = self._bank.step(each)
        self.steps += self.count
        self._log.add(taken)
        observations, rewards, ends, cuts = zip(*moved, strict=True)
        joined = np.concatenate(observations) if self.description.shape else np.array(observations)
        final = joined.reshape(self._observations.shape)
        earned, terminated, truncated = np.array(rewards), np.array(ends), np.array(cuts)
        self._totals += earned
        if self._log.longest >= self._limit:
            truncated |= self._log.lengths() >= self._limit
        elif True not in ends and True not in cuts:
            self._observations = final
            return Stepped(final, final, earned, terminated, truncated, ())
        now, episodes = final.copy(), []
        for place in (terminated | truncated).nonzero()[0].tolist():
            episodes.append(self._ended(place, bool(terminated[place])))
            now[place] = self._next(place)
        self._observations = now
        return Stepped(now, final, earned, terminated, truncated, tuple(episodes))

    def _ended(self, place: int, terminated: bool) -> Episode:
        number = self._numbers[place]
        seed, total = episode_seed(self.seed, place, number), float(self._totals[place])
        return Episode(place, number, seed, self._log.taken(place), total, self.steps, terminated)

    def keep(self) -> Kept:
        """The episodes under way, as seeds and actions; in worlds with a table, as their states."""
        states = [self._bank.keep(place) for place in range(self.count)]
        data = {"world": self.spec.to_json(), "seed": self.seed, "steps": self.steps, "numbers": list(self._numbers)}
        arrays = {f"actions {place}": self._log.taken(place) for place in range(self.count)}
        arrays |= {"observations": self._observations.copy(), "totals": self._totals.copy()}
        return Kept(data | {"states": states}, arrays)

    def frame(self, place: int = 0) -> Frame | None:
        """What is to be seen at a place, uint8 [H, W, 3], or None. Drawn now; changes nothing."""
        return self._bank.frame(place)

    def text(self, place: int = 0) -> str:
        """What a world writes of itself, or nothing."""
        return self._bank.text(place)

    def put_back(self, kept: Kept) -> None:
        """Goes on where `kept` was taken. Raises BadCheckpoint and leaves everything as it was.

        Episodes under way are acted again in fresh copies; where they do not lead to the observations that were kept,
        the world is not decided by its seeds and actions and nothing can be resumed.
        """
        was = resumed(kept, self.spec, self._observations, isolated=self._isolated)
        self._bank.close()
        self._bank, self.spec, self.seed, self.steps = was.bank, was.spec, was.seed, was.steps
        self._numbers, self._log = was.numbers, was.log
        self._totals, self._observations = was.totals, was.observations

    def change(self, grid: GridWorld) -> None:
        """Goes on from the same cells in an edited grid. Raises BadWorld where it is no grid, or of another size."""
        if self.spec.grid is None:
            raise BadWorld(f"{self.spec.title} cannot be edited; choose a grid world.")
        self._bank.change(grid)
        self.spec = replace(self.spec, grid=grid)

    def close(self) -> None:
        """Lets go of windows, processes and files."""
        self._bank.close()
