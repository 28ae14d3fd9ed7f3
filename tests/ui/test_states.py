"""Undo by states: they come back in order, run together where asked, and the oldest go at the limit."""

from __future__ import annotations

import gc
import random

from studio.ui.states import States


def shown(states):
    seen = []
    states.turned.connect(seen.append)
    return seen


def test_states_come_back_and_return(qapp):
    states = States("a", 10)
    seen = shown(states)
    states.record("to b", "b")
    states.record("to c", "c")
    assert not seen and states.undoText() == "to c"
    states.undo()
    states.undo()
    states.redo()
    assert seen == ["b", "a", "b"]
    states.record("to d", "d")
    assert states.count() == 2 and not states.canRedo()
    states.setIndex(0)
    assert seen[-1] == "a"


def test_small_steps_of_one_gesture_are_one(qapp):
    states = States(0, 10)
    seen = shown(states)
    for value in (1, 2, 3):
        states.record("pull", value, "ruler")
    states.record("other", 4, "noise")
    states.record("alone", 5)
    states.record("alone", 6)
    assert states.count() == 4
    for _ in range(4):
        states.undo()
    assert seen == [5, 4, 3, 0]
    states.redo()
    states.record("pull", 7, "ruler")  # what was undone is gone, and the pull before is another gesture
    assert states.count() == 2
    states.undo()
    assert seen[-1] == 3


def test_the_oldest_states_are_forgotten_at_the_limit(qapp):
    states = States(0, 5)
    seen = shown(states)
    for value in range(1, 12):
        states.record("step", value)
    assert states.count() == 5
    while states.canUndo():
        states.undo()
    assert seen == [10, 9, 8, 7, 6]
    states.begin(100)
    assert not states.canUndo() and not states.canRedo() and seen == [10, 9, 8, 7, 6]
    states.record("on", 101)
    states.undo()
    assert seen[-1] == 100


def test_any_order_agrees_with_a_plain_list(qapp):
    rng = random.Random(1)
    states, plain, at = States(0, 1000), [0], 0
    seen = shown(states)
    for step in range(1, 400):
        act = rng.random()
        if act < 0.5:
            plain[at + 1 :] = [step]
            at += 1
            states.record("step", step)
        elif act < 0.75 and at:
            at -= 1
            states.undo()
            assert seen[-1] == plain[at]
        elif at + 1 < len(plain):
            at += 1
            states.redo()
            assert seen[-1] == plain[at]


def test_histories_that_die_in_cycles_take_nothing_with_them(qapp):
    for _ in range(60):
        states = States(object(), 20)
        states.mine = states
        for _ in range(30):
            states.record("step", object())
        states.undo()
        del states
    assert gc.collect() > 0
