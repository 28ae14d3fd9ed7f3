"""The measured gap and the judged policy: real short measurements, and what their pages say of them."""

from __future__ import annotations

import numpy as np
import pytest

from studio.ml.rl.agent import Settings
from studio.ml.rl.errors import BadPolicy, BadSetting
from studio.ml.rl.experiment import gaps
from studio.ml.rl.exploration import Constant, EpsilonGreedy
from studio.ml.rl.grid import GridWorld
from studio.ml.rl.kinds import agent_of
from studio.ml.rl.offpolicy import judged
from studio.ml.rl.planning import optimum
from studio.ml.rl.walk import Walk
from studio.ui.theme import theme
from studio_plugins.rl.curve_sharing import experiment_exportables, offpolicy_exportables
from studio_plugins.rl.experiment_page import ExperimentPage
from studio_plugins.rl.experiment_table import experiment_table
from studio_plugins.rl.judging import Judgement, Truth, epsilon_greedy, judge
from studio_plugins.rl.measurement import (
    EPSILONS, RULES, Experiment, Point, Stage, circling_words, greedy_way, measure, verdict,
)  # fmt: skip
from studio_plugins.rl.offpolicy_page import BEST, OffPolicyPage
from studio_plugins.rl.offpolicy_plot import MOST, spaced
from studio_plugins.rl.score_words import number, plus_minus

GRID = GridWorld.drawn("........\n........\n........\nSCCCCCCG")
"""A small cliff: episodes of some ten steps. The best way has 9."""
SMALL = Experiment((0.0, 0.1, 0.2), seeds=10, episodes=120, last=60)


@pytest.fixture(scope="module")
def told():
    return list(measure(GRID.model, SMALL))


@pytest.fixture(scope="module")
def points(told):
    return {one.epsilon: one for one in told if isinstance(one, Point)}


@pytest.fixture
def page(qtbot):
    theme().apply("light", 1.0)
    made = ExperimentPage()
    qtbot.addWidget(made)
    made.resize(1000, 740)
    made.show()
    made.set_world("Cliff walking", GRID)
    return made


# --- measuring ---


def test_the_gap_is_that_of_the_experiment(points):
    settings = Settings(0.5, 1.0)
    for gap in gaps(GRID.model, (0.2,), range(10), 120, settings, last=60):
        point = points[gap.epsilon]
        assert point.difference == gap.difference
        assert (point.scores["sarsa"].online, point.scores["q_learning"].online) == (gap.sarsa, gap.q_learning)


def test_online_returns_are_those_of_the_agent_itself(points):
    online = []
    for seed in range(10):
        agent = agent_of("q_learning", Walk(GRID.model, seed), Settings(0.5, 1.0, EpsilonGreedy(Constant(0.2))), seed)
        returns = []
        while len(returns) < 120:
            step = agent.step()
            returns += [step.total] if step.last else []
        online.append(np.mean(returns[-60:]))
    score = points[0.2].scores["q_learning"].online
    assert score.mean == pytest.approx(np.mean(online), abs=1e-9)
    assert score.error == pytest.approx(np.std(online, ddof=1) / 10**0.5, abs=1e-9)


def test_stages_go_on_and_points_come_in_order(told):
    stages = [one for one in told if isinstance(one, Stage)]
    assert all(a.done <= b.done for a, b in zip(stages, stages[1:], strict=False))
    assert stages[-1].done <= stages[-1].total == 3 * 3 * 120
    assert [one.epsilon for one in told if isinstance(one, Point)] == [0.0, 0.1, 0.2]


def test_the_gap_goes_with_exploration(points):
    assert points[0.2].difference.mean > 2 * points[0.2].difference.error > 0
    assert abs(points[0.0].difference.mean) < points[0.2].difference.mean / 5
    text = verdict(points)
    assert f"{plus_minus(*points[0.2].difference[:2])} more online" in text and "with exploration the gap goes" in text
    assert "Nothing" in verdict({}) and "smaller ε" in verdict({0.2: points[0.2]})


