"""How good a policy is without exploration: whole episodes in a world of their own, a few steps at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from studio.ml.rl.errors import BadSetting
from studio.ml.rl.learner import Policy, episode_seed
from studio.ml.rl.worlds import Worlds, WorldSpec, describe

STEPS = 32
"""Steps in one go."""
LIMIT = 1000
"""Steps after which an episode is cut in a world without a limit of its own: a policy that never explores may loop."""
_APART = 1_000_003
"""A place that no world of training has, so that the episodes of evaluation are others."""


@dataclass(frozen=True)
class Evaluation:
    """So far: totals and lengths of finished episodes, of `wanted`; cut: how many never ended by themselves."""

    wanted: int
    totals: tuple[float, ...] = ()
    lengths: tuple[int, ...] = ()
    cut: int = 0

    @property
    def done(self) -> bool:
        return len(self.totals) >= self.wanted

    @property
    def mean(self) -> float:
        return float(np.mean(self.totals)) if self.totals else float("nan")

    @property
    def deviation(self) -> float:
        return float(np.std(self.totals)) if self.totals else float("nan")


def evaluate(policy: Policy, spec: WorldSpec, seed: int, episodes: int = 10) -> Iterator[Evaluation]:
    """The best actions for that many episodes, told every few steps and once more when all are done. Raises RLError."""
    if episodes < 1:
        raise BadSetting(f"An evaluation takes at least one episode, not {episodes}.")
    if describe(spec).limit is None:
        spec = replace(spec, limit=LIMIT)
    worlds = Worlds(spec, 1, episode_seed(seed, _APART, 0))
    told, observation = Evaluation(episodes), worlds.reset()[0]
    try:
        while not told.done:
            for _ in range(STEPS):
                stepped = worlds.step(np.array([policy.act(observation)]))
                observation = stepped.observations[0]
                for episode in stepped.episodes:
                    told = Evaluation(
                        episodes, (*told.totals, episode.total), (*told.lengths, episode.length),
                        told.cut + (not episode.terminated),
                    )  # fmt: skip
                if told.done:
                    break
            yield told
    finally:
        worlds.close()
