"""Runs over seeds: fair turns, the same results however they are watched, ways back, branches, and seeds that fail."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from studio.ml.rl.deep.settings import DQNSettings, PPOSettings
from studio.ml.rl.errors import BadSetting, BadWorld, Diverged
from studio.ml.rl.grid import GridWorld, cliff, frozen_lake
from studio.ml.rl.learner import Kept, Learner
from studio.ml.rl.learners import make
from studio.ml.rl.lockstep import Lockstep
from studio.ml.rl.marks import MOST, Mark, Marks, nearest
from studio.ml.rl.session import Plan, Session
from studio.ml.rl.tabular import TabularLearner
from studio.ml.rl.tabular_settings import TabularSettings, settings_class
from studio.ml.rl.worlds import WorldSpec, describe

CLIFF = WorldSpec("grid", grid=cliff())
LAKE = WorldSpec("grid", grid=frozen_lake(), limit=60)
CARTPOLE = WorldSpec("CartPole-v1")


def table(kind: str = "q_learning", world: WorldSpec = CLIFF, **plan: Any) -> Plan:
    return Plan(world, kind, settings_class(kind)(gamma=0.95), **plan)


PLANS: dict[str, Callable[[], Plan]] = {
    "q_learning": lambda: table(seed=3, seeds=3, steps=4000),
    "sarsa_lambda": lambda: table("sarsa_lambda", LAKE, seed=3, seeds=2, steps=2000),
    "ppo": lambda: Plan(
        CARTPOLE, "ppo", PPOSettings(worlds=2, n_steps=32, batch_size=32, epochs=2, hidden="16"), 1, 2, 256
    ),
    "dqn": lambda: Plan(CARTPOLE, "dqn", DQNSettings(learning_starts=40, batch_size=16, hidden="16"), 1, 2, 160),
}  # fmt: skip


def run(session: Session, steps: int | None = None) -> Session:
    while not session.done and (steps is None or min(session.taken) < steps):
        session.advance()
    return session


def same(one: Kept, other: Kept) -> bool:
    return one.data == other.data and one.arrays.keys() == other.arrays.keys() and all(
        np.array_equal(array, other.arrays[name], equal_nan=array.dtype.kind == "f")
        for name, array in one.arrays.items()
    )


def equal(one: Session, other: Session) -> bool:
    """Learners bit for bit, returns and lengths of all episodes, and the thinned curves but for their seconds."""
    learners = all(same(a.keep(), b.keep()) for a, b in zip(one.members, other.members, strict=True) if a and b)
    both = zip(one.records, other.records, strict=True)
    records = all(a.totals == b.totals and a.lengths == b.lengths for a, b in both)
    curves, others = one.view().curves, other.view().curves
    pairs = [(a, b) for name, many in curves.items() for a, b in zip(many, others[name], strict=True)]
    close = all(
        np.array_equal(a.steps, b.steps) and np.array_equal(a.episodes, b.episodes)
        and np.allclose(a.values, b.values, rtol=1e-9, atol=1e-9, equal_nan=True)
        for a, b in pairs
    )  # fmt: skip
    return learners and records and curves.keys() == others.keys() and close


def test_each_seed_is_the_run_of_its_own() -> None:
    """All three seeds are bit for bit those learnt in step by numpy."""
    session = run(Session(Plan(CLIFF, "sarsa", TabularSettings(), 5, 3, 5000)))
    step = Lockstep(cliff().model, "sarsa", (5, 6, 7), 60)
    for _ in step:
        pass
    for record, returns in zip(session.records, step.returns, strict=True):
        assert record.totals[:60].tolist() == returns.tolist()
    assert session.taken == [5000] * 3 and session.done and session.total == 15_000


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_watching_stepping_evaluating_and_marking_change_nothing(plan: Callable[[], Plan]) -> None:
    plain, watched = Session(plan()), Session(plan())
    run(plain)
    evaluation = watched.evaluate(3)
    next(evaluation)
    while not watched.done:
        watched.step()
        watched.advance(7)
        watched.view()
        if watched.total % 5 == 0:
            watched.watch(watched.total % watched.plan.seeds)
    watched.mark()
    list(evaluation)
    assert plain.done and equal(plain, watched)
    plain.close(), watched.close()


def test_turns_are_fair_and_bounded() -> None:
    session = Session(table(seeds=3, steps=3000))
    session.watch(1)
    session.advance(1)
    assert session.taken == [0, 1, 0]
    while not session.done:
        before = session.total
        session.advance(50)
        assert 0 < session.total - before <= 50 and max(session.taken) - min(session.taken) <= 50
    assert session.taken == [3000] * 3
    session.extend(3010)
    assert not session.done and run(session).taken == [3010] * 3
    assert session.advance() == ("collect", (), {}) and session.step().episodes == ()


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_rewound_it_goes_on_as_the_first_time(plan: Callable[[], Plan]) -> None:
    first, again = run(Session(plan())), Session(plan())
    half = again.plan.steps // 2
    run(again, half)
    mark = again.mark()
    assert mark is not None and mark.steps >= half
    told = again.view()
    run(again)
    again.rewind(mark)
    back = again.view()
    assert back.steps == told.steps and back.look.total == told.look.total and not back.finished
    assert [len(c) for c in back.curves["return"]] == [len(c) for c in told.curves["return"]]
    assert [e.number for e in back.episodes] == [e.number for e in told.episodes]
    assert again.marks()[-1] is mark
    assert equal(first, run(again))
    beginning = again.marks()[0]
    again.rewind(beginning)
    assert again.total == 0 and again.records[0].episodes == 0
    assert equal(first, run(again))
    first.close(), again.close()


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_branch_is_the_same_run_until_something_differs(plan: Callable[[], Plan]) -> None:
    session = Session(plan())
    run(session, session.plan.steps // 2)
    mark = session.mark()
    assert mark is not None
    settings = session.plan.settings
    edit = {"epsilon": 0.5} if isinstance(settings, TabularSettings) else {"learning_rate": 0.01}
    other = replace(settings, **edit)
    equal_branch, other_branch = session.branch(mark), session.branch(mark, other)
    assert other_branch.notes[-1].steps == session.steps and "→" in other_branch.notes[-1].text
    run(session), run(equal_branch), run(other_branch)
    assert equal(session, equal_branch) and not equal(session, other_branch)
    shared = [(a.totals[:3], b.totals[:3]) for a, b in zip(session.records, other_branch.records, strict=True)]
    assert all(a == b for a, b in shared) and session.plan.settings == settings
    again = run(session.branch(mark, other))
    assert equal(again, other_branch)
    for one in (session, equal_branch, other_branch, again):
        one.close()


def test_branching_into_another_grid() -> None:
    session = run(Session(table(steps=6000)), 3000)
    mark = session.mark()
    assert mark is not None
    walled = cliff().put((2, 5), "#")
    branch = run(session.branch(mark, grid=walled))
    assert branch.plan.world.grid == walled and session.plan.world.grid == cliff()
    assert branch.view().look.grid == walled and branch.notes[-1].text == "World edited"
    tables = [one.member(0).look().table for one in (branch, session)]
    assert tables[0] is not None and tables[1] is not None
    assert tables[0].visits[walled.state((2, 5))] == tables[1].visits[29]
    with pytest.raises(BadSetting, match="First value"):
        session.branch(mark, replace(session.plan.settings, initial=3.0))
    with pytest.raises(BadWorld):
        session.branch(mark, grid=GridWorld.drawn("S.G"))


def test_edits_are_noted_and_rewinding_takes_them_back() -> None:
    session = run(Session(table(seeds=2, steps=4000)), 1000)
    before = session.mark()
    assert before is not None
    session.change(replace(session.plan.settings, alpha=0.25, epsilon=0.3))
    session.edit(cliff().put((2, 0), "#"), "Wall put up")
    session.edit(cliff().put((2, 0), "#"), "Nothing new")
    assert [note.text for note in session.notes] == ["Step size α 0.5 → 0.25, ε 0.1 → 0.3", "Wall put up"]
    assert all(learner.settings.alpha == 0.25 for learner in session.members if learner)
    run(session, 2000)
    session.rewind(before)
    assert session.notes == [] and session.plan == table(seeds=2, steps=4000)
    assert equal(run(session), run(Session(table(seeds=2, steps=4000))))
    with pytest.raises(BadSetting, match="First value"):
        session.change(replace(session.plan.settings, initial=1.0))
    with pytest.raises(BadSetting, match="TabularSettings"):
        session.change(PPOSettings())
    with pytest.raises(BadWorld, match="only grid worlds"):
        Session(Plan(CARTPOLE, "dqn", DQNSettings())).edit(cliff())


def test_marks_thin_out_and_reach_from_first_to_last() -> None:
    session = run(Session(table(seeds=2, steps=30_000)))
    marks = session.marks()
    assert MOST // 2 <= len(marks) <= MOST and marks[0].steps == 0 and marks[-1].steps > 28_000
    gaps = np.diff([mark.steps for mark in marks])
    assert gaps.max() < 2.5 * gaps.min()
    assert nearest(marks, 0) is marks[0] and nearest(marks, marks[5].steps) is marks[5] and nearest((), 4) is None
    session.rewind(marks[7])
    with pytest.raises(BadSetting, match="no longer kept"):
        session.rewind(marks[8])


def test_at_a_mark_all_seeds_have_made_its_steps() -> None:
    """However far each got in its turn: under a set speed a turn is a few steps, now more and now fewer."""
    rng = np.random.default_rng(0)
    session = Session(table(seeds=3, steps=9000))
    while not session.done:
        session.advance(int(rng.integers(1, 40)))
    assert len(session.marks()) > MOST // 2
    for mark in reversed(session.marks()):
        session.rewind(mark)
        assert session.taken == [mark.steps] * 3


def test_marks_that_are_too_large_are_refused_in_words() -> None:
    marks = Marks(interval=10, room=1000)

    def mark(size: int, lasting: bool = False) -> Mark:
        return Mark(marks.made, marks.made * 10, (), None, CLIFF, 0, size, lasting)

    for _ in range(12):
        marks.take(mark(200))
    assert sum(kept.size for kept in marks.kept) <= 1000 and marks.kept[0].number == 0 and not marks.trouble
    marks.take(mark(100, lasting=True))
    pinned = marks.kept[-1]
    for _ in range(60):
        marks.take(mark(1))
    assert pinned in marks.kept and marks.kept[0].number == 0
    assert not marks.too_large(7, 250) and marks.too_large(7, 251) and "From step 7 on" in marks.trouble
    session = Session(table(seeds=3, steps=3000))
    session._marks.room = 60_000
    run(session)
    assert "cannot be rewound" in session.trouble and session.done and session.mark() is None
    assert all(mark.size <= 15_000 for mark in session.marks())
    assert equal(session, run(Session(table(seeds=3, steps=3000))))


def test_a_seed_that_fails_stops_with_its_sentence_and_others_go_on() -> None:
    class Failing(TabularLearner):
        def advance(self, limit: int = 1) -> Any:
            if self.seed == 1 and self.steps > 100 and self.settings.alpha > 0.3:
                raise Diverged(3, 1, 1e200)
            return super().advance(limit)

    def failing(kind: str, spec: WorldSpec, settings: Any, seed: int, steps: int) -> Learner:
        return Failing(spec, kind, settings, seed)

    session = run(Session(table(seeds=3, steps=2000), failing))
    assert session.taken[0] == session.taken[2] == 2000 > session.taken[1] > 100
    view = session.view()
    assert view.trouble.startswith("Seed 1: The target for action 1 in state 3") and view.finished
    assert len(session.marks()) > 10
    session.change(replace(session.plan.settings, alpha=0.2))
    assert session.view().trouble == "" and run(session).taken == [2000] * 3


def test_what_a_window_shows() -> None:
    session = run(Session(table("sarsa", LAKE, seeds=2, steps=5000)), 2500)
    view = session.view()
    assert {"return", "length", "td_error", "epsilon", "value_error"} <= view.curves.keys()
    lengths, record = view.curves["length"][0], session.records[0]
    assert len(view.curves["return"]) == 2 and lengths.steps[-1] <= view.steps
    assert np.average(lengths.values) == pytest.approx(np.mean(record.lengths), rel=1e-9)
    assert view.total == sum(session.taken) and view.updates == session.member(0).updates > 0
    assert view.best is not None and view.best.total == max(record.totals)
    assert [e.total for e in view.episodes] == record.totals[-len(view.episodes) :].tolist()
    assert view.seconds > 0 and view.rate >= 0 and view.look.table is not None and view.plan == session.plan


def test_the_best_policy_is_kept_while_training_goes_on() -> None:
    session = Session(Plan(CLIFF, "q_learning", TabularSettings(epsilon=0.02), steps=20_000))
    run(session)
    best = session.bests[0]
    assert best is not None and best.mean == max(
        np.mean(session.records[0].totals[n - 20 : n]) for n in range(20, session.records[0].episodes + 1, 10)
    )
    *_, last = session.evaluate(5, "best")
    assert last.done and last.mean == -13 and last.lengths == (13,) * 5 and last.cut == 0


def test_a_policy_that_loops_is_cut_and_counted() -> None:
    session = Session(Plan(WorldSpec("grid", grid=GridWorld.drawn("S.G")), "sarsa", TabularSettings(initial=0.0)))
    *_, last = session.evaluate(2)
    assert last.cut == 2 and last.lengths == (1000, 1000), "the first action leads up, against the edge"
    with pytest.raises(BadSetting):
        next(session.evaluate(0))


def test_plans_go_to_json_and_back() -> None:
    for plan in (build() for build in PLANS.values()):
        assert Plan.from_json(plan.to_json()) == plan
    for wrong in ({}, table().to_json() | {"kind": "nobody"}, table().to_json() | {"settings": {"alpha": 7}}):
        with pytest.raises(BadSetting):
            Plan.from_json(wrong)
    with pytest.raises(BadSetting, match="at least one step"):
        table(steps=0)
    with pytest.raises(BadSetting, match="1,000 seeds"):
        table(seeds=0)


def test_agents_that_do_not_fit_are_refused_with_the_reason() -> None:
    with pytest.raises(BadSetting, match="numbered states"):
        Session(Plan(CARTPOLE, "sarsa", TabularSettings()))
    with pytest.raises(BadSetting, match="There is no agent"):
        make("nobody", CLIFF, TabularSettings(), 0, 100)
    with pytest.raises(BadSetting, match="takes PPOSettings"):
        make("ppo", CARTPOLE, DQNSettings(), 0, 100)
    assert describe(CARTPOLE).threshold == 475


def test_recording_is_cheap() -> None:
    """The floor is far below what is measured (0.2 million updates a second with all records, on one quiet core)."""
    session = Session(table(seeds=5, steps=10_000))
    began = time.process_time()
    run(session)
    assert session.total / (time.process_time() - began) > 50_000
