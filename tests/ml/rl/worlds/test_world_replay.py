"""Episodes seen again, to any time and back."""

from __future__ import annotations

import numpy as np
import pytest

from studio.ml.rl.errors import BadAction, BadSetting
from studio.ml.rl.worlds import Replay, Worlds, WorldSpec


@pytest.mark.parametrize("id", ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1", "LunarLander-v3", "MiniGrid-Dynamic-Obstacles-5x5-v0"])
def test_an_episode_of_a_run_is_seen_again_as_it_was(id: str) -> None:
    spec, stream = WorldSpec(id, limit=30), np.random.default_rng(0)
    worlds = Worlds(spec, 2, 4)
    worlds.reset()
    seen, rewards, told = [], [], None
    while told is None or told.number < 1:
        actions = stream.integers(0, worlds.description.n, 2) if worlds.description.n else stream.uniform(-3, 3, (2, 1))
        step = worlds.step(actions)
        if told is not None:
            seen.append(step.final[1])
            rewards.append(float(step.rewards[1]))
        told = next((e for e in step.episodes if e.place == 1), told)
    replay = Replay(spec, told.seed, told.actions)
    assert replay.length == told.length == len(seen)
    shown = list(replay)
    np.testing.assert_array_equal([s.observation for s in shown[1:]], seen)
    assert [s.reward for s in shown] == [0.0, *rewards] and [s.time for s in shown] == list(range(replay.length + 1))
    assert shown[-1].total == pytest.approx(told.total) and shown[0].action is None
    if worlds.description.seen == "rgb":
        for time in (replay.length, 0, replay.length // 2, 1):
            frame = replay.at(time).frame
            assert frame is not None
            if id != "LunarLander-v3":  # Its sparks glow from frame to frame that is drawn.
                np.testing.assert_array_equal(frame, shown[time].frame)
    replay.close()
    worlds.close()


def test_long_ways_are_gone_in_pieces_and_ends_hold() -> None:
    replay = Replay(WorldSpec("Pendulum-v1"), 1, np.ones((50, 1)))
    assert not replay.forward(40, most=30) and replay.time == 30
    assert replay.forward(40, most=30) and replay.time == 40
    assert replay.forward(999) and replay.time == 50
    assert replay.forward(-3) and (replay.time, replay.total) == (0, 0.0)


def test_actions_that_the_world_does_not_have_are_refused() -> None:
    with pytest.raises(BadAction):
        Replay(WorldSpec("CartPole-v1"), 1, np.array([0, 1, 2]))
    with pytest.raises(BadSetting):
        Replay(WorldSpec("CartPole-v1"), 1, np.ones((4, 1)))
    assert Replay(WorldSpec("CartPole-v1"), 1, np.zeros(0, np.int64)).at(3).time == 0
