"""The copies of one world together, and those that are opened in this process."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Protocol

from studio.ml.rl.errors import BadWorld
from studio.ml.rl.grid import GridWorld
from studio.ml.rl.worlds.description import Description
from studio.ml.rl.worlds.opening import opened
from studio.ml.rl.worlds.single import Frame, Moved, Single
from studio.ml.rl.worlds.spec import WorldSpec
from studio.ml.rl.worlds.walking import Walking


class Bank(Protocol):
    """Several `Single`s, by place."""

    @property
    def description(self) -> Description: ...
    def reset(self, place: int, seed: int) -> Any: ...
    def step(self, actions: Sequence[Any]) -> list[Moved]:
        """One step in each place, in order."""
        ...

    def act(self, place: int, action: Any) -> Moved:
        """One step in one place."""
        ...

    def frame(self, place: int) -> Frame | None: ...
    def text(self, place: int) -> str: ...
    def keep(self, place: int) -> dict[str, Any] | None: ...
    def put_back(self, place: int, kept: dict[str, Any]) -> None: ...
    def change(self, grid: GridWorld) -> None:
        """An edited grid for all copies, which are of one. Raises BadWorld and then changes none."""
        ...

    def close(self) -> None: ...


class LocalBank:
    """Copies in this process; the first is the one that is mostly watched."""

    def __init__(self, spec: WorldSpec, count: int) -> None:
        first = opened(spec)
        self.description = first.description
        self.singles: list[Single] = [first.single]
        try:
            self.singles += [opened(spec, plain=True).single for _ in range(count - 1)]
        except BaseException:
            self.close()
            raise
        self._steps = [single.step for single in self.singles]

    def reset(self, place: int, seed: int) -> Any:
        return self.singles[place].reset(seed)

    def step(self, actions: Sequence[Any]) -> list[Moved]:
        return [step(action) for step, action in zip(self._steps, actions, strict=True)]

    def act(self, place: int, action: Any) -> Moved:
        return self._steps[place](action)

    def frame(self, place: int) -> Frame | None:
        return self.singles[place].frame()

    def text(self, place: int) -> str:
        return self.singles[place].text()

    def keep(self, place: int) -> dict[str, Any] | None:
        return self.singles[place].keep()

    def put_back(self, place: int, kept: dict[str, Any]) -> None:
        self.singles[place].put_back(kept)

    def change(self, grid: GridWorld) -> None:
        for single in self.singles:
            if not isinstance(single, Walking):
                raise BadWorld("Only grid worlds can be edited.")
            single.change(grid)

    def close(self) -> None:
        with ExitStack() as closing:
            for single in self.singles:
                closing.callback(single.close)
