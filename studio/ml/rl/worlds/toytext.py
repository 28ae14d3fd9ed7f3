"""Gymnasium's toy-text worlds: their exact tables, and the grid worlds that some of them are."""

from __future__ import annotations

from typing import Any

import numpy as np

from studio.ml.rl.errors import RLError
from studio.ml.rl.grid import GridWorld
from studio.ml.rl.model import Model
from studio.ml.rl.worlds.making import failure
from studio.ml.rl.worlds.single import Frame
from studio.ml.rl.worlds.spec import WorldSpec

_HOME = "gymnasium.envs.toy_text"


def exact_model(env: Any) -> Model | None:
    """The table that an environment draws each step from, or None where it holds none or does more than draw."""
    inner = env.unwrapped
    if not type(inner).__module__.startswith(_HOME) or not hasattr(inner, "P"):
        return None
    if getattr(inner, "fickle_passenger", False):
        return None  # Then a passenger may also change the destination, which no table tells.
    return Model.of(inner.P, inner.initial_state_distrib)


def same_grid(env: Any, model: Model) -> GridWorld | None:
    """The grid world that is the same as `model` wherever one can come, or None."""
    grid = _grid(env.unwrapped)
    return grid if grid is not None and alike(grid.model, model) else None


def _grid(inner: Any) -> GridWorld | None:
    try:
        if hasattr(inner, "desc") and type(inner).__name__ == "FrozenLakeEnv":
            return _lake(inner)
        if type(inner).__name__ == "CliffWalkingEnv":
            return _cliff(inner)
    except RLError:
        pass  # A lake with two starts or the like: it is then drawn by Gymnasium.
    return None


def _lake(inner: Any) -> GridWorld:
    letters = [[cell.decode() for cell in row] for row in inner.desc]
    columns = len(letters[0])
    ways = [
        (divmod(s, columns), divmod(action, 4), outcome)
        for s, row in inner.P.items() if letters[s // columns][s % columns] not in "GH"
        for action, outcomes in row.items() for outcome in outcomes
    ]  # fmt: skip
    entered = {divmod(to, columns): float(reward) for _, _, (_, to, reward, _) in ways}
    step = next((reward for (r, c), reward in entered.items() if letters[r][c] in "SF"), 0.0)
    steps = ((0, -1), (1, 0), (0, 1), (-1, 0))
    straight = [
        p for (r, c), (_, action), (p, to, _, _) in ways
        if (r + steps[action][0], c + steps[action][1]) == divmod(to, columns)
    ]  # fmt: skip
    return GridWorld.drawn(
        "\n".join("".join(row).replace("F", ".") for row in letters), slip=1.0 - max(straight), step_reward=step,
        rewards=tuple(sorted(pair for pair in entered.items() if pair[1] != step)), moves="LDRU",
    )  # fmt: skip


def _cliff(inner: Any) -> GridWorld:
    start = int(inner.start_state_index)
    rows, columns = inner.shape
    cliffs = frozenset((int(r), int(c)) for r, c in np.argwhere(inner._cliff))
    goal = frozenset({(int(rows) - 1, int(columns) - 1)})
    slip = 2 / 3 if inner.is_slippery else 0.0
    return GridWorld(int(rows), int(columns), divmod(start, int(columns)), goal, cliffs=cliffs, slip=slip)


def alike(one: Model, other: Model) -> bool:
    """Whether two tables lead to the same, within 1e-9, in every state where an episode can be under way."""
    if (one.states, one.actions, sorted(one.starts)) != (other.states, other.actions, sorted(other.starts)):
        return False
    open_, seen = [s for _, s in one.starts], {s for _, s in one.starts}
    while open_:
        s = open_.pop()
        for a in range(one.actions):
            here, there = _follows(one, s, a), _follows(other, s, a)
            if here.keys() != there.keys() or any(abs(p - there[key]) > 1e-9 for key, p in here.items()):
                return False
            on = {state for state, _, ends in here if not ends} - seen
            seen |= on
            open_ += on
    return True


def _follows(model: Model, state: int, action: int) -> dict[tuple[int, float, bool], float]:
    follows: dict[tuple[int, float, bool], float] = {}
    for o in model.table[state][action]:
        key = (o.state, o.reward, o.terminal)
        follows[key] = follows.get(key, 0.0) + o.probability
    return {key: p for key, p in follows.items() if p > 0}


class ToyDrawing:
    """Draws any state of a toy-text environment, which never takes a step itself."""

    def __init__(self, spec: WorldSpec, env: Any) -> None:
        self._spec, self._env = spec, env
        env.reset(seed=0)

    def frame(self, state: int, action: int | None) -> Frame | None:
        return np.array(self._drawn(state, action), dtype=np.uint8) if self._env.render_mode == "rgb_array" else None

    def text(self, state: int, action: int | None) -> str:
        return str(self._drawn(state, action)) if self._env.render_mode == "ansi" else ""

    def _drawn(self, state: int, action: int | None) -> Any:
        self._env.unwrapped.s, self._env.unwrapped.lastaction = state, action
        try:
            return self._env.render()
        except (Exception, SystemExit) as error:
            raise failure(self._spec, "raised an error while drawing", error) from error

    def close(self) -> None:
        self._env.close()
