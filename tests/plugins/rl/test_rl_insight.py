"""What the insight column says of real runs, checked against the numbers of the learner itself."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from studio.ml.rl.deep.settings import DQNSettings
from studio.ml.rl.grid import cliff
from studio.ml.rl.kinds import KINDS
from studio.ml.rl.learner import Look, NetLook
from studio.ui.panel_layout import PanelLayout
from studio.ui.theme import theme
from studio_plugins.rl.buffer_card import BINS, BufferCard, age_words
from studio_plugins.rl.curve_sharing import insight_exportables
from studio_plugins.rl.deep_rules import deep_rule
from studio_plugins.rl.insight import Insight
from studio_plugins.rl.net_card import ActionCard
from studio_plugins.rl.policy_words import apart, policy_sentence, policy_words, target_policy
from studio_plugins.rl.rule_words import SYMBOLS, rule
from studio_plugins.rl.score_words import Names, number, plus_minus
from studio_plugins.rl.table_card import TableCard
from tests.plugins.rl.learnt import learner, trained

NAMES = Names.of(cliff())


@pytest.fixture
def room(qtbot):
    """The zones of a panel, without the panel."""
    theme().apply("light", 1.0)
    panel = QWidget()
    qtbot.addWidget(panel)
    panel.resize(1200, 900)
    return PanelLayout(panel)


def words(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html.replace("[[", "").replace("]]", ""))


def told_of(kind: str):
    """A learner at a step that learnt something without ending its episode (Monte Carlo: at an end)."""
    made, _ = trained(kind, steps=400)
    for _ in range(5000):
        made.advance(1)
        last = made.look().table.transition
        moved = last.updates and last.next != last.state and abs(last.updates[0].error) > 1e-3
        if moved and last.terminated == (kind == "monte_carlo"):
            return made, last
    raise AssertionError("no such step")


# --- the rule ---


@pytest.mark.parametrize("kind", KINDS)
def test_every_agent_has_its_rule_with_the_numbers_of_its_last_step(kind):
    made, last = told_of(kind)
    shown = rule(kind, made.look().table, made.settings, NAMES)
    text, update = words(shown.numbers), last.updates[0]
    assert shown.symbols and "[[" in SYMBOLS[kind]
    assert NAMES.state(last.state) in text and f"A = {NAMES.action(last.action)}" in text
    for value in (update.new, update.old, update.error):
        assert number(value) in text


def test_before_the_first_step_there_are_symbols_alone():
    made = learner("sarsa")
    assert rule("sarsa", made.look().table, made.settings, NAMES).numbers == ""


@pytest.mark.parametrize("kind", ["sarsa", "expected_sarsa", "q_learning", "dyna_q"])
def test_the_telling_term_is_what_stood_behind_the_discount(kind):
    made, last = told_of(kind)
    made.settings = replace(made.settings, gamma=1.0)
    text = rule(kind, made.look().table, made.settings, NAMES).numbers
    ahead = last.updates[0].target - last.reward
    marked = re.findall(r"\[\[(.*?)\]\]", text)[0].strip("()")
    assert marked == number(ahead)


def test_expected_sarsa_writes_out_its_average():
    made, last = told_of("expected_sarsa")
    text = rule("expected_sarsa", made.look().table, made.settings, NAMES).numbers
    terms = re.findall(r"([\d.]+)·\(?(−?[\d.]+)\)?", re.findall(r"\[\[(.*?)\]\]", text)[1])
    total = sum(float(p) * float(q.replace("−", "-")) for p, q in terms)
    assert len(terms) == 4 and total == pytest.approx(last.updates[0].target - last.reward, abs=5e-3)


def test_q_learning_shows_the_best_of_the_next_row():
    made, last = told_of("q_learning")
    text = words(rule("q_learning", made.look().table, made.settings, NAMES).numbers)
    row = made.look().table.q[last.next]
    assert "{" + ", ".join(number(float(q)) for q in row) + "}" in text
    assert f"A′ = {NAMES.action(last.updates[0].through)}" in text


def test_planning_and_ends_are_counted():
    made, last = told_of("dyna_q")
    assert f"{len(last.updates) - 1} remembered steps" in rule("dyna_q", made.look().table, made.settings, NAMES).note
    assert len(last.updates) == 11
    made, last = told_of("monte_carlo")
    assert f"{len(last.updates) - 1} more value" in rule("monte_carlo", made.look().table, made.settings, NAMES).note


def test_an_end_has_nothing_ahead():
    made, _ = trained("q_learning")
    while not made.look().table.transition.terminated:
        made.advance(1)
    assert "nothing follows" in rule("q_learning", made.look().table, made.settings, NAMES).numbers


def test_n_step_splits_its_target():
    made, last = told_of("n_step_sarsa")
    text = words(rule("n_step_sarsa", made.look().table, made.settings, NAMES).numbers)
    rewards = float(re.search(r"G = (−?[\d.]+) from 4 rewards", text).group(1).replace("−", "-"))
    table = made.look().table
    ahead = (last.next, last.updates[0].through)
    tail = next((u.old for u in last.updates if (u.state, u.action) == ahead), table.q[ahead])
    assert rewards + tail == pytest.approx(last.updates[0].target, abs=1e-2)


def test_the_trace_of_the_pair_just_left_is_one():
    made, _ = told_of("sarsa_lambda")
    assert rule("sarsa_lambda", made.look().table, made.settings, NAMES).numbers.endswith("[[1]]")


# --- deep agents ---


def test_dqn_and_sac_write_out_their_target():
    last = {"return": 1.0, "discount": 0.99, "bootstrap": -2.0, "target": -0.98, "q": 0.5, "td_error": -1.48}
    last |= {"bootstrap_action": 1.0, "target_network_action": 0.0}

    class Double:
        double = True

    text = words(deep_rule("dqn", last, Double()).numbers)
    assert "y = 1 + 0.99 · (−2) = −0.98" in text and "−0.98 − 0.5 = −1.48" in text and "would pick action 0" in text
    soft = last | {"entropy_bonus": 0.25, "target": -0.7325, "td_error": -1.2325}
    assert "( (−2) + 0.25 ) = −0.7325" in words(deep_rule("sac", soft, None).numbers)


def test_the_rule_of_dqn_is_that_of_its_settings() -> None:
    """Over n steps, by either loss, with and without double."""
    plain = DQNSettings(double=False, loss="squared")
    assert words(deep_rule("dqn", {}, plain).symbols) == "y = R + γ maxa Qtarget(S′, a)L = ( y − Q(S, A) )²"
    far = deep_rule("dqn", {}, DQNSettings(double=True, n_step=3))
    assert words(far.symbols) == "y = Σk&lt;3 γk Rk+1 + γ3 Qtarget(S3, argmaxa Q(S3, a))L = Huber( y − Q(S, A) )"
    assert "3 rewards as they came" in far.note


def test_a_real_dqn_and_ppo_tell_their_numbers():
    from studio.ml.rl.learners import kind_of, make
    from studio.ml.rl.worlds import WorldSpec

    spec = WorldSpec("CartPole-v1")
    few = {"dqn": {"learning_starts": 32, "batch_size": 16, "hidden": "16"}, "ppo": {"n_steps": 16, "batch_size": 16}}
    for name, small in few.items():
        settings = replace(kind_of(name).settings(), **small)
        agent = make(name, spec, settings, 0, 1000)
        while not agent.look().net.last or agent.updates < 2:
            agent.advance()
        net = agent.look().net
        text = words(deep_rule(name, net.last, settings).numbers)
        expected = net.last["td_error"] if name == "dqn" else net.last["kl"]
        assert number(expected, 4 if name == "dqn" else 3) in text
        agent.close()


def test_agents_of_other_libraries_list_their_numbers():
    assert words(deep_rule("sb3", {"train/loss": 0.25}, None).numbers) == "train: loss = 0.25"


# --- behaviour and target ---


def test_target_policies_and_where_they_differ():
    made, _ = trained("q_learning")
    look = made.look().table
    assert (target_policy("q_learning", look).max(axis=1) == 1).sum() > 10
    made_sarsa = trained("sarsa")[0]
    look_sarsa = made_sarsa.look().table
    assert target_policy("sarsa", look_sarsa) is look_sarsa.policy
    alone = (look.q == look.q.max(axis=1, keepdims=True)).sum(axis=1) == 1
    assert np.allclose(apart(look)[alone], 0.1 * 3 / 4)
    facts = policy_words("q_learning", look, NAMES)
    assert facts["target here"].startswith("greedy") and "%" in facts["leaves the greedy way"]
    assert policy_words("sarsa", look_sarsa, NAMES)["target here"] == "the same policy"
    assert "Off-policy" in policy_sentence("q_learning", look) and "On-policy" in policy_sentence("sarsa", look_sarsa)


def test_the_last_action_is_judged_by_the_values_it_was_chosen_by():
    made, _ = trained("q_learning")
    seen = set()
    for _ in range(400):
        before = np.array(made.look().table.q)
        made.advance(1)
        last = made.look().table.transition
        greedy = before[last.state, last.action] == before[last.state].max()
        told = policy_words("q_learning", made.look().table, NAMES)["last action"]
        assert told.endswith("greedy") == greedy
        seen.add(greedy)
    assert seen == {True, False}


# --- the table ---


@pytest.fixture
def card(qtbot):
    theme().apply("light", 1.0)
    made = TableCard()
    qtbot.addWidget(made)
    made.show()
    return made


def test_the_table_shows_every_value_and_marks_best_and_present(card):
    look = trained("sarsa")[0].look().table
    card.show_look(look, NAMES)
    model = card.model
    assert (model.rowCount(), model.columnCount()) == (48, 7)
    for state in (0, 13, 36):
        for action in range(4):
            index = model.index(state, action + 1)
            assert index.data() == number(float(look.q[state, action]))
            bold = index.data(Qt.ItemDataRole.FontRole)
            assert (bold is not None and bold.bold()) == (look.q[state, action] == look.q[state].max())
    assert model.index(look.state, 0).data(Qt.ItemDataRole.BackgroundRole) == theme().color("accent_soft")
    assert model.index((look.state + 1) % 48, 0).data(Qt.ItemDataRole.BackgroundRole) is None
    titles = [model.headerData(column, Qt.Orientation.Horizontal) for column in range(7)]
    assert titles == ["State", "↑", "→", "↓", "←", "Visits", "|TD error|"]


def test_the_table_is_sorted_by_any_column_and_keeps_its_order(card):
    made = trained("sarsa")[0]
    look = made.look().table
    card.show_look(look, NAMES)
    card.view.sortByColumn(5, Qt.SortOrder.DescendingOrder)
    order = [card.model.state_of(row) for row in range(48)]
    assert (np.diff(look.visits[order]) <= 0).all()
    made.advance(500)
    card.show_look(made.look().table, NAMES)
    assert [card.model.state_of(row) for row in range(48)] == order
    assert all(card.model.row_of(state) == row for row, state in enumerate(order))
    table = card.table()
    assert table.columns["Q ↑"] == made.look().table.q[order, 0].tolist() and table.rows == 48


def test_the_table_is_copied_whole_or_in_part(qtbot, card):
    look = trained("sarsa")[0].look().table
    card.show_look(look, NAMES)
    card._copy.click()
    lines = QGuiApplication.clipboard().text().split("\n")
    assert len(lines) == 49 and float(lines[1].split("\t")[1]) == look.q[0, 0]
    card.view.selectRow(2)
    qtbot.keyClick(card.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text().split("\t")[:2] == ["(1, 3)", number(float(look.q[2, 0]))]
    assert [one.name for one in insight_exportables(card)] == ["action values"]


# --- the present moment ---


def test_values_and_probabilities_of_the_present_state(qtbot):
    look = trained("q_learning")[0].look().table
    card = ActionCard()
    qtbot.addWidget(card)
    card.show_table(look, NAMES)
    assert [bar.text for bar in card.values.bars()] == [number(float(q)) for q in look.q[look.state]]
    assert [bar.text for bar in card.policy.bars()] == [f"{100 * float(p):.1f} %" for p in look.policy[look.state]]
    assert card.policy.bars()[0].parts[0][0] == pytest.approx(look.policy[look.state, 0])


def test_gaussian_policies_show_mean_and_deviation(qtbot):
    card = ActionCard()
    qtbot.addWidget(card)
    look = NetLook(mean=np.array([0.5, -1.0]), deviation=np.array([0.1, 0.2]), value=-3.25)
    card.show_net(look, Names(("torque", "brake")))
    assert card.spreads.accessibleDescription() == "torque 0.5 ± 0.1; brake −1 ± 0.2"
    assert not card.spreads.isHidden() and card.values.isHidden() and card.facts.fact("value of this moment") == "−3.25"
    card.show_net(NetLook(values=np.arange(30.0)), Names())
    assert card.spreads.isHidden() and len(card.values.bars()) == 18 and card.values.bars()[-1].text == "29"


def test_ages_are_counted_and_told(qtbot):
    card = BufferCard()
    qtbot.addWidget(card)
    ages = np.repeat(np.arange(240), 2)
    card.show_ages(ages, on_policy=False)
    assert card.bars.counts.sum() == 480 and len(card.bars.counts) == BINS and set(card.bars.counts.tolist()) == {20}
    assert "119.5" in card.words.text() and "239" in card.words.text()
    assert "fresh" in age_words(None, on_policy=True) and "Nothing" in age_words(None, on_policy=False)


def test_insight_follows_the_run_and_what_is_unfolded(qtbot, room):
    insight = Insight(room)
    made = trained("sarsa")[0]
    insight._table.set_expanded(False)
    insight.show_look("A  Sarsa", "sarsa", made.look(), made.settings, NAMES, on_policy=True)
    assert insight.table.model.look is None and "Sarsa" in insight.run.text()
    assert insight.rule.rule() == rule("sarsa", made.look().table, made.settings, NAMES)
    insight._table.set_expanded(True)
    assert insight.table.model.look is not None
    net = Look(5, 0, 0, 0.0, net=NetLook(values=np.array([1.0, 2.0])))
    insight.show_look("B  DQN", "dqn", net, None, Names(("left", "right")), on_policy=False)
    assert insight._table.isHidden() and not insight._buffer.isHidden()
    insight.clear()
    assert insight.rule.isHidden()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-13.0, "−13"), (12345.6, "12\u202f346"), (0.12346, "0.1235"), (float("nan"), "–"),
        (-1e-5, "−1e−5"),
    ],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_errors_set_the_digits():
    assert plus_minus(-26.912, 0.71) == "−26.91 ± 0.71"
    assert plus_minus(-49.6, 12.3) == "−50 ± 12"
    assert plus_minus(1.0, float("nan")) == "1"
