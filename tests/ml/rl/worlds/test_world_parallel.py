"""Copies of a world side by side: what Gymnasium does, exactly, whatever is watched, kept or put back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray

from studio.ml.rl.errors import BadAction, BadCheckpoint, BadSetting, BadWorld
from studio.ml.rl.grid import cliff
from studio.ml.rl.learner import Episode, Kept, episode_seed
from studio.ml.rl.worlds import Description, Stepped, Worlds, WorldSpec, grids

SEED = 5
WALKED = ["CartPole-v1", "Acrobot-v1", "MountainCarContinuous-v0", "Pendulum-v1", "Blackjack-v1", "LunarLander-v3",
          "LunarLanderContinuous-v3", "BipedalWalker-v3", "MiniGrid-Dynamic-Obstacles-5x5-v0"]  # fmt: skip


def drawn(description: Description, count: int, stream: np.random.Generator) -> NDArray[Any]:
    if description.n is not None:
        return stream.integers(0, description.n, count)
    return stream.uniform(description.low, description.high, (count, description.size)).astype(np.float32)


def run(worlds: Worlds, steps: int, stream: np.random.Generator) -> list[Stepped]:
    return [worlds.step(drawn(worlds.description, worlds.count, stream)) for _ in range(steps)]


def same(one: list[Stepped], other: list[Stepped]) -> bool:
    def told(episode: Episode) -> tuple[Any, ...]:
        return (*(getattr(episode, k) for k in ("place", "number", "seed", "total", "steps", "terminated")), episode.actions.tolist())

    return all(
        all(np.array_equal(p, q) and p.dtype == q.dtype for p, q in zip(a[:5], b[:5], strict=True))
        and [told(e) for e in a.episodes] == [told(e) for e in b.episodes]
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("id", ["CartPole-v1", "Acrobot-v1", "MountainCarContinuous-v0", "LunarLander-v3", "BipedalWalker-v3"])
def test_it_is_gymnasium_with_the_same_seeds_and_actions(id: str) -> None:
    """Observations, rewards, ends and cuts are equal to the last bit; the limit is short so that cuts happen too."""
    worlds, stream = Worlds(WorldSpec(id, limit=90), 2, SEED), np.random.default_rng(0)
    bare = [gym.make(id, max_episode_steps=90) for _ in range(2)]
    now = [env.reset(seed=episode_seed(SEED, place, 0))[0] for place, env in enumerate(bare)]
    np.testing.assert_array_equal(worlds.reset(), now)
    numbers, cuts, ends = [0, 0], 0, 0
    for _ in range(400):
        actions = drawn(worlds.description, 2, stream)
        told = worlds.step(actions)
        for place, env in enumerate(bare):
            observation, reward, terminated, truncated, _ = env.step(actions[place])
            np.testing.assert_array_equal(told.final[place], observation)
            assert (told.rewards[place], told.terminated[place], told.truncated[place]) == (float(reward), terminated, truncated)
            if terminated or truncated:
                numbers[place] += 1
                observation, _ = env.reset(seed=episode_seed(SEED, place, numbers[place]))
                cuts, ends = cuts + truncated, ends + terminated
            np.testing.assert_array_equal(told.observations[place], observation)
    assert cuts + ends >= 6 and worlds.steps == 800
    for env in bare:
        env.close()
    worlds.close()


def test_episodes_are_told_when_they_end_with_all_that_is_needed_to_see_them_again() -> None:
    worlds, stream = Worlds(WorldSpec("CartPole-v1"), 3, SEED), np.random.default_rng(1)
    worlds.reset()
    actions: list[list[int]] = [[], [], []]
    numbers, totals, found = [0, 0, 0], [0.0, 0.0, 0.0], 0
    for step in range(1, 1301):
        taken = stream.integers(0, 2, 3)
        told = worlds.step(taken)
        for place in range(3):
            actions[place].append(int(taken[place]))
            totals[place] += told.rewards[place]
        for episode in told.episodes:
            place, found = episode.place, found + 1
            assert (episode.number, episode.seed) == (numbers[place], episode_seed(SEED, place, numbers[place]))
            assert episode.actions.tolist() == actions[place] and episode.total == totals[place]
            assert episode.steps == step * 3 and episode.terminated and told.terminated[place]
            actions[place], totals[place], numbers[place] = [], 0.0, numbers[place] + 1
    assert found > 100, "past the first rows of the log"


def test_an_episode_longer_than_the_log_is_kept_whole() -> None:
    worlds, stream = Worlds(WorldSpec("Pendulum-v1", limit=5000), 1, SEED), np.random.default_rng(2)
    worlds.reset()
    taken = stream.uniform(-3, 3, (5000, 1, 1))
    (episode,) = [worlds.step(action) for action in taken][-1].episodes
    np.testing.assert_array_equal(episode.actions, taken[:, 0].clip(-2, 2).astype(np.float32))
    assert not episode.terminated and episode.length == 5000


@pytest.mark.parametrize("id", [*WALKED, "FrozenLake-v1", "Taxi-v4"])
def test_watching_changes_nothing_and_what_was_kept_goes_on(id: str) -> None:
    spec, stream = WorldSpec(id), np.random.default_rng(3)
    plain, watched = Worlds(spec, 2, SEED), Worlds(spec, 2, SEED)
    np.testing.assert_array_equal(plain.reset(), watched.reset())
    actions = [drawn(plain.description, 2, stream) for _ in range(60)]
    first, second = [], []
    for t, action in enumerate(actions):
        first.append(plain.step(action))
        if t % 6 == 0:
            frame, text = watched.frame(t % 2), watched.text()
            assert plain.description.seen != "rgb" or frame is not None and frame.std() > 0
            assert plain.description.seen != "grid" or "@" in text
        second.append(watched.step(action))
    assert same(first, second)
    kept = plain.keep()
    onward = [drawn(plain.description, 2, stream) for _ in range(40)]
    went = [plain.step(action) for action in onward]
    other = Worlds(spec, 2, SEED + 1)
    other.reset()
    other.put_back(kept)
    assert same(went, [other.step(action) for action in onward])
    for worlds in (plain, watched, other):
        worlds.close()


def test_a_world_that_is_not_reproducible_says_so_and_stays_where_it_was() -> None:
    worlds = Worlds(WorldSpec("CartPole-v1"), 2, SEED)
    worlds.reset()
    run(worlds, 5, np.random.default_rng(0))
    kept, stands = worlds.keep(), worlds.keep()
    kept.arrays["observations"][0, 0] += 1e-6
    with pytest.raises(BadCheckpoint, match="not reproducible"):
        worlds.put_back(kept)
    assert np.array_equal(worlds.keep().arrays["observations"], stands.arrays["observations"])
    worlds.put_back(stands)


@pytest.mark.parametrize(
    ("field", "value"),
    [("world", {"id": "Acrobot-v1"}), ("world", {"id": "CartPole-v1", "limit": 7}), ("world", 3), ("numbers", [0]), ("seed", None), ("states", 1), ("states", [{}, {}])],
)
def test_checkpoints_of_something_else_are_refused(field: str, value: object) -> None:
    worlds = Worlds(WorldSpec("CartPole-v1"), 2, SEED)
    worlds.reset()
    kept = worlds.keep()
    with pytest.raises(BadCheckpoint):
        worlds.put_back(replace(kept, data=kept.data | {field: value}))
    with pytest.raises(BadCheckpoint):
        worlds.put_back(Kept(kept.data, {}))
    with pytest.raises(BadCheckpoint, match="acted again"):
        worlds.put_back(replace(kept, arrays=kept.arrays | {"actions 1": np.full(3, 9)}))


def test_a_grid_is_edited_under_the_feet_of_its_agents_and_rewound_across_the_edit() -> None:
    spec = WorldSpec("grid", grid=grids()["Cliff walking"], limit=50)
    worlds, stream = Worlds(spec, 3, SEED), np.random.default_rng(4)
    worlds.reset()
    run(worlds, 20, stream)
    kept, before = worlds.keep(), worlds.keep().arrays["observations"]
    edited = cliff().put((2, 0), "#").reward((3, 11), 5.0)
    worlds.change(edited)
    assert worlds.spec.grid == edited
    np.testing.assert_array_equal(worlds.keep().arrays["observations"], before)
    stuck = Worlds(WorldSpec("grid", grid=edited), 1, 0)
    stuck.reset()
    assert stuck.step([0]).final.tolist() == [36], "the wall above the start holds"
    worlds.put_back(kept)
    assert worlds.spec == spec
    with pytest.raises(BadWorld, match="rows"):
        worlds.change(grids()["Maze"])
    with pytest.raises(BadWorld, match="cannot be edited"):
        Worlds(WorldSpec("CartPole-v1"), 1, 0).change(edited)


def test_bad_actions_are_named() -> None:
    worlds = Worlds(WorldSpec("CartPole-v1"), 2, SEED)
    worlds.reset()
    for wrong in ([0], [0.0, 1.0], [[0, 1]], ["left", "right"]):
        with pytest.raises(BadSetting, match="2 whole numbers"):
            worlds.step(wrong)
    for wrong in ([0, 2], [-1, 0]):
        with pytest.raises(BadAction, match="from 0 to 1"):
            worlds.step(wrong)
    pendulum = Worlds(WorldSpec("Pendulum-v1"), 2, SEED)
    pendulum.reset()
    with pytest.raises(BadSetting, match="2 times 1 finite"):
        pendulum.step([[0.0], [np.nan]])
    with pytest.raises(BadSetting, match="at least one"):
        Worlds(WorldSpec("CartPole-v1"), 0, SEED)


def test_arrays_once_given_are_never_written_again() -> None:
    worlds, stream = Worlds(WorldSpec("CartPole-v1"), 2, SEED), np.random.default_rng(6)
    first = worlds.reset()
    given = [(first, first.copy())]
    for told in run(worlds, 80, stream):
        given += [(array, array.copy()) for array in told[:5]]
    run(worlds, 80, stream)
    assert all(np.array_equal(array, copy) for array, copy in given)


def test_sparks_of_the_lander_neither_pile_up_nor_change_its_way() -> None:
    """Place 0 has sparks and place 1 none; both land alike, also after many episodes in the same copy."""
    worlds = Worlds(WorldSpec("LunarLander-v3", limit=120), 2, SEED)
    worlds.reset()
    first, second = (single._env for single in worlds._bank.singles)  # type: ignore[attr-defined]
    most = 0
    for step in range(600):
        told = worlds.step([2, 2] if step % 3 else [1, 3])
        most = max(most, len(first.unwrapped.particles))
        assert not second.unwrapped.particles
    assert 3 < most < 20
    kept = worlds.keep()
    worlds.put_back(kept)
    np.testing.assert_array_equal(worlds.keep().arrays["observations"], told.observations)
    assert worlds.frame(0) is not None and worlds.frame(1) is not None
    worlds.close()