def test_greedy_ways_arrive_or_are_told_to_circle(points):
    q = optimum(GRID.model)[1]
    path, arrives = greedy_way(GRID.model, np.nan_to_num(q, nan=-1e9))
    assert arrives and len(path) - 1 == 9 and path[0] == 24 and path[-1] == 31
    up = np.zeros((32, 4))
    up[:, 0] = 1.0
    path, arrives = greedy_way(GRID.model, up)
    assert not arrives and path == (24, 16, 8, 0, 0)
    assert points[0.1].scores["q_learning"].circling == 0
    assert circling_words(points[0.0], dict.fromkeys(RULES, "x")) == ""
    looping = points[0.2].scores["sarsa"]._replace(circling=0.25)
    some = points[0.2]._replace(scores={**points[0.2].scores, "sarsa": looping})
    assert "Sarsa 25 %" in circling_words(some, {"sarsa": "Sarsa", "expected_sarsa": "E", "q_learning": "Q"})


@pytest.mark.parametrize("wrong", [{"epsilons": ()}, {"epsilons": (1.5,)}, {"seeds": 1}, {"last": 501}])
def test_what_cannot_be_measured_is_refused(wrong):
    with pytest.raises(BadSetting):
        Experiment(**wrong)


# --- the page ---


def test_the_page_asks_for_all_or_for_one(page):
    asked = []
    page.wanted.connect(asked.append)
    page.seeds.setValue(4)
    page.everything.click()
    assert asked[-1] == Experiment(tuple(sorted(EPSILONS)), 4)
    page.slider.setValue(EPSILONS.index(0.02))
    page.here.click()
    assert asked[-1] == Experiment((0.02,), 4)
    page.last.setValue(2000)
    page.here.click()
    assert len(asked) == 2 and "500 episodes" in page.words.text()


def test_points_appear_as_they_come(page, points):
    page.begin(SMALL)
    assert not page.cancel.isHidden() and page.everything.isHidden()
    page.show_stage(Stage(0.1, "sarsa", 120, 1080))
    assert (page.progress.value(), page.progress.maximum()) == (120, 1080)
    for point in points.values():
        page.add_point(point)
    page.end()
    assert page.cancel.isHidden() and page.words.text() == verdict(points)
    page.slider.setValue(EPSILONS.index(0.2))
    for rule in RULES:
        assert plus_minus(*points[0.2].scores[rule].online[:2]) in page._here_words.text()
    assert [way.states for way in page.map.ways()] == [points[0.2].scores[rule].path for rule in RULES]
    told = plus_minus(*points[0.1].scores["q_learning"].online[:2])
    assert page.table.view.item(EPSILONS.index(0.1), 3).text() == told
    assert page.table.view.item(EPSILONS.index(0.5), 1).text() == ""
    y = {item.name(): item.getData()[1] for item in page.plots.returns.item.listDataItems() if item.name()}
    assert y["Sarsa"].tolist() == [points[e].scores["sarsa"].online.mean for e in (0.2, 0.1, 0.0)]
    page.slider.setValue(0)
    assert page.map.ways() == () and not page.here.isHidden()


def test_the_ruler_and_the_table_move_the_slider(page, points):
    page.begin(SMALL)
    page.plots.returns.ruled.emit(7.2)
    assert page.slider.value() == 7
    page.table.view.cellClicked.emit(4, 1)
    assert page.slider.value() == 4 and page.table.view.currentRow() == 4


def test_only_what_is_missing_is_measured_again(page, points):
    page.seeds.setValue(10)
    page.episodes.setValue(120)
    page.last.setValue(60)
    page.begin(SMALL)
    for point in points.values():
        page.add_point(point)
    page.end()
    asked = []
    page.wanted.connect(asked.append)
    page.everything.click()
    assert set(asked[0].epsilons) == set(EPSILONS) - set(SMALL.epsilons)
    page.begin(asked[0])
    assert set(page.points) == set(SMALL.epsilons)
    page.begin(Experiment((0.1,), seeds=7))
    assert page.points == {}


