"""The readable agents behind the door that all learners share.

Nothing is learnt here: `advance` takes steps of an agent of `kinds.KINDS` and notes what a window shows of them. Every
episode begins with a seed of its own, so that seed and actions repeat it even where the world draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl.agent import Agent, Table, Transition, Update
from studio.ml.rl.errors import BadCheckpoint, BadSetting, BadWorld, Diverged
from studio.ml.rl.experiment import behaviour_policy
from studio.ml.rl.exploration import EpsilonGreedy, Exploration
from studio.ml.rl.grid import GridWorld
from studio.ml.rl.kinds import agent_of
from studio.ml.rl.knobs import needs_new_run
from studio.ml.rl.learner import Episode, Floats, Kept, Look, Phase, TableLook, Turn, episode_seed
from studio.ml.rl.model import Model
from studio.ml.rl.planning import action_values, greedy_policy, policy_iteration
from studio.ml.rl.tabular_settings import TabularSettings, level, settings_class
from studio.ml.rl.walk import Environment, Walk

if TYPE_CHECKING:
    from studio.ml.rl.worlds import WorldSpec
    from studio.ml.rl.worlds.single import Single

RATE = 0.05
"""Weight of the newest |TD error| of a state in its running mean."""
TRAIL = 1000
"""States of the present episode that are shown; older ones are forgotten."""
COMPARED = 10
"""Every so many episodes the values are compared with the best ones."""
SOLVED = 1500
"""States up to which the best policy is worked out: each round solves a system of that size."""


@runtime_checkable
class Drawn(Protocol):
    """A world that can be drawn as it is."""

    def frame(self) -> NDArray[np.uint8] | None: ...


class Seeded:
    """A world in which the episode of each number begins with `episode_seed`. Steps go straight to the world."""

    def __init__(self, world: Environment, seed: int) -> None:
        self.world, self.seed, self.number = world, seed, -1
        self.step = world.step

    @property
    def states(self) -> int:
        return self.world.states

    @property
    def actions(self) -> int:
        return self.world.actions

    @property
    def draws(self) -> bool:
        """Whether a seed makes any difference."""
        known = self.world.model if isinstance(self.world, Walk) else None
        return known is None or not known.certain or len(known.starts) > 1

    def reset(self, seed: int | None = None) -> int:
        if seed is not None:
            self.number = -1
            return self.world.reset(seed)
        self.number += 1
        return self.world.reset(episode_seed(self.seed, 0, self.number) if self.draws else None)

    def keep(self) -> dict[str, Any]:
        return {**self.world.keep(), "number": self.number}

    def put_back(self, kept: dict[str, Any]) -> None:
        number = kept.get("number")
        if not isinstance(number, int):
            raise BadCheckpoint("The checkpoint does not say which episode it was in; take an earlier one.")
        self.world.put_back({key: value for key, value in kept.items() if key != "number"})
        self.number = number


@dataclass(frozen=True, slots=True, eq=False)
class TablePolicy:
    """How a tabular agent acts. values: [S][A]."""

    values: Table
    exploration: Exploration
    episode: int

    def act(self, observation: Any, u: float | None = None) -> int:
        row = self.values[int(observation)]
        return row.index(max(row)) if u is None else self.exploration.choose(row, self.episode, u)


@lru_cache(maxsize=8)
def best_values(model: Model, gamma: float) -> Floats | None:
    """Q* [S, A] by policy iteration; nan where a way has no value (γ = 1). None for worlds above `SOLVED` states."""
    if model.states > SOLVED:
        return None
    *_, last = policy_iteration(model, gamma)
    return action_values(model, last.V, gamma)


class TabularLearner:
    """One of `kinds.KINDS` in a world with numbered states. Raises BadSetting, BadSpace, BadWorld.

    world: what `worlds.tabular_world` made of `spec`, or any other; longest: its own step limit.
    """

    def __init__(
        self, spec: WorldSpec, kind: str, settings: TabularSettings, seed: int = 0, *,
        world: Environment | None = None, longest: int | None = None,
    ) -> None:
        if not isinstance(settings, settings_class(kind)):
            raise BadSetting(f"{kind} takes {settings_class(kind).__name__}, not {type(settings).__name__}.")
        grid = spec.grid
        if world is None:
            from studio.ml.rl.worlds import describe, grid_of, tabular_world

            world, longest, grid = tabular_world(spec), describe(spec).limit, grid_of(spec)
        self.spec, self.kind, self.seed, self.settings = spec, kind, seed, settings
        self.steps, self.updates = 0, 0
        self._longest = longest
        self._world = Seeded(world, seed)
        self._agent: Agent = agent_of(kind, self._world, settings.plain(longest), seed, **settings.options())
        self.on_policy = self._agent.on_policy
        self._start = self._agent.world.reset()  # Where the first episode begins; the agent resets once more.
        self._world.number = -1
        self._visits = [0] * world.states
        self._error = [0.0] * world.states
        self._trail: list[int] = []
        self._actions: list[int] = []
        self._last: Transition | None = None
        self._surprise = 0.0
        self._best: tuple[Model, float, Floats | None] | None = None
        self._grid = grid
        self._copy: Single | None = None

    @property
    def model(self) -> Model | None:
        """The world's exact table, where it is known."""
        return self._world.world.model if isinstance(self._world.world, Walk) else None

    def advance(self, limit: int = 1) -> Turn:
        """Up to `limit` transitions, no further than an episode's end: so a run is told alike however it is cut."""
        if self._agent.state is None:
            self._trail, self._actions, self._surprise = [], [], 0.0
        step, visits, error = self._agent.step, self._visits, self._error
        taken, passed = self._actions.append, self._trail.append
        before, surprise, moved = len(self._actions), self._surprise, 0
        told = None
        try:
            for _ in range(limit):
                told = step()
                _, _, state, action, _, _, end, cut, _, updates = told
                taken(action)
                passed(state)
                visits[state] += 1
                for update in updates:
                    place, wrong = update[0], abs(update[4])
                    surprise += wrong
                    error[place] += RATE * (wrong - error[place])
                moved += len(updates)
                if end or cut:
                    break
        except Diverged:
            self._give_up()
            raise
        finally:
            self._surprise, self._last = surprise, told or self._last
            self.steps, self.updates = self.steps + len(self._actions) - before, self.updates + moved
        phase: Phase = "update" if moved else "collect"
        if told is None or not told.last:
            return Turn(phase)
        return Turn(phase, (self._ended(told),), self._figures(told))

    def _give_up(self) -> None:
        """Leaves an episode in which a value had to stay where it was: with other settings the next one can begin."""
        self._agent.state = None
        for name in ("waiting", "traces", "path"):
            if hasattr(self._agent, name):
                setattr(self._agent, name, [])

    def _ended(self, told: Transition) -> Episode:
        number = self._world.number
        return Episode(
            0, number, episode_seed(self.seed, 0, number), np.array(self._actions), told.total, self.steps,
            told.terminated,
        )  # fmt: skip

    def _figures(self, told: Transition) -> dict[str, float]:
        """Of the episode that has just ended: mean |TD error| of a step, exploration, now and then the value error."""
        figures = {"td_error": self._surprise / (told.time + 1)}
        if self.settings.exploration != "greedy":
            figures[self.settings.exploration] = level(self._agent.settings.exploration, told.episode)
        if told.episode % COMPARED == 0 and (best := self._optimal()) is not None:
            seen = np.flatnonzero(self._visits)
            apart = (np.array(self._values()).max(axis=1) - best.max(axis=1))[seen]
            if (known := np.isfinite(apart)).any():
                figures["value_error"] = float(np.sqrt(np.square(apart[known]).mean()))
        return figures

    def _optimal(self) -> Floats | None:
        model, gamma = self.model, self.settings.gamma
        if model is None:
            return None
        if self._best is None or self._best[0] is not model or self._best[1] != gamma:
            self._best = (model, gamma, best_values(model, gamma))
        return self._best[2]

    def _values(self) -> Table:
        """What the agent acts by. Two tables are averaged, so that their size is that of one."""
        values = self._agent.values()
        return values if values is self._agent.q else [[value / 2 for value in row] for row in values]

    def change(self, settings: Any) -> None:
        if type(settings) is not settings_class(self.kind):
            raise BadSetting(f"{self.kind} takes {settings_class(self.kind).__name__}, not {type(settings).__name__}.")
        if fixed := needs_new_run(self.settings, settings):
            raise BadSetting(f"{', '.join(fixed)} cannot be changed in a run; start a new one.")
        self._agent.settings = settings.plain(self._longest)
        for name, value in settings.options().items():
            setattr(self._agent, name, value)
        self.settings = settings

    def edit(self, grid: GridWorld) -> None:
        """Goes on from the same cell in an edited grid. Raises BadWorld where its size differs, or it is no grid."""
        if self.spec.grid is None or not isinstance(self._world.world, Walk):
            raise BadWorld(f"{self.spec.title} cannot be edited; only grid worlds can.")
        if (grid.rows, grid.columns) != (self.spec.grid.rows, self.spec.grid.columns):
            raise BadWorld("An edited grid keeps its rows and columns; start a new run in another size.")
        self._world.world.change(grid.model)
        self.spec, self._grid = replace(self.spec, grid=grid), grid

    def look(self, *, frame: bool = False) -> Look:
        told = self._last
        here, action = (self._start, None) if told is None else (told.next, told.action)
        picture = self._picture(action) if frame else None
        if told is None:
            return Look(0, 0, 0, 0.0, "collect", np.array(here), picture, grid=self._grid, table=self._table(here))
        return Look(
            self.steps, told.episode, told.time + 1, told.total, "update" if told.updates else "collect",
            np.array(here), picture, grid=self._grid, action=action, reward=told.reward, table=self._table(here),
        )  # fmt: skip

    def _picture(self, action: int | None) -> NDArray[np.uint8] | None:
        """Grids are drawn by whoever shows them; a walk through another world's table is drawn by a copy of it."""
        world = self._world.world
        if self._grid is not None:
            return None
        if not isinstance(world, Walk):
            return world.frame() if isinstance(world, Drawn) else None
        if self._copy is None:
            from studio.ml.rl.worlds.opening import opened

            self._copy = opened(self.spec).single
        self._copy.put_back({"walk": world.keep(), "last": action})
        return self._copy.frame()

    def _table(self, here: int) -> TableLook:
        q = np.array(self._values())
        best = self._optimal()
        return TableLook(
            q, self._behaviour(q), np.array(self._visits), np.array(self._error), here,
            (*self._trail[-TRAIL:], here), self._last, self.kind, None if best is None else best.copy(),
        )  # fmt: skip

    def _behaviour(self, q: Floats) -> Floats:
        exploration, episode = self._agent.settings.exploration, self._agent.episode
        if isinstance(exploration, EpsilonGreedy):
            epsilon = min(exploration.epsilon.at(episode), 1.0)
            shared: Floats = epsilon / q.shape[1] + (1 - epsilon) * greedy_policy(q)
            return shared
        # Softmax weighs the values that the agent acts by, which are sums where there are two tables.
        return behaviour_policy(np.array(self._agent.values()), exploration, episode)

    def policy(self) -> TablePolicy:
        values = self._agent.values()
        return TablePolicy([list(row) for row in values], self._agent.settings.exploration, self._agent.episode)

    def keep(self) -> Kept:
        data = self._agent.checkpoint()
        arrays: dict[str, Any] = {"q": np.array(data.pop("q")), "random": _stream(data.pop("random"))}
        if isinstance(self._world.world, Walk):
            arrays["world"] = _stream(data["world"].pop("random"))
        arrays |= {"visits": np.array(self._visits), "error": np.array(self._error)}
        arrays |= {"trail": np.array(self._trail, dtype=np.int64), "actions": np.array(self._actions, dtype=np.int64)}
        data |= {"steps": self.steps, "updates": self.updates, "surprise": self._surprise, "last": _told(self._last)}
        return Kept(data, arrays)

    def put_back(self, kept: Kept) -> None:
        data, arrays = dict(kept.data), kept.arrays
        try:
            states = self._world.states
            notes = {name: arrays[name].tolist() for name in ("visits", "error", "trail", "actions")}
            if len(notes["visits"]) != states or len(notes["error"]) != states:
                raise BadCheckpoint(f"The checkpoint is of another world; this one has {states} states.")
            steps, updates, surprise = int(data.pop("steps")), int(data.pop("updates")), float(data.pop("surprise"))
            last = _transition(data.pop("last"))
            if not np.isfinite(arrays["q"]).all():
                raise BadCheckpoint("The checkpoint holds values that are no numbers; take an earlier one.")
            world = dict(data["world"])
            if "world" in arrays:
                world["random"] = _state(arrays["world"])
            self._agent.resume({**data, "q": arrays["q"].tolist(), "random": _state(arrays["random"]), "world": world})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, BadCheckpoint):
                raise
            raise BadCheckpoint(f"The checkpoint cannot be read ({error!r}); take an earlier one.") from error
        self._visits, self._error, self._trail, self._actions = notes.values()
        self.steps, self.updates, self._surprise, self._last = steps, updates, surprise, last
        self.seed = self._world.seed = self._agent.seed

    def close(self) -> None:
        for world in (self._world.world, self._copy):
            if close := getattr(world, "close", None):
                close()


def _stream(state: Sequence[Any]) -> Any:
    """A stream's state (`walk.stream_state`) as uint32 [625]: only uniform draws are made, so nothing else varies."""
    return np.array(state[1], dtype=np.uint32)


def _state(stream: Any) -> list[Any]:
    return [3, stream.tolist(), None]


def _told(last: Transition | None) -> list[Any] | None:
    return None if last is None else [*last[:-1], [list(update) for update in last.updates]]


def _transition(told: list[Any] | None) -> Transition | None:
    if told is None:
        return None
    *plain, updates = told
    return Transition._make((*plain, tuple(Update._make(update) for update in updates)))
