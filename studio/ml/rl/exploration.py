"""How an agent explores: schedules over episodes, and policies that turn action values into choices by one draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, exp2, isfinite
from typing import Protocol

from studio.ml.rl.errors import BadSetting
from studio.ml.rl.walk import pick


class Schedule(Protocol):
    """A number that may change from episode to episode (counted from 0)."""

    def at(self, episode: int) -> float: ...


@dataclass(frozen=True)
class Constant:
    value: float

    def __post_init__(self) -> None:
        _natural(self.value)

    def at(self, episode: int) -> float:
        return self.value


@dataclass(frozen=True)
class Linear:
    """From `start` to `end` in equal steps over `episodes`, and `end` from then on."""

    start: float
    end: float
    episodes: int

    def __post_init__(self) -> None:
        _natural(self.start, self.end)
        if self.episodes < 1:
            raise BadSetting(f"A schedule runs over at least one episode, not {self.episodes}.")

    def at(self, episode: int) -> float:
        return self.end if episode >= self.episodes else self.start + (self.end - self.start) * episode / self.episodes


@dataclass(frozen=True)
class Halving:
    """From `start` towards `end`; the way left halves every `episodes`."""

    start: float
    end: float
    episodes: float

    def __post_init__(self) -> None:
        _natural(self.start, self.end)
        if not self.episodes > 0:
            raise BadSetting(f"The way left halves every so many episodes, a number above 0, not {self.episodes}.")

    def at(self, episode: int) -> float:
        return self.end + (self.start - self.end) * exp2(-episode / self.episodes)


@dataclass(frozen=True)
class Harmonic:
    """start / (1 + episode): every action is tried for ever, and the policy is greedy in the limit (GLIE)."""

    start: float = 1.0

    def __post_init__(self) -> None:
        _natural(self.start)

    def at(self, episode: int) -> float:
        return self.start / (1 + episode)


def _natural(*values: float) -> None:
    for value in values:
        if not (isfinite(value) and value >= 0):
            raise BadSetting(f"Exploration is a finite number from 0 up, not {value}.")


class Exploration(Protocol):
    """A policy made from the action values q of one state. u in [0, 1) is the one draw that decides."""

    def probabilities(self, q: Sequence[float], episode: int) -> list[float]: ...
    def choose(self, q: list[float], episode: int, u: float) -> int: ...
    def expectation(self, q: Sequence[float], episode: int) -> float:
        """Σ π(a) q(a)."""
        ...


@dataclass(frozen=True)
class EpsilonGreedy:
    """Any action with probability ε, else the best; equal ones share alike. ε above 1 counts as 1."""

    epsilon: Schedule = Constant(0.1)

    def probabilities(self, q: Sequence[float], episode: int) -> list[float]:
        epsilon, best = min(self.epsilon.at(episode), 1.0), max(q)
        ties = sum(value == best for value in q)
        return [epsilon / len(q) + ((1 - epsilon) / ties if value == best else 0.0) for value in q]

    def choose(self, q: list[float], episode: int, u: float) -> int:
        epsilon, best = min(self.epsilon.at(episode), 1.0), max(q)
        if u < epsilon:
            return min(int(u / epsilon * len(q)), len(q) - 1)
        ties = q.count(best)
        if ties == 1:
            return q.index(best)
        # u is uniform over what is left above ε, so the same draw also says which of the equal ones.
        place = min(int((u - epsilon) / (1 - epsilon) * ties), ties - 1)
        return [a for a, value in enumerate(q) if value == best][place]

    def expectation(self, q: Sequence[float], episode: int) -> float:
        epsilon, total = min(self.epsilon.at(episode), 1.0), 0.0
        for value in q:
            total += value
        return epsilon * (total / len(q)) + (1 - epsilon) * max(q)


def greedy() -> EpsilonGreedy:
    """No exploration at all."""
    return EpsilonGreedy(Constant(0.0))


@dataclass(frozen=True)
class Softmax:
    """π(a) ∝ exp(q(a) / τ); at a temperature of 0 the best share alike."""

    temperature: Schedule = Constant(1.0)

    def probabilities(self, q: Sequence[float], episode: int) -> list[float]:
        temperature, best = self.temperature.at(episode), max(q)
        if temperature > 0:
            weights = [exp((value - best) / temperature) for value in q]
        else:
            weights = [float(value == best) for value in q]
        total = sum(weights)
        return [weight / total for weight in weights]

    def choose(self, q: list[float], episode: int, u: float) -> int:
        return pick(self.probabilities(q, episode), u)

    def expectation(self, q: Sequence[float], episode: int) -> float:
        return sum(p * value for p, value in zip(self.probabilities(q, episode), q, strict=True))