def test_worlds_without_a_table_say_so(page):
    page.set_world("CartPole-v1", None, "Only grids can be measured.")
    assert not page.everything.isEnabled() and page.map.isHidden()
    assert page.words.text() == "Only grids can be measured."
    page.set_world("Cliff walking", GRID)
    assert page.everything.isEnabled() and "greedy" in page.everything.toolTip()


def test_the_experiment_is_exported(page, points):
    assert experiment_exportables(page) == []
    for point in points.values():
        page.add_point(point)
    assert [one.kind for one in experiment_exportables(page)] == ["plot", "plot", "table"]
    table = experiment_table(points)
    assert table.rows == 9 and table.columns["epsilon"][:3] == [0.2] * 3
    assert table.columns["online return"][0] == points[0.2].scores["sarsa"].online.mean


# --- judging ---


@pytest.fixture(scope="module")
def q():
    return np.nan_to_num(optimum(GRID.model)[1], nan=-1e9)


def test_judging_gives_the_truth_and_every_estimate(q):
    wanted = Judgement(0.3, 0.1, 300, seed=3)
    truth, *batches = judge(GRID.model, q, wanted)
    found = [one for batch in batches for one in batch]
    target, behaviour = epsilon_greedy(q, 0.1), epsilon_greedy(q, 0.3)
    expected = judged(GRID.model, target, behaviour, 3)
    assert found == [next(expected) for _ in range(300)] and len(batches) > 1
    assert truth.target > truth.behaviour and abs(found[-1].weighted - truth.target) < 0.25 * abs(truth.target)


def test_a_behaviour_that_never_explores_cannot_judge_one_that_does(q):
    with pytest.raises(BadPolicy):
        list(judge(GRID.model, q, Judgement(0.0, 0.1, 10)))


def test_the_page_shows_estimates_weights_and_their_worth(qtbot, q):
    theme().apply("dark", 1.0)
    page = OffPolicyPage()
    qtbot.addWidget(page)
    page.show()
    asked = []
    page.wanted.connect(lambda judgement, source: asked.append((judgement, source)))
    page.episodes.setValue(200)
    page.run.click()
    assert asked == [(Judgement(0.3, 0.0, 200, 1.0), BEST)]
    page.begin(asked[0][0])
    for what in judge(GRID.model, q, asked[0][0]):
        page.set_truth(what) if isinstance(what, Truth) else page.add(what)
    page.end()
    table = page.table()
    ratios = np.array(table.columns["ratio"])
    assert table.rows == 200 and page.facts.fact("exact") == "−9"
    assert page.facts.fact("count for nothing") == f"{100 * (ratios == 0).mean():.1f} %"
    assert page.facts.fact("effective episodes").startswith(number(ratios.sum() ** 2 / (ratios**2).sum(), 3))
    heaviest = page.weights.bars()[0]
    assert heaviest.parts[0][0] == pytest.approx(ratios.max() / ratios.sum()) and "return −9" in heaviest.text
    assert "−9 exactly" in page.words.text()
    assert [one.kind for one in offpolicy_exportables(page)] == ["plot", "table"]
    page.say("No.")
    assert page.words.text() == "No." and not page.run.isHidden()


def test_a_target_that_never_ends_has_no_value(qtbot):
    page = OffPolicyPage()
    qtbot.addWidget(page)
    circling = np.zeros((32, 4))
    circling[:, 0] = 1.0
    wanted = Judgement(1.0, 0.0, 10)
    page.begin(wanted)
    for what in judge(GRID.model, circling, wanted):
        page.set_truth(what) if isinstance(what, Truth) else page.add(what)
    assert "go on for ever" in page.words.text() and page.facts.fact("exact") == "–"
    page.set_sources((BEST, "Run A"), "A known world is needed.")
    assert not page.run.isEnabled() and page.source.count() == 2


def test_places_are_spaced_over_the_logarithm():
    assert spaced(10).tolist() == list(range(10))
    places = spaced(100_000)
    assert places[0] == 0 and places[-1] == 99_999 and len(places) <= MOST and (np.diff(places) > 0).all()
