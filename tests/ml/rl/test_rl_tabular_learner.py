"""Readable agents behind the door of all learners: the same runs, watched, kept, edited and repeated."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from studio.ml.rl.agent import Settings
from studio.ml.rl.errors import BadCheckpoint, BadSetting, BadWorld, Diverged
from studio.ml.rl.exploration import Constant, EpsilonGreedy, Halving, Harmonic, Linear, Softmax, greedy
from studio.ml.rl.grid import GridWorld, cliff, frozen_lake
from studio.ml.rl.kinds import KINDS, agent_of, options
from studio.ml.rl.learner import Episode, Kept, episode_seed
from studio.ml.rl.lockstep import Lockstep
from studio.ml.rl.planning import action_values, optimum
from studio.ml.rl.tabular import TabularLearner, best_values
from studio.ml.rl.tabular_settings import TabularSettings, level, settings_class
from studio.ml.rl.walk import Walk
from studio.ml.rl.worlds import WorldSpec

CLIFF = WorldSpec("grid", grid=cliff())
SLIPPERY = WorldSpec("grid", grid=frozen_lake(), limit=60)


def learner(kind: str, spec: WorldSpec = CLIFF, seed: int = 0, **settings: object) -> TabularLearner:
    return TabularLearner(spec, kind, settings_class(kind)(**settings), seed)  # type: ignore[arg-type]


def episodes(one: TabularLearner, count: int, limit: int = 37) -> list[Episode]:
    found: list[Episode] = []
    while len(found) < count:
        found += one.advance(limit).episodes
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_plain_agent(kind: str) -> None:
    one, plain = learner(kind, seed=3, limit=90), agent_of(kind, Walk(cliff().model), Settings(limit=90), 3)
    told = [plain.step() for _ in range(1500)]
    while one.steps < 1500:
        one.advance(1500 - one.steps)
    assert one.updates == sum(len(t.updates) for t in told)
    look = one.look()
    assert look.table is not None and look.table.transition == told[-1]
    scale = 2 if kind == "double_q" else 1
    np.testing.assert_array_equal(look.table.q * scale, plain.values())
    np.testing.assert_array_equal(look.table.visits, np.bincount([t.state for t in told], minlength=48))
    assert look.time == told[-1].time + 1 and look.total == told[-1].total and look.steps == 1500


def test_seeds_in_step_are_these_runs_too() -> None:
    run = Lockstep(cliff().model, "q_learning", (4,), 200)
    for _ in run:
        pass
    assert [e.total for e in episodes(learner("q_learning", seed=4), 200)] == run.returns[0].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_told_alike_however_it_is_cut(kind: str) -> None:
    one, other = (learner(kind, SLIPPERY, seed=1, gamma=0.95) for _ in range(2))
    first, second = [], []
    while one.steps < 900:
        first.append(one.advance(900 - one.steps))
    while other.steps < 900:
        second.append(other.advance())
    assert [t.figures for t in first if t.episodes] == [t.figures for t in second if t.episodes]
    assert [e.total for t in first for e in t.episodes] == [e.total for t in second for e in t.episodes]
    assert all(len(t.episodes) <= 1 for t in first)


@pytest.mark.parametrize("spec", [CLIFF, SLIPPERY])
def test_an_episode_is_its_seed_and_actions(spec: WorldSpec) -> None:
    assert spec.grid is not None
    for episode in episodes(learner("sarsa", spec, seed=9, limit=60), 50):
        walk = Walk(spec.grid.model)
        walk.reset(episode.seed)
        steps = [walk.step(int(action)) for action in episode.actions]
        assert sum(reward for _, reward, _ in steps) == episode.total
        assert [end for *_, end in steps] == [False] * (episode.length - 1) + [episode.terminated]
        assert episode.seed == episode_seed(9, 0, episode.number)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_goes_on_exactly_through_a_file(kind: str) -> None:
    one, other = learner(kind, SLIPPERY, seed=5, gamma=0.95), learner(kind, SLIPPERY, seed=8, gamma=0.95)
    for _ in range(60):
        one.advance(11)
    kept = one.keep()
    other.put_back(Kept(json.loads(json.dumps(kept.data)), {name: array.copy() for name, array in kept.arrays.items()}))
    assert other.seed == 5
    for _ in range(60):
        mine, yours = one.advance(13), other.advance(13)
        assert (mine.phase, mine.figures) == (yours.phase, yours.figures)
        ended = [[(e.seed, e.actions.tolist()) for e in turn.episodes] for turn in (mine, yours)]
        assert ended[0] == ended[1]
    np.testing.assert_array_equal(one.keep().arrays["q"], other.keep().arrays["q"])
    assert one.keep().data == other.keep().data


def test_looking_and_keeping_change_nothing() -> None:
    one, other = learner("double_q", SLIPPERY, gamma=0.9), learner("double_q", SLIPPERY, gamma=0.9)
    for _ in range(300):
        one.advance()
        one.look(frame=True), one.keep(), one.policy()
        other.advance()
    assert one.keep().data == other.keep().data


def test_what_does_not_fit_is_refused_and_nothing_is_lost() -> None:
    one = learner("sarsa")
    one.advance(50)
    before = one.keep()
    broken = Kept(before.data, before.arrays | {"q": before.arrays["q"] * np.nan})
    short = Kept({k: v for k, v in before.data.items() if k != "steps"}, before.arrays)
    stream = Kept(before.data, before.arrays | {"random": before.arrays["random"][:5]})
    for kept in (broken, short, stream, learner("q_learning").keep(), learner("sarsa", SLIPPERY).keep(), Kept({}, {})):
        with pytest.raises(BadCheckpoint):
            one.put_back(kept)
    after = one.keep()
    assert after.data == before.data and all((after.arrays[n] == a).all() for n, a in before.arrays.items())


def test_settings_change_between_two_steps() -> None:
    one = learner("q_learning", initial=-20.0)
    one.change(replace(one.settings, epsilon=1.0, alpha=0.25))
    one.advance(400)
    look = one.look().table
    assert look is not None and look.transition is not None
    np.testing.assert_allclose(look.policy, 0.25)
    last = look.transition.updates[0]
    assert last.new == pytest.approx(last.old + 0.25 * last.error)
    with pytest.raises(BadSetting, match="First value"):
        one.change(replace(one.settings, initial=5.0))
    with pytest.raises(BadSetting, match="TabularSettings"):
        one.change(settings_class("dyna_q")())
    planner = learner("dyna_q", planning=3)
    planner.advance(1)
    planner.change(replace(planner.settings, planning=7))  # type: ignore[call-arg]
    planner.advance(1)
    assert planner.updates == 4 + 8


def test_the_grid_changes_under_the_agent() -> None:
    one = learner("q_learning", gamma=0.9)
    one.advance(200)
    walled = cliff().put((2, 0), "#")
    one.edit(walled)
    look = one.look()
    assert look.grid == walled and look.table is not None and look.table.optimal is not None
    np.testing.assert_allclose(look.table.optimal, optimum(walled.model, 0.9)[1], atol=1e-7)
    seen = {one.advance() and one.look().table.state for _ in range(300)}  # type: ignore[union-attr]
    assert walled.state((2, 0)) not in seen - {look.table.state}
    with pytest.raises(BadWorld, match="rows and columns"):
        one.edit(GridWorld.drawn("S.G"))


@pytest.mark.parametrize(("grid", "gamma"), [(cliff(), 1.0), (frozen_lake(8), 0.99), (cliff(slip=0.3), 0.9)])
def test_the_best_values_are_those_of_value_iteration(grid: GridWorld, gamma: float) -> None:
    best = best_values(grid.model, gamma)
    assert best is not None
    np.testing.assert_allclose(best, optimum(grid.model, gamma, tolerance=1e-13)[1], atol=1e-7)
    np.testing.assert_allclose(action_values(grid.model, best.max(axis=1), gamma), best, atol=1e-9)


def test_value_error_falls_to_nothing() -> None:
    """Q-learning that behaves at random on a world that does not draw finds Q* exactly."""
    one = learner("q_learning", WorldSpec("grid", grid=GridWorld.drawn("..G .#. S..")), gamma=0.9, epsilon=1.0)
    told = []
    while one.steps < 20_000:
        told += [t.figures["value_error"] for t in [one.advance(1000)] if "value_error" in t.figures]
    assert told[0] > 0.5 and told[-1] < 1e-9


def test_trails_and_errors_are_of_the_present_episode() -> None:
    one = learner("sarsa", limit=40)
    one.advance(25)
    table = one.look().table
    assert table is not None and table.trail[0] == 36 and len(table.trail) == 26 and table.trail[-1] == table.state
    one.advance(40)
    one.advance(1)
    table = one.look().table
    assert table is not None and len(table.trail) == 2 and (table.error >= 0).all() and table.error.max() > 0


@pytest.mark.parametrize("world", ["Taxi-v4", "Blackjack-v1"])
def test_worlds_that_are_no_grids_are_drawn(world: str) -> None:
    """One walks through a table and is drawn by a copy, the other is the world itself; drawing changes neither."""
    one, plain = learner("q_learning", WorldSpec(world), gamma=0.9), learner("q_learning", WorldSpec(world), gamma=0.9)
    frames = []
    for _ in range(12):
        frame = one.look(frame=True).frame
        assert frame is not None and frame.dtype == np.uint8 and frame.shape[2] == 3 and frame.std() > 10
        frames.append(frame)
        one.advance(), plain.advance()
    assert any((frame != frames[0]).any() for frame in frames if frame.shape == frames[0].shape)
    assert one.look().frame is None and one.look().grid is None and one.keep().data == plain.keep().data
    one.close(), plain.close()


def test_policies_are_frozen_copies() -> None:
    one = learner("q_learning", gamma=0.9)
    one.advance(1000)
    policy, table = one.policy(), one.look().table
    assert table is not None
    best = [policy.act(np.array(s)) for s in range(48)]
    assert best == table.q.argmax(axis=1).tolist()
    draws = [policy.act(30, u) for u in (np.arange(2000) + 0.5) / 2000]
    np.testing.assert_allclose(np.bincount(draws, minlength=4) / 2000, table.policy[30], atol=0.002)
    one.advance(5000)
    assert [policy.act(s) for s in range(48)] == best


def test_flat_settings_mean_what_the_agents_know() -> None:
    assert TabularSettings().plain() == Settings()
    assert TabularSettings(exploration="greedy").policy() == greedy()
    line = TabularSettings(schedule="linear", epsilon=0.9, end=0.1, over=50)
    assert line.policy() == EpsilonGreedy(Linear(0.9, 0.1, 50)) and level(line.policy(), 25) == pytest.approx(0.5)
    halves = TabularSettings(exploration="softmax", temperature=4.0, schedule="halving", end=1.0, over=10)
    assert halves.policy() == Softmax(Halving(4.0, 1.0, 10)) and level(halves.policy(), 10) == 2.5
    assert TabularSettings(schedule="harmonic", epsilon=1.0).policy() == EpsilonGreedy(Harmonic(1.0))
    assert TabularSettings(limit=500).plain(longest=100).limit == 100
    assert TabularSettings(epsilon=0.3).plain().exploration == EpsilonGreedy(Constant(0.3))
    for kind in KINDS:
        own = {f.name for f in fields(settings_class(kind))} - {f.name for f in fields(TabularSettings)}
        assert set(settings_class(kind)().options()) == set(options(kind)) and len(own) == len(options(kind))
    for wrong in ({"alpha": 0.0}, {"gamma": 1.1}, {"epsilon": np.nan}, {"schedule": "never"}, {"over": 0}):
        with pytest.raises(BadSetting):
            TabularSettings(**wrong)


def test_values_without_bound_stop_and_other_settings_go_on() -> None:
    grid = GridWorld.drawn("S.", step_reward=1e99)
    one = TabularLearner(WorldSpec("grid", grid=grid), "sarsa_lambda", settings_class("sarsa_lambda")(limit=50))
    with pytest.raises(Diverged, match="Lower the step size"):
        while True:
            one.advance(10)
    assert np.isfinite(one.keep().arrays["q"]).all()
    one.edit(replace(grid, step_reward=0.0))
    one.change(replace(one.settings, gamma=0.5))
    assert episodes(one, 1)[0].length == 50
