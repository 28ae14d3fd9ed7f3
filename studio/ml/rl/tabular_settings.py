"""The settings of tabular agents as flat knobs, and what they mean to the agents themselves.

Every agent has a class of its own with no more than it takes, so that a form made from the fields shows nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from studio.ml.rl.agent import Settings
from studio.ml.rl.exploration import (
    Constant, EpsilonGreedy, Exploration, Halving, Harmonic, Linear, Schedule, Softmax, greedy,
)  # fmt: skip
from studio.ml.rl.knobs import check, knob

EXPLORATIONS = {"epsilon": "ε-greedy", "softmax": "softmax", "greedy": "greedy, no exploration"}
SCHEDULES = {
    "constant": "constant", "linear": "falls in a line", "halving": "falls by halves",
    "harmonic": "falls as 1 / (1 + episodes)",
}  # fmt: skip
_EXPLORES, _FALLS = ("exploration", ("epsilon", "softmax")), ("schedule", ("linear", "halving"))


@dataclass(frozen=True)
class TabularSettings:
    """What all tabular agents take. Raises BadSetting."""

    alpha: float = knob(0.5, "Step size α", "How far a value moves towards its target", low=0.001, high=1.0, step=0.01)
    gamma: float = knob(1.0, "Discount γ", "What a reward is worth one step later", low=0.0, high=1.0, step=0.01)
    exploration: str = knob(
        "epsilon", "Exploration",
        "ε-greedy: at random with probability ε; softmax: better values more often; greedy: none",
        choices=EXPLORATIONS,
    )
    epsilon: float = knob(
        0.1, "ε", "Share of random actions, at the beginning", low=0.0, high=1.0, step=0.01,
        needs=("exploration", ("epsilon",)),
    )
    temperature: float = knob(
        1.0, "Temperature τ", "Of softmax, at the beginning: the lower, the greedier", low=0.0, high=1000.0, step=0.1,
        needs=("exploration", ("softmax",)),
    )
    schedule: str = knob(
        "constant", "Schedule", "How exploration falls: not at all, in a line, by halves, or as 1 / (1 + episodes)",
        choices=SCHEDULES, needs=_EXPLORES,
    )
    end: float = knob(
        0.0, "Exploration at the end", "Where lines and halves lead to", low=0.0, high=1000.0, step=0.01, needs=_FALLS
    )
    over: int = knob(
        200, "Over episodes", "Length of the line, or episodes in which the way left halves",
        low=1, high=1_000_000, log=True, needs=_FALLS,
    )
    initial: float = knob(
        0.0, "First value", "Of every action; above what can be had, it makes the agent curious",
        low=-1e6, high=1e6, live=False, advanced=True,
    )
    limit: int = knob(
        10_000, "Step limit", "Steps after which an episode is cut, where the world does not do so earlier",
        low=1, high=1_000_000, log=True, advanced=True,
    )

    def __post_init__(self) -> None:
        check(self)

    def policy(self) -> Exploration:
        """The exploration that the words and numbers describe."""
        if self.exploration == "greedy":
            return greedy()
        if self.exploration == "softmax":
            return Softmax(self._schedule(self.temperature))
        return EpsilonGreedy(self._schedule(self.epsilon))

    def _schedule(self, start: float) -> Schedule:
        if self.schedule == "linear":
            return Linear(start, self.end, self.over)
        if self.schedule == "halving":
            return Halving(start, self.end, self.over)
        return Harmonic(start) if self.schedule == "harmonic" else Constant(start)

    def plain(self, longest: int | None = None) -> Settings:
        """As the agents know them; `longest`: the world's own step limit."""
        limit = self.limit if longest is None else min(self.limit, longest)
        return Settings(self.alpha, self.gamma, self.policy(), self.initial, limit)

    def options(self) -> dict[str, Any]:
        """What the agent takes beside, by the names of its own constructor."""
        return {}


def level(exploration: Exploration, episode: int) -> float:
    """ε or τ in an episode (counted from 0)."""
    if isinstance(exploration, Softmax):
        return exploration.temperature.at(episode)
    assert isinstance(exploration, EpsilonGreedy)
    return min(exploration.epsilon.at(episode), 1.0)


@dataclass(frozen=True)
class NStepSettings(TabularSettings):
    n: int = knob(4, "Steps n", "Rewards that are waited for before a value learns", low=1, high=1000, log=True)

    def options(self) -> dict[str, Any]:
        return {"n": self.n}


@dataclass(frozen=True)
class TraceSettings(TabularSettings):
    lam: float = knob(0.9, "Trace λ", "How much of an error reaches back one more step", low=0.0, high=1.0, step=0.01)
    trace: str = knob(
        "replacing", "Traces", "Accumulating adds 1 at each visit, replacing sets 1, dutch lies between",
        choices=("accumulating", "replacing", "dutch"), advanced=True,
    )

    def options(self) -> dict[str, Any]:
        return {"decay": self.lam, "trace": self.trace}


@dataclass(frozen=True)
class PlanningSettings(TabularSettings):
    planning: int = knob(
        10, "Planning steps", "Remembered steps learnt from again after each real one", low=0, high=200
    )

    def options(self) -> dict[str, Any]:
        return {"planning": self.planning}


@dataclass(frozen=True)
class MonteCarloSettings(TabularSettings):
    average: bool = knob(True, "Average returns", "Take the mean of all returns; otherwise steps of α towards each")

    def options(self) -> dict[str, Any]:
        return {"average": self.average}


SETTINGS: Mapping[str, type[TabularSettings]] = MappingProxyType(
    {
        "n_step_sarsa": NStepSettings, "sarsa_lambda": TraceSettings,
        "dyna_q": PlanningSettings, "monte_carlo": MonteCarloSettings,
    }
)  # fmt: skip


def settings_class(kind: str) -> type[TabularSettings]:
    """The class with what agents of that kind take."""
    return SETTINGS.get(kind, TabularSettings)
