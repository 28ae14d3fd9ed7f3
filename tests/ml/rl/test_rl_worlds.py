"""Worlds do what they say: published dynamics, edits that keep the states, walks as likely as their table."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.ml.rl.errors import BadAction, BadCheckpoint, BadWorld
from studio.ml.rl.grid import GridWorld, cliff, frozen_lake, windy
from studio.ml.rl.model import Model, Outcome
from studio.ml.rl.walk import Walk, pick

UP, RIGHT, DOWN, LEFT = range(4)


def test_the_cliff_is_the_books() -> None:
    walk = Walk(cliff().model)
    assert (walk.states, walk.actions, walk.reset()) == (48, 4, 36)
    assert walk.step(RIGHT) == (36, -100.0, False)
    assert walk.step(LEFT) == (36, -1.0, False)
    assert walk.step(UP) == (24, -1.0, False)
    assert [walk.step(RIGHT) for _ in range(12)][-2:] == [(35, -1.0, False), (35, -1.0, False)]
    assert walk.step(DOWN) == (47, -1.0, True)


def test_the_slippery_cliff_goes_aside_as_often_as_it_goes_on() -> None:
    outcomes = cliff(slip=2 / 3).model.table[36][UP]
    assert {(o.state, o.reward) for o in outcomes} == {(24, -1.0), (36, -1.0), (36, -100.0)}
    assert [o.probability for o in outcomes] == pytest.approx([1 / 3] * 3)


def test_the_lake_is_gymnasiums() -> None:
    model = frozen_lake().model
    left, down, right, up = range(4)
    # State 14 lies left of the goal: right slips to the goal, up to 10, or stays (the lower edge).
    assert {(o.state, o.reward, o.terminal): round(o.probability, 9) for o in model.table[14][right]} == {
        (15, 1.0, True): 0.333333333, (10, 0.0, False): 0.333333333, (14, 0.0, False): 0.333333333,
    }  # fmt: skip
    assert [o.state for o in frozen_lake(success=1.0).model.table[0][down]] == [4]
    assert model.table[4][right][0].terminal and model.table[4][right][0].state == 5
    assert len(frozen_lake(8).holes) == 10


def test_wind_is_added_to_the_move_as_in_the_book() -> None:
    def book(cell: tuple[int, int], action: int) -> tuple[int, int]:
        wind = [0, 0, 0, 1, 1, 1, 2, 2, 1, 0][cell[1]]
        down, right = [(-1, 0), (0, 1), (1, 0), (0, -1)][action]
        return min(max(cell[0] + down - wind, 0), 6), min(max(cell[1] + right, 0), 9)

    world = windy()
    for state in set(range(70)) - {world.state((3, 7))}:
        for action in range(4):
            assert world.cell(world.model.table[state][action][0].state) == book(world.cell(state), action)


def test_walls_stop_moves_and_wind() -> None:
    world = GridWorld.drawn("..G .#. S.#", wind=(5, 0, 0))
    table = world.model.table
    assert table[world.state((1, 0))][RIGHT][0].state == world.state((0, 0)), "the wall stops it, then wind lifts it"
    assert table[world.state((2, 1))][UP][0].state == world.state((2, 1))
    assert table[world.state((2, 1))][RIGHT][0].state == world.state((2, 1))


def test_edits_give_new_worlds_of_the_same_size() -> None:
    world = cliff()
    edited = world.put((2, 5), "#").put((3, 3), ".").reward((0, 0), 5.0).blow(4, -1)
    assert world == cliff() and edited != world and hash(edited) != hash(world)
    assert (edited.model.states, edited.model.actions) == (48, 4)
    assert str(edited).splitlines()[2][5] == "#" and str(edited).splitlines()[3][:4] == "SCC."
    assert edited.model.table[1][LEFT][0].reward == 5.0
    assert edited.reward((0, 0), None).blow(4, 0).rewards == ()
    assert world.put((0, 0), "S").start == (0, 0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.sampled_from("#CHG.")), max_size=12),
    st.tuples(*[st.integers(-3, 3)] * 5),
    st.floats(0, 1),
)
def test_any_edited_world_has_a_sound_table_and_can_be_drawn_again(
    edits: list[tuple[int, int, str]], wind: tuple[int, ...], slip: float
) -> None:
    world = GridWorld(4, 5, start=(3, 0), wind=wind, slip=slip)
    for r, c, mark in edits:
        if (r, c) != world.start:
            world = world.put((r, c), mark)
    walls = {world.state(cell) for cell in world.walls}
    for s, row in enumerate(world.model.table):
        for outcomes in row:
            assert math.isclose(sum(o.probability for o in outcomes), 1, abs_tol=1e-9)
            assert s in walls or walls.isdisjoint(o.state for o in outcomes)
    assert GridWorld.drawn(str(world), wind=wind, slip=slip) == world


def test_a_walk_is_as_likely_as_its_table() -> None:
    walk, count = Walk(frozen_lake().model, seed=3), 30_000
    seen: Counter[int] = Counter()
    for _ in range(count):
        walk.state = 14
        seen[walk.step(2)[0]] += 1
    for state in (15, 10, 14):
        assert abs(seen[state] / count - 1 / 3) < 4 * math.sqrt(2 / 9 / count)


def wander(walk: Walk, action: int) -> tuple[int, float, bool]:
    told = walk.step(action)
    if told[2]:
        walk.reset()
    return told


def test_a_walk_goes_on_in_an_edited_world_and_where_it_was_kept() -> None:
    walk = Walk(frozen_lake().model, seed=1)
    walk.step(2)
    kept = walk.keep()
    first = [wander(walk, a % 4) for a in range(50)]
    walk.put_back(kept)
    assert first == [wander(walk, a % 4) for a in range(50)] and len(set(first)) > 3
    walk.change(frozen_lake(success=1.0).model)
    assert walk.model.certain
    with pytest.raises(BadWorld, match="start a new run"):
        walk.change(cliff().model)
    with pytest.raises(BadCheckpoint):
        walk.put_back({"state": 99, "random": []})
    before = walk.keep()
    with pytest.raises(BadCheckpoint, match="random stream"):
        walk.put_back({"state": 7 - walk.state, "random": [3, [1, 2], None]})
    assert walk.keep() == before


def test_starts_are_drawn() -> None:
    ends = (((Outcome(1.0, 0, 0.0, True),),),) * 3
    walk = Walk(Model(ends, ((0.25, 0), (0.75, 2))), seed=0)
    seen = Counter(walk.reset() for _ in range(8000))
    assert set(seen) == {0, 2} and abs(seen[0] / 8000 - 0.25) < 4 * math.sqrt(0.1875 / 8000)


def test_one_draw_decides() -> None:
    assert [pick([0.5, 0.0, 0.5], u) for u in (0.0, 0.49, 0.5, 0.999)] == [0, 0, 2, 2]
    assert pick([0.3, 0.3, 0.3, 0.0], 0.95) == 2, "rounding never picks what cannot happen"


def test_arrays_hold_the_table() -> None:
    model = cliff(slip=0.5).model
    m = model.arrays
    np.testing.assert_allclose(m.probability.sum(axis=2), 1)
    s, a = 25, DOWN
    expected = {(o.state, o.probability) for o in model.table[s][a]}
    assert {(int(t), float(p)) for t, p in zip(m.next[s, a], m.probability[s, a], strict=True) if p > 0} == expected
    assert m.reward[s, a] == pytest.approx(sum(o.probability * o.reward for o in model.table[s][a]))


def test_gymnasiums_tables_come_in() -> None:
    P = {0: {0: [(0.5, 1, 1.0, True), (0.5, 0, 0.0, False)]}, 1: {0: [(1.0, 1, 0.0, True)]}}
    model = Model.of(P, [1.0, 0.0])
    assert model.table[0][0] == (Outcome(0.5, 1, 1.0, True), Outcome(0.5, 0, 0.0, False))
    assert model.starts == ((1.0, 0),)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: GridWorld(0, 3), "at least one row"),
        (lambda: GridWorld(2, 2, walls=frozenset({(2, 0)})), "outside"),
        (lambda: GridWorld(2, 2, walls=frozenset({(0, 0)})), "at once"),
        (lambda: GridWorld(2, 2, slip=1.5), "0 to 1"),
        (lambda: GridWorld(2, 2, wind=(1,)), "2 columns"),
        (lambda: GridWorld(2, 2, moves="URD"), "order"),
        (lambda: GridWorld(2, 2, rewards=(((0, 1), math.inf),)), "finite"),
        (lambda: GridWorld(2, 2, step_reward=math.nan), "finite"),
        (lambda: GridWorld.drawn("..G"), "one start"),
        (lambda: GridWorld.drawn("S. G"), "same length"),
        (lambda: GridWorld.drawn("S.x"), "not x"),
        (lambda: cliff().put((3, 0), "#"), "elsewhere first"),
        (lambda: cliff().put((0, 0), "?"), "hold"),
        (lambda: frozen_lake(5), "4 or 8"),
        (lambda: Model(()), "at least one state"),
        (lambda: Model((((Outcome(0.5, 0, 0.0, False),),),)), "sum to 1"),
        (lambda: Model((((Outcome(math.nan, 0, 0.0, False),),),)), "sum to 1"),
        (lambda: Model((((Outcome(1.0, 4, 0.0, False),),),)), "outside"),
        (lambda: Model((((Outcome(1.0, 0, math.nan, False),),),)), "finite"),
        (lambda: Model((((Outcome(1.0, 0, 0.0, True),),),), ((0.5, 0),)), "start"),
    ],
)
def test_bad_worlds_say_what_to_do(make: object, says: str) -> None:
    with pytest.raises(BadWorld, match=says):
        make()  # type: ignore[operator]


def test_unknown_actions_are_refused() -> None:
    with pytest.raises(BadAction, match="numbered from 0 to 3"):
        Walk(cliff().model).step(-1)
