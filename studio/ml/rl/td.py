"""Learning from one step: the four agents that differ in a single term of their target.

Sutton and Barto, Reinforcement Learning (2nd edition, 2018), sections 6.4 to 6.7. In each, S, A, R and S2, A2 are the
state, the action, the reward, and what follows; a state that ends is worth nothing more.
"""

from __future__ import annotations

from typing import ClassVar

from studio.ml.rl.agent import Agent, Settings, Table, Transition
from studio.ml.rl.walk import Environment


class Sarsa(Agent):
    """Target R + γ Q(S2, A2): the action that will be taken next (section 6.4)."""

    name: ClassVar[str] = "sarsa"
    on_policy: ClassVar[bool] = True

    def step(self) -> Transition:
        Q, gamma, alpha = self.q, self.settings.gamma, self.settings.alpha
        S, A = self._here()
        S2, R, end = self.world.step(A)
        A2 = None if end else self.choose(S2)
        target = R if A2 is None else R + gamma * Q[S2][A2]
        update = self._moved(Q, S, A, target, A2, alpha)
        return self._told(S, A, R, S2, end, A2, (update,))


class QLearning(Agent):
    """Target R + γ max Q(S2, ·): the best action, whatever will be taken (section 6.5)."""

    name: ClassVar[str] = "q_learning"
    on_policy: ClassVar[bool] = False

    def step(self) -> Transition:
        Q, gamma, alpha = self.q, self.settings.gamma, self.settings.alpha
        S, A = self._here()
        S2, R, end = self.world.step(A)
        best = max(Q[S2])
        through = None if end else Q[S2].index(best)
        target = R if end else R + gamma * best
        update = self._moved(Q, S, A, target, through, alpha)
        return self._told(S, A, R, S2, end, None, (update,))


class ExpectedSarsa(Agent):
    """Target R + γ Σ π(a | S2) Q(S2, a): every next action, by how likely it is (section 6.6)."""

    name: ClassVar[str] = "expected_sarsa"
    on_policy: ClassVar[bool] = True

    def step(self) -> Transition:
        Q, gamma, alpha = self.q, self.settings.gamma, self.settings.alpha
        S, A = self._here()
        S2, R, end = self.world.step(A)
        target = R if end else R + gamma * self.settings.exploration.expectation(Q[S2], self.episode)
        update = self._moved(Q, S, A, target, None, alpha)
        return self._told(S, A, R, S2, end, None, (update,))


class DoubleQ(Agent):
    """Two tables; a coin says which learns. It picks the best action, the other says what that is worth (section 6.7).

    It acts by the sum of both, which is `values()`.
    """

    name: ClassVar[str] = "double_q"
    on_policy: ClassVar[bool] = False
    _kept = (*Agent._kept, "other")

    def __init__(self, world: Environment, settings: Settings | None = None, seed: int = 0) -> None:
        super().__init__(world, settings, seed)
        self.other: Table = self._table()

    def values(self) -> Table:
        return [[a + b for a, b in zip(one, two, strict=True)] for one, two in zip(self.q, self.other, strict=True)]

    def choose(self, state: int) -> int:
        both = [a + b for a, b in zip(self.q[state], self.other[state], strict=True)]
        return self.settings.exploration.choose(both, self.episode, self._random.random())

    def step(self) -> Transition:
        gamma, alpha = self.settings.gamma, self.settings.alpha
        S, A = self._here()
        S2, R, end = self.world.step(A)
        Q1, Q2 = (self.q, self.other) if self._random.random() < 0.5 else (self.other, self.q)
        best = Q1[S2].index(max(Q1[S2]))
        target = R if end else R + gamma * Q2[S2][best]
        update = self._moved(Q1, S, A, target, None if end else best, alpha)
        return self._told(S, A, R, S2, end, None, (update,))
