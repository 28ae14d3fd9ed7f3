"""An episode seen again, to any time and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from numpy.typing import NDArray

from studio.ml.rl.worlds.actions import Actions
from studio.ml.rl.worlds.banks import bank_of
from studio.ml.rl.worlds.description import Description
from studio.ml.rl.worlds.single import Frame
from studio.ml.rl.worlds.spec import WorldSpec


class Shown(NamedTuple):
    """A moment of an episode: the reward, action and total are those of the step that led here, or none at time 0."""

    time: int
    observation: Any
    reward: float
    action: Any
    total: float
    frame: Frame | None
    text: str


class Replay:
    """The episode of a seed and its actions ([length], or [length, k]), standing at `time` from 0 to its length.

    Going forward takes the steps between; going back begins again from the seed. Raises as `Worlds` does.
    """

    def __init__(self, spec: WorldSpec, seed: int, actions: NDArray[Any]) -> None:
        self.spec, self.seed = spec, seed
        self._bank = bank_of(spec, 1)
        try:
            self._actions = Actions(self._bank.description).checked(actions, len(actions))[1]
            self._restart()
        except BaseException:
            self._bank.close()
            raise

    @property
    def description(self) -> Description:
        return self._bank.description

    @property
    def length(self) -> int:
        return len(self._actions)

    def _restart(self) -> None:
        self.time, self.total, self.reward = 0, 0.0, 0.0
        self._observation = self._bank.reset(0, self.seed)

    def forward(self, to: int, most: int = 1_000_000) -> bool:
        """At most `most` steps towards a time, so that long ways can be gone in pieces; whether it stands there."""
        to = min(max(to, 0), self.length)
        if to < self.time:
            self._restart()
        for action in self._actions[self.time : min(to, self.time + most)]:
            self._observation, self.reward, _, _ = self._bank.act(0, action)
            self.total += self.reward
            self.time += 1
        return self.time == to

    def show(self, *, frame: bool = True) -> Shown:
        """What is to be seen where it stands."""
        action = self._actions[self.time - 1] if self.time else None
        drawn, text = (self._bank.frame(0), self._bank.text(0)) if frame else (None, "")
        return Shown(self.time, self._observation, self.reward, action, self.total, drawn, text)

    def at(self, time: int, *, frame: bool = True) -> Shown:
        """Goes to a time and shows it."""
        self.forward(time)
        return self.show(frame=frame)

    def __iter__(self) -> Iterator[Shown]:
        """Every moment from the first, with frames."""
        for time in range(self.length + 1):
            yield self.at(time)

    def close(self) -> None:
        self._bank.close()
