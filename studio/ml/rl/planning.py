"""The ground truth: what a known model is worth, by linear solve and by the two classical iterations.

Sutton and Barto (2018), sections 4.1 to 4.4. With γ = 1 a value exists only where the episode ends for certain (for a
policy) or can be made to end (for the best one); elsewhere values are nan, and nothing here loops for ever.
V: [S]. Q, policy (probabilities): [S, A].
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from studio.ml.rl.errors import BadPolicy, BadSetting
from studio.ml.rl.model import Array, Model

_BETTER = 1e-9
"""How much better an action must be before it counts; less is rounding."""


class Sweep(NamedTuple):
    """One sweep over all states. change: the largest move of a value in it."""

    sweep: int
    V: Array
    change: float


class Improvement(NamedTuple):
    """A deterministic policy [S], its exact values, and how many states will change their action next."""

    round: int
    policy: NDArray[np.int64]
    V: Array
    changed: int


def action_values(model: Model, V: Array, gamma: float) -> Array:
    """Q(s, a) = Σ p (r + γ V(s')), [S, A]; nan where a way that counts has no value."""
    m = model.arrays
    ahead = np.where(m.probability * m.going > 0, V[m.next], 0.0)
    Q: Array = m.reward + gamma * (m.probability * m.going * ahead).sum(axis=2)
    return Q


def greedy_policy(Q: ArrayLike) -> Array:
    """Probabilities [S, A] of acting greedily; equal actions share alike."""
    values = np.asarray(Q, dtype=np.float64)
    best = values == np.max(values, axis=1, keepdims=True)
    shared: Array = best / np.maximum(best.sum(axis=1, keepdims=True), 1)
    return shared


def evaluate(model: Model, policy: ArrayLike, gamma: float = 1.0) -> Array:
    """V of a policy (probabilities [S, A]), by solving (I − γ P) V = r. Raises BadPolicy, BadSetting.

    With γ = 1, nan where the policy may go on for ever.
    """
    pi = _policy(model, policy)
    _discount(gamma)
    m = model.arrays
    reward = (pi * m.reward).sum(axis=1)
    P = np.zeros((model.states, model.states))
    flow = pi[:, :, None] * m.probability * m.going
    np.add.at(P, (np.arange(model.states)[:, None, None], m.next), flow)
    V = np.full(model.states, np.nan)
    ends = np.ones(model.states, dtype=bool) if gamma < 1 else _ends_for_certain(model, pi)
    some = np.flatnonzero(ends)
    V[some] = np.linalg.solve(np.eye(len(some)) - gamma * P[np.ix_(some, some)], reward[some])
    return V


def start_value(model: Model, V: Array) -> float:
    """The value of the start: what an episode returns on average. nan where a start has none."""
    return float(sum(p * V[s] for p, s in model.starts if p > 0))


def value_iteration(
    model: Model, gamma: float = 1.0, *, tolerance: float = 1e-10, sweeps: int = 100_000
) -> Iterator[Sweep]:
    """V ← max_a Q(·, a) from zero, until no value moves by more than `tolerance`."""
    _discount(gamma)
    hopeless = np.zeros(model.states, dtype=bool) if gamma < 1 else ~_can_make_sure(model)[0]
    V = np.where(hopeless, np.nan, 0.0)
    for sweep in range(1, sweeps + 1):
        Q = action_values(model, V, gamma)
        # A way that may lead where nothing ends is no way to a value.
        new = np.where(hopeless, np.nan, np.max(np.where(np.isnan(Q), -np.inf, Q), axis=1))
        change = float(np.max(np.abs(new - V)[~hopeless], initial=0.0))
        V = new
        yield Sweep(sweep, V, change)
        if change <= tolerance:
            return


def policy_iteration(model: Model, gamma: float = 1.0) -> Iterator[Improvement]:
    """Exact evaluation and greedy improvement in turn, until no action changes. States without a value keep theirs.

    It starts from a policy that ends wherever one can, as γ = 1 needs.
    """
    _discount(gamma)
    policy, states = _way_out(model), np.arange(model.states)
    for round in range(1, model.states * model.actions + 2):
        V = evaluate(model, np.eye(model.actions)[policy], gamma)
        Q = action_values(model, V, gamma)
        safe = np.where(np.isnan(Q), -np.inf, Q)
        best = safe.argmax(axis=1)
        better = safe[states, best] > np.where(np.isnan(V), np.inf, V) + _BETTER
        yield Improvement(round, policy.copy(), V, int(better.sum()))
        if not better.any():
            return
        policy = np.where(better, best, policy)


def _policy(model: Model, policy: ArrayLike) -> Array:
    pi = np.asarray(policy, dtype=np.float64)
    shape = (model.states, model.actions)
    if pi.shape != shape or not (pi >= 0).all() or not np.allclose(pi.sum(axis=1), 1, atol=1e-8):
        raise BadPolicy(
            f"A policy is {model.states} rows of {model.actions} probabilities that sum to 1; "
            f"this one has shape {pi.shape}."
        )
    return pi


def _discount(gamma: float) -> None:
    if not 0 <= gamma <= 1:
        raise BadSetting(f"The discount is from 0 to 1, not {gamma}.")


def _ends_for_certain(model: Model, pi: Array) -> NDArray[np.bool_]:
    """Where the episode ends with probability 1: no state from which it cannot end is ever reached."""
    stuck = ~_can_end(model, pi > 0)
    edges = _edges(model, pi > 0)
    while True:
        grown = stuck | (edges & stuck[None, :]).any(axis=1)
        if (grown == stuck).all():
            return ~stuck
        stuck = grown


def _can_end(model: Model, allowed: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Where some allowed way leads to an end with positive probability."""
    m = model.arrays
    use = np.ones((model.states, model.actions), dtype=bool) if allowed is None else allowed
    can: NDArray[np.bool_] = (use[:, :, None] & (m.probability > 0) & (m.going == 0)).any(axis=(1, 2))
    edges = _edges(model, use)
    while True:
        grown = can | (edges & can[None, :]).any(axis=1)
        if (grown == can).all():
            return can
        can = grown


def _can_make_sure(model: Model) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """States from which some policy ends with probability 1, and the actions [S, A] that never leave them."""
    m = model.arrays
    sure = np.ones(model.states, dtype=bool)
    while True:
        kept = ((m.probability * m.going == 0) | sure[m.next]).all(axis=2) & sure[:, None]
        shrunk = _can_end(model, kept)
        if (shrunk == sure).all():
            return sure, kept
        sure = shrunk


def _edges(model: Model, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[S, S]: whether an allowed action may lead from one state to the other and go on."""
    m = model.arrays
    edges = np.zeros((model.states, model.states), dtype=bool)
    s, a, k = np.nonzero(allowed[:, :, None] & (m.probability * m.going > 0))
    edges[s, m.next[s, a, k]] = True
    return edges


def _way_out(model: Model) -> NDArray[np.int64]:
    """A policy that ends from wherever one can: every action is safe and may come one step nearer to an end."""
    m, safe = model.arrays, _can_make_sure(model)[1]
    policy = np.zeros(model.states, dtype=np.int64)
    done = np.zeros(model.states, dtype=bool)
    nearer = (m.probability > 0) & (m.going == 0)
    while (found := nearer.any(axis=2) & safe & ~done[:, None]).any():
        rows = np.flatnonzero(found.any(axis=1))
        policy[rows] = found[rows].argmax(axis=1)
        done[rows] = True
        nearer = (m.probability * m.going > 0) & done[m.next]
    return policy


def optimum(model: Model, gamma: float = 1.0, *, tolerance: float = 1e-10) -> tuple[Array, Array]:
    """V* and Q*, by value iteration."""
    V: Array = np.zeros(model.states)
    for told in value_iteration(model, gamma, tolerance=tolerance):
        V = told.V
    return V, action_values(model, V, gamma)

