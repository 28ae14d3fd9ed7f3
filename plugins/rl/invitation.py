"""What the panel says before anything was trained."""

from __future__ import annotations

from collections.abc import Callable

from studio.ml.rl.worlds import WorldSpec
from studio.ml.rl.worlds.grids import grids
from studio.ui.cards import EmptyState


class Invitation(EmptyState):
    """Two ways to begin; `begin` is given the world to train in."""

    def __init__(self, begin: Callable[[WorldSpec], None]) -> None:
        super().__init__(
            "Watch agents learn",
            "Two agents, the same world, the same seeds: press Train and see why one walks the safe path while the other "
            "falls off the cliff. Draw walls under their feet while they learn.",
            icon="rl",
            actions=[
                ("Train Sarsa and Q-learning", lambda: begin(WorldSpec("grid", grid=grids()["Cliff walking"]))),
                ("Balance a pole with PPO and DQN", lambda: begin(WorldSpec("CartPole-v1"))),
            ],
        )
