"""Learning from more than one step: n of them, all of them fading, or the whole episode.

Sutton and Barto (2018), sections 7.2, 12.7 and 5.4. An episode cut by the step limit is learnt from as far as it went,
with the value of what comes next in the target where the method has one.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from studio.ml.rl.agent import Agent, Settings, Transition, Update
from studio.ml.rl.errors import BadSetting
from studio.ml.rl.walk import Environment

Trace = Literal["accumulating", "replacing", "dutch"]


class NStepSarsa(Agent):
    """Target: n rewards, then Q(S, A) n steps on. The pair n steps back learns; at the end all that wait do."""

    name: ClassVar[str] = "n_step_sarsa"
    on_policy: ClassVar[bool] = True
    _kept = (*Agent._kept, "waiting")

    def __init__(self, world: Environment, settings: Settings | None = None, seed: int = 0, *, n: int = 4) -> None:
        if n < 1:
            raise BadSetting(f"n-step Sarsa looks at least one step ahead, not {n}.")
        super().__init__(world, settings, seed)
        self.n = n
        self.waiting: list[tuple[int, int, float]] = []

    def step(self) -> Transition:
        Q, gamma, alpha = self.q, self.settings.gamma, self.settings.alpha
        S, A = self._here()
        S2, R, end = self.world.step(A)
        A2 = None if end else self.choose(S2)
        self.waiting.append((S, A, R))
        updates: list[Update] = []
        last = end or self._cut(end)
        while self.waiting and (last or len(self.waiting) >= self.n):
            target = 0.0 if A2 is None else Q[S2][A2]
            for _, _, reward in reversed(self.waiting):
                target = reward + gamma * target
            s, a, _ = self.waiting.pop(0)
            updates.append(self._moved(Q, s, a, target, A2, alpha))
        return self._told(S, A, R, S2, end, A2, tuple(updates))


class SarsaLambda(Agent):
    """One error, shared by every pair visited before in proportion to its trace, which fades by γλ a step.

    The update told is that of the pair just left; `traces` holds [state, action, trace] of all.
    trace: "accumulating" adds 1 at a visit, "replacing" sets 1, "dutch" adds 1 to (1 − α) of it.
    """

    name: ClassVar[str] = "sarsa_lambda"
    on_policy: ClassVar[bool] = True
    _kept = (*Agent._kept, "traces")

    def __init__(
        self,
        world: Environment,
        settings: Settings | None = None,
        seed: int = 0,
        *,
        decay: float = 0.9,
        trace: Trace = "replacing",
    ) -> None:
        if not 0 <= decay <= 1:
            raise BadSetting(f"λ is from 0 to 1, not {decay}.")
        if trace not in ("accumulating", "replacing", "dutch"):
            raise BadSetting(f"Traces are accumulating, replacing or dutch, not {trace}.")
        super().__init__(world, settings, seed)
        self.decay, self.trace = decay, trace
        self.traces: list[list[float]] = []

    def step(self) -> Transition:
        Q, gamma, alpha = self.q, self.settings.gamma, self.settings.alpha
        S, A = self._here()
        S2, R, end = self.world.step(A)
        A2 = None if end else self.choose(S2)
        target = R if A2 is None else R + gamma * Q[S2][A2]
        self._visit(S, A)
        shared = self._moved(Q, S, A, target, A2, alpha * self.traces[-1][2])
        for s, a, e in self.traces[:-1]:
            Q[int(s)][int(a)] += alpha * e * shared.error
        if end or self._cut(end):
            self.traces = []
        else:
            self._fade(gamma * self.decay)
        return self._told(S, A, R, S2, end, A2, (shared,))

    def _visit(self, state: int, action: int) -> None:
        """The pair's trace goes to the end of the list."""
        before = 0.0
        for place, (s, a, e) in enumerate(self.traces):
            if s == state and a == action:
                before = e
                del self.traces[place]
                break
        kept = {"accumulating": 1.0, "replacing": 0.0, "dutch": 1 - self.settings.alpha}[self.trace]
        self.traces.append([state, action, kept * before + 1])

    def _fade(self, factor: float) -> None:
        for entry in self.traces:
            entry[2] *= factor


class MonteCarlo(Agent):
    """Target: the return that followed the first visit of a pair in its episode (section 5.4).

    average: the mean of all returns, whatever the step size; else steps of α. Nothing moves before an episode ends, and
    an episode that was cut counts with the rewards it had.
    """

    name: ClassVar[str] = "monte_carlo"
    on_policy: ClassVar[bool] = True
    _kept = (*Agent._kept, "path", "counts")

    def __init__(
        self, world: Environment, settings: Settings | None = None, seed: int = 0, *, average: bool = True
    ) -> None:
        super().__init__(world, settings, seed)
        self.average = average
        self.path: list[tuple[int, int, float]] = []
        self.counts = [[0] * world.actions for _ in range(world.states)]

    def step(self) -> Transition:
        S, A = self._here()
        S2, R, end = self.world.step(A)
        self.path.append((S, A, R))
        updates = self._learn() if end or self._cut(end) else ()
        return self._told(S, A, R, S2, end, None, updates)

    def _learn(self) -> tuple[Update, ...]:
        first: dict[tuple[int, int], float] = {}
        G = 0.0
        for s, a, reward in reversed(self.path):
            G = reward + self.settings.gamma * G
            first[s, a] = G  # Going backwards, what stands at the end is the first visit's.
        self.path = []
        updates: list[Update] = []
        for (s, a), G in first.items():
            self.counts[s][a] += 1
            step = 1 / self.counts[s][a] if self.average else self.settings.alpha
            updates.append(self._moved(self.q, s, a, G, None, step))
        return tuple(updates)
