"""The No-U-Turn sampler (Hoffman & Gelman 2014) as a generator: one `next()` is one gradient.

Multinomial choice along the trajectory and the generalised U-turn criterion follow Betancourt 2017 (arXiv 1701.02434,
A.3-A.4); step size by dual averaging, and a diagonal metric from the second half of the warm-up, as in Stan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from studio.ml.gp.jet import Array

LogDensity = Callable[[Array], tuple[float, Array]]
"""x [p] -> log density (up to a constant) and gradient [p]; -inf where impossible."""

DEEPEST = 8
"""Doublings of a trajectory at most: 256 gradients."""

DIVERGENT = 1000.0
"""Energy error at which a trajectory has left the level set."""


class Leap(NamedTuple):
    """A leapfrog step arrived at x [p]; for showing the trajectory."""

    x: Array


class Draw(NamedTuple):
    """A sample. x [p]; log_density there; acceptance: mean probability along the trajectory (0.8 is aimed at);
    divergent: the step was too long for the curvature met; warmup: whether it is still to be thrown away.
    """

    x: Array
    log_density: float
    acceptance: float
    divergent: bool
    warmup: bool


class _State(NamedTuple):
    x: Array
    momentum: Array
    log_density: float
    gradient: Array


@dataclass(eq=False)
class _Tree:
    """A piece of trajectory: its ends, a state chosen from it, the log of its total weight, the sum of its momenta."""

    left: _State
    right: _State
    chosen: _State
    log_weight: float
    momenta: Array
    acceptance: float
    leaps: int
    alive: bool
    divergent: bool


def nuts(
    log_density: LogDensity, start: Array, draws: int, *, warmup: int = 200, target: float = 0.8, seed: int = 0
) -> Iterator[Leap | Draw]:
    """`warmup` + `draws` samples, each after its leaps."""
    rng = np.random.default_rng(seed)
    x, (value, gradient) = start, log_density(start)
    metric = np.ones(len(start))
    step = _Averaging(0.1, target)
    seen: list[Array] = []
    for number in range(warmup + draws):
        tuning = number < warmup
        momentum = rng.standard_normal(len(x)) / np.sqrt(metric)
        sampler = _Trajectory(log_density, metric, step.value if tuning else step.final, rng)
        tree = yield from sampler.grown(_State(x, momentum, value, gradient))
        x, _, value, gradient = tree.chosen
        acceptance = tree.acceptance / max(1, tree.leaps)
        if tuning:
            step.learn(acceptance)
            seen.append(x)
            if number + 1 in (warmup // 2, 3 * warmup // 4) and number >= 20:
                metric = _variances(np.array(seen[number // 2 :]))
                step = _Averaging(step.value, target)
        yield Draw(x, value, acceptance, tree.divergent, tuning)


class _Averaging:
    """Dual averaging of the log step size towards an acceptance probability (Hoffman & Gelman, section 3.2)."""

    def __init__(self, start: float, target: float) -> None:
        self.value = self.final = start
        self._pull, self._target, self._error, self._count = math.log(10 * start), target, 0.0, 0

    def learn(self, acceptance: float) -> None:
        self._count += 1
        share = 1 / (self._count + 10)
        self._error = (1 - share) * self._error + share * (self._target - acceptance)
        log = self._pull - math.sqrt(self._count) / 0.05 * self._error
        weight = self._count**-0.75
        self.final = math.exp(weight * log + (1 - weight) * math.log(self.final))
        self.value = math.exp(log)


class _Trajectory:
    """Grows a trajectory by doubling until it turns back on itself. metric [p]: variances, the inverse mass matrix."""

    def __init__(self, log_density: LogDensity, metric: Array, step: float, rng: np.random.Generator) -> None:
        self._log_density, self._metric, self._step, self._rng = log_density, metric, step, rng
        self._energy = 0.0

    def grown(self, start: _State) -> Generator[Leap, None, _Tree]:
        self._energy = self._energy_of(start)
        tree = _Tree(start, start, start, 0.0, start.momentum, 0.0, 0, True, False)
        for depth in range(DEEPEST):
            forwards = bool(self._rng.integers(2))
            branch = yield from self._branch(tree.right if forwards else tree.left, depth, forwards)
            if branch.alive and self._rng.random() < math.exp(min(0.0, branch.log_weight - tree.log_weight)):
                tree.chosen = branch.chosen
            tree = self._joined(tree, branch, forwards)
            if not tree.alive:
                break
        return tree

    def _branch(self, state: _State, depth: int, forwards: bool) -> Generator[Leap, None, _Tree]:
        """A tree of 2^depth leaps beyond `state`."""
        if depth == 0:
            arrived = self._leap(state, self._step if forwards else -self._step)
            yield Leap(arrived.x)
            lost = self._energy - self._energy_of(arrived)
            divergent = not lost > -DIVERGENT
            weight = -math.inf if math.isnan(lost) else lost
            chance = math.exp(min(0.0, weight))
            return _Tree(arrived, arrived, arrived, weight, arrived.momentum, chance, 1, not divergent, divergent)
        near = yield from self._branch(state, depth - 1, forwards)
        if not near.alive:
            return near
        far = yield from self._branch(near.right if forwards else near.left, depth - 1, forwards)
        total = np.logaddexp(near.log_weight, far.log_weight)
        chosen = far.chosen if self._rng.random() < math.exp(far.log_weight - total) else near.chosen
        joined = self._joined(near, far, forwards)
        joined.chosen = chosen
        return joined

    def _joined(self, near: _Tree, far: _Tree, forwards: bool) -> _Tree:
        left, right = (near.left, far.right) if forwards else (far.left, near.right)
        momenta = near.momenta + far.momenta
        onward = min(momenta @ (self._metric * end.momentum) for end in (left, right)) > 0
        return _Tree(
            left, right, near.chosen, float(np.logaddexp(near.log_weight, far.log_weight)), momenta,
            near.acceptance + far.acceptance, near.leaps + far.leaps,
            near.alive and far.alive and bool(onward), near.divergent or far.divergent,
        )  # fmt: skip

    def _leap(self, state: _State, step: float) -> _State:
        momentum = state.momentum + 0.5 * step * state.gradient
        x = state.x + step * self._metric * momentum
        value, gradient = self._log_density(x)
        return _State(x, momentum + 0.5 * step * gradient, value, gradient)

    def _energy_of(self, state: _State) -> float:
        return 0.5 * float(state.momentum @ (self._metric * state.momentum)) - state.log_density


def _variances(samples: Array) -> Array:
    """Variances [p] of samples [n, p], drawn a little towards 1e-3 as Stan does for short warm-ups."""
    n = len(samples)
    variances: Array = samples.var(axis=0) * (n / (n + 5)) + 1e-3 * (5 / (n + 5))
    return variances
