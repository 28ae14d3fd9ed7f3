"""Dyna-Q: Q-learning that remembers what happened and learns from it again (Sutton and Barto 2018, section 8.2)."""

from __future__ import annotations

from typing import Any, ClassVar

from studio.ml.rl.agent import Agent, Settings, Transition, Update
from studio.ml.rl.errors import BadSetting
from studio.ml.rl.walk import Environment


class DynaQ(Agent):
    """After each real step, `planning` remembered ones drawn at random. It remembers what last followed each pair.

    The updates told are the real one, then the remembered ones. memory: [state, action, reward, next, ended] rows.
    """

    name: ClassVar[str] = "dyna_q"
    on_policy: ClassVar[bool] = False
    _kept = (*Agent._kept, "memory")

    def __init__(
        self, world: Environment, settings: Settings | None = None, seed: int = 0, *, planning: int = 10
    ) -> None:
        if planning < 0:
            raise BadSetting(f"The number of planning steps is 0 or more, not {planning}.")
        super().__init__(world, settings, seed)
        self.planning = planning
        self.memory: list[list[int | float | bool]] = []
        self._places: dict[tuple[int, int], int] = {}

    def step(self) -> Transition:
        S, A = self._here()
        S2, R, end = self.world.step(A)
        updates = [self._backup(S, A, R, S2, end)]
        self._remember(S, A, R, S2, end)
        for _ in range(self.planning):
            s, a, r, s2, ended = self.memory[int(self._random.random() * len(self.memory))]
            updates.append(self._backup(int(s), int(a), r, int(s2), bool(ended)))
        return self._told(S, A, R, S2, end, None, tuple(updates))

    def _backup(self, S: int, A: int, R: float, S2: int, end: bool) -> Update:
        best = max(self.q[S2])
        target = R if end else R + self.settings.gamma * best
        return self._moved(self.q, S, A, target, None if end else self.q[S2].index(best), self.settings.alpha)

    def _remember(self, S: int, A: int, R: float, S2: int, end: bool) -> None:
        place = self._places.setdefault((S, A), len(self.memory))
        self.memory[place : place + 1] = [[S, A, R, S2, end]]

    def resume(self, kept: dict[str, Any]) -> None:
        super().resume(kept)
        self._places = {(int(s), int(a)): place for place, (s, a, *_) in enumerate(self.memory)}
