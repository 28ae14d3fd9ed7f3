"""The replay buffer against a plain list of all that ever happened, and prioritised draws against their formula."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from studio.ml.rl.deep import replay as room
from studio.ml.rl.deep.prioritised import BLOCK, FLOOR, Priorities
from studio.ml.rl.deep.replay import Replay, bytes_of
from studio.ml.rl.errors import BadCheckpoint, BadSetting


def stream(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


class Happened(NamedTuple):
    observation: NDArray[Any]
    action: int
    reward: float
    terminated: bool
    truncated: bool
    final: NDArray[Any]


def lived(count: int, steps: int, pixels: bool, seed: int = 0) -> list[list[Happened]]:
    """[steps][count] of a world whose observations are all different, with ends of both kinds."""
    draws, told = stream(seed), iter(range(10**9))

    def fresh() -> NDArray[Any]:
        n = next(told)
        return np.array([[[n % 251, n // 251]]], np.uint8) if pixels else np.array([n, -n], np.float32)

    now = [fresh() for _ in range(count)]
    rows = []
    for _ in range(steps):
        row = []
        for place in range(count):
            end = draws.choice([0, 0, 0, 0, 1, 2])
            final = fresh()
            row.append(Happened(now[place], int(draws.integers(3)), float(draws.normal()), end == 1, end == 2, final))
            now[place] = fresh() if end else final
        rows.append(row)
    return rows


def filled(buffer: Replay, rows: list[list[Happened]]) -> Replay:
    for row in rows:
        columns = [np.array([getattr(h, name) for h in row]) for name in Happened._fields]
        buffer.add(*columns)
    return buffer


def buffer_of(capacity: int, count: int, pixels: bool) -> Replay:
    return Replay(capacity, count, (1, 1, 2) if pixels else (2,), np.uint8 if pixels else np.float32)


def explicit(rows: list[list[Happened]], row: int, place: int, n: int, gamma: float) -> tuple[float, float, Any]:
    """The return, the discount of what follows, and what follows: the definition, one step after another."""
    total = 0.0
    for k in range(n):
        step = rows[row + k][place]
        total += gamma**k * step.reward
        if step.terminated:
            return total, 0.0, step.final
        if step.truncated or k == n - 1 or row + k + 1 == len(rows):
            return total, gamma ** (k + 1), step.final
    raise AssertionError


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("n", [1, 3, 7])
@pytest.mark.parametrize(("count", "capacity", "steps"), [(1, 50, 30), (1, 20, 73), (3, 62, 50), (4, 4, 9)])
def test_every_sample_is_what_the_definition_says(
    pixels: bool, n: int, count: int, capacity: int, steps: int
) -> None:
    rows = lived(count, steps, pixels)
    buffer = filled(buffer_of(capacity, count, pixels), rows)
    kept = min(steps, capacity // count)
    assert len(buffer) == kept * count
    slots = np.arange(len(buffer))
    batch = buffer.batch(slots, n, 0.9)
    assert sorted(batch.ages.tolist()) == sorted(list(range(kept)) * count)
    for i in slots:
        row, place = steps - 1 - batch.ages[i], i % count
        told, discount, following = explicit(rows, row, place, n, 0.9)
        assert batch.observations[i].tolist() == rows[row][place].observation.tolist()
        assert batch.actions[i] == rows[row][place].action
        assert batch.returns[i] == np.float32(told)
        assert batch.discounts[i] == pytest.approx(discount, abs=1e-7)
        assert batch.following[i].tolist() == following.tolist()


def test_a_time_limit_is_bootstrapped_through_and_an_end_is_not() -> None:
    no, yes = np.array([False]), np.array([True])
    buffer = Replay(8, 1, (1,), np.float32)
    zero = np.zeros((1, 1), np.float32)
    for terminated, truncated in [(no, no), (no, yes), (yes, no)]:
        buffer.add(zero, np.zeros(1), np.ones(1), terminated, truncated, zero + 7)
    batch = buffer.batch(np.arange(3), 3, 0.5)
    assert batch.returns.tolist() == [1.5, 1.0, 1.0]
    assert batch.discounts.tolist() == [0.25, 0.5, 0.0]


def test_draws_are_even_and_never_from_empty_slots() -> None:
    buffer = filled(buffer_of(64, 2, False), lived(2, 10, False))
    drawn = np.bincount(buffer.draw(40_000, stream(1)), minlength=64)
    assert drawn[20:].sum() == 0
    expected = 40_000 / 20
    assert ((drawn[:20] - expected) ** 2 / expected).sum() < 43.8  # 99.9 % of chi-square with 19 degrees of freedom


@pytest.mark.parametrize("pixels", [False, True])
def test_kept_and_put_back_it_goes_on_alike(pixels: bool) -> None:
    rows = lived(2, 60, pixels)
    for steps in (0, 7, 16, 31):
        first = filled(buffer_of(33, 2, pixels), rows[:steps])
        data, arrays = first.keep()
        second = filled(buffer_of(33, 2, pixels), rows[40:55])  # has lived something else before
        second.put_back(data, arrays)
        filled(first, rows[steps : steps + 9])
        filled(second, rows[steps : steps + 9])
        slots = np.arange(len(first))
        for one, other in zip(first.batch(slots, 3, 0.9), second.batch(slots, 3, 0.9), strict=True):
            assert one is other is None or np.array_equal(one, other)


def test_kept_arrays_stay_as_they_were() -> None:
    rows = lived(1, 30, True)
    buffer = filled(buffer_of(10, 1, True), rows[:15])
    _, arrays = buffer.keep()
    before = {name: array.copy() for name, array in arrays.items()}
    filled(buffer, rows[15:])
    assert all(np.array_equal(arrays[name], before[name]) for name in before)


def test_what_is_not_its_own_is_refused_and_changes_nothing() -> None:
    rows = lived(2, 12, True)
    buffer = filled(buffer_of(40, 2, True), rows)
    data, arrays = buffer.keep()
    bad: list[tuple[dict[str, Any], dict[str, NDArray[Any]]]] = [
        (data | {"rows": 7}, arrays),
        (data | {"row": 99}, arrays),
        (data | {"row": data["row"] - 1}, arrays),
        (data, {name: array for name, array in arrays.items() if name != "finals"}),
        (data, arrays | {"observations": arrays["observations"][:, :, :, :1]}),
    ]
    for told, held in bad:
        with pytest.raises(BadCheckpoint):
            buffer.put_back(told, held)
    again = buffer.keep()
    assert again[0] == data and all(np.array_equal(again[1][name], arrays[name]) for name in arrays)


def test_pixels_are_kept_once_and_vectors_with_what_follows() -> None:
    assert bytes_of((4, 84, 84), np.uint8) == 4 * 84 * 84 + 8 + 10
    assert bytes_of((4,), np.float32, (2,), np.float32) == 2 * 16 + 8 + 10


def test_a_buffer_that_would_not_fit_says_how_large_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory(NamedTuple):
        available: int

    monkeypatch.setattr(room.psutil, "virtual_memory", lambda: Memory(2**30))
    with pytest.raises(BadSetting, match=r"26.3 GB, and 0.8 GB can be had. Lower the buffer size to 30,415"):
        Replay(1_000_000, 1, (4, 84, 84), np.uint8)
    allowed = int(0.8 * 2**30) // bytes_of((4, 84, 84), np.uint8)
    assert Replay(allowed, 1, (4, 84, 84), np.uint8).slots == allowed
    with pytest.raises(BadSetting, match="at least one"):
        Replay(0, 1, (2,), np.float32)


def test_prioritised_draws_find_the_slots_of_the_running_sum() -> None:
    draws = stream(3)
    for slots in (1, BLOCK - 1, BLOCK, 3 * BLOCK + 5, 1000):
        priorities = Priorities(slots)
        filled = max(slots - 7, 1)
        errors = draws.gamma(0.3, size=filled)
        priorities.learnt(np.arange(filled), errors, 0.6)
        p = (errors + FLOOR) ** 0.6
        assert np.allclose(priorities.priorities[:filled], p, rtol=1e-14)
        shares = draws.random(2000)
        wanted = np.minimum(np.searchsorted(np.cumsum(p), shares * p.sum(), side="right"), filled - 1)
        found = priorities.find(shares)
        assert (found != wanted).mean() < 0.002 and np.abs(found - wanted).max() <= 1  # only where rounding decides
        edges = priorities.find(np.array([0.0, np.nextafter(1.0, 0.0), 1.0]))
        assert edges.tolist() == [0, filled - 1, filled - 1]


def test_prioritised_draws_follow_the_stated_distribution() -> None:
    priorities, draws = Priorities(300), stream(4)
    errors = draws.normal(size=120) * 3
    priorities.learnt(np.arange(120), errors, 0.7)
    drawn = np.zeros(300)
    for _ in range(2000):
        drawn += np.bincount(priorities.draw(32, draws), minlength=300)
    p = (np.abs(errors) + FLOOR) ** 0.7
    expected = 2000 * 32 * p / p.sum()
    assert drawn[120:].sum() == 0
    assert ((drawn[:120] - expected) ** 2 / expected).sum() < 173.6  # 99.9 % with 119 degrees of freedom
    even = np.full(120, 2000 * 32 / 120)
    assert ((drawn[:120] - even) ** 2 / even).sum() > 1000  # and the test would see another distribution


def test_weights_undo_the_chances() -> None:
    priorities, slots = Priorities(50), np.array([3, 3, 17, 40])
    errors = stream(5).random(50) + 0.1
    priorities.learnt(np.arange(50), errors, 0.6)
    p = (errors + FLOOR) ** 0.6
    w = (50 * p / p.sum()) ** -0.4
    assert np.allclose(priorities.weights(slots, 50, 0.4), w[slots] / w[slots].max(), rtol=1e-6)
    # With β = 1 the weighted draws estimate the plain mean: Σ P(i) w_i x_i ∝ Σ x_i.
    full = priorities.weights(np.arange(50), 50, 1.0)
    assert np.allclose(p * full, (p * full)[0], rtol=1e-6)


def test_new_transitions_have_the_highest_priority_so_far() -> None:
    priorities = Priorities(10)
    priorities.enter(np.array([0, 1]))
    assert priorities.priorities[:2].tolist() == [1.0, 1.0]
    priorities.learnt(np.array([0]), np.array([16.0]), 0.5)
    priorities.enter(np.array([2]))
    assert priorities.priorities[2] == priorities.priorities[0] == pytest.approx(4.0)
    priorities.learnt(np.array([1]), np.array([0.0]), 0.5)
    assert priorities.priorities[1] == pytest.approx(math.sqrt(FLOOR))


def test_a_thousand_updates_leave_the_sums_exact() -> None:
    priorities, draws = Priorities(200), stream(6)
    priorities.enter(np.arange(200))
    for _ in range(1000):
        slots = priorities.draw(8, draws)
        priorities.learnt(slots, draws.normal(size=8) * 10.0 ** draws.integers(-8, 8), 0.6)
    kept = priorities.keep()
    again = Priorities(200)
    again.put_back(kept)
    assert np.array_equal(again.draw(100, stream(7)), priorities.draw(100, stream(7)))
    with pytest.raises(BadCheckpoint):
        again.put_back(kept[:-1])
    with pytest.raises(BadCheckpoint):
        again.put_back(np.full(201, np.nan))
    assert np.array_equal(again.keep(), kept)
