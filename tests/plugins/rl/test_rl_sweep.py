"""Sweeps: values from words, cells in processes of their own, scores over seeds, and what is done with them."""

from __future__ import annotations

import json
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.ml.rl.deep.settings import DQNSettings, PPOSettings
from studio.ml.rl.errors import BadSetting
from studio.ml.rl.learners import LEARNERS
from studio.ml.rl.plan import Plan
from studio.ml.rl.record import Curve
from studio.ml.rl.session import Session
from studio.ml.rl.tabular_settings import TabularSettings
from studio.ml.rl.worlds import WorldSpec, grids
from studio_plugins.rl import sweep_cell, sweep_jobs
from studio_plugins.rl.sweep_cell import Outcome, train
from studio_plugins.rl.sweep_page import sweep_exportables
from studio_plugins.rl.sweep_plan import Axis, Sweep, Unit, axis_of, suggested, swept, units
from studio_plugins.rl.sweep_score import scored, table, verdict
from tests.plugins.panel_room import END, PanelRoom

CLIFF = WorldSpec("grid", grid=grids()["Cliff walking"])


def sweep(*axes: Axis, **fields: Any) -> Sweep:
    return Sweep(CLIFF, "sarsa", TabularSettings(), axes, **fields)


EPSILON = Axis("epsilon", "ε", (0.0, 0.1, 0.3))
ALPHA = Axis("alpha", "Step size α", (0.1, 0.5))


# --- values from words ---


@pytest.mark.parametrize(
    ("settings", "name", "text", "values"),
    [
        (TabularSettings(), "epsilon", "0.1, 0.3,0.5", (0.1, 0.3, 0.5)),
        (TabularSettings(), "epsilon", "0 to 0.4 in 5", (0.0, 0.1, 0.2, 0.3, 0.4)),
        (PPOSettings(), "learning_rate", "0.0001 to 0.01 in 3", (0.0001, 0.001, 0.01)),
        (PPOSettings(), "n_steps", "32 to 512 in 3", (32, 128, 512)),
        (PPOSettings(), "n_steps", "32, 32, 64", (32, 64)),
        (PPOSettings(), "hidden", "64, 64; 256", ("64, 64", "256")),
        (DQNSettings(), "double", "no, Yes", (False, True)),
        (TabularSettings(), "schedule", "constant, falls by halves", ("constant", "halving")),
    ],
)
def test_values_are_read_as_they_are_written(settings: Any, name: str, text: str, values: tuple[Any, ...]) -> None:
    assert axis_of(settings, name, text).values == values


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("epsilon", "0.1, x", "“x” is no number"),
        ("epsilon", "0.1, 7", "up to 1"),
        ("epsilon", "0.5 to 0.1 in 3", "from low to high"),
        ("epsilon", "", "write values like"),
        ("epsilon", "nan", "finite"),
        ("over", "1.5", "whole number"),
        ("schedule", "sometimes", "is one of"),
    ],
)
def test_values_that_cannot_be_are_told_in_words(name: str, text: str, why: str) -> None:
    with pytest.raises(BadSetting, match=why):
        axis_of(TabularSettings(), name, text)


@pytest.mark.parametrize("kind", list(LEARNERS))
def test_suggested_values_can_be_used(kind: str) -> None:
    settings = LEARNERS[kind].settings()
    for setting in swept(settings):
        axis = axis_of(settings, setting.name, suggested(settings, setting.name))
        assert len(axis.values) > 1 or isinstance(setting.default, str), setting.name


def test_cells_are_all_combinations() -> None:
    both = sweep(EPSILON, ALPHA, seeds=4)
    assert [cell.values for cell in both.cells()] == [(e, a) for e in EPSILON.values for a in ALPHA.values]
    assert both.cells()[3].settings == replace(TabularSettings(), epsilon=0.1, alpha=0.5)
    assert both.trainings == 24
    assert len(units(both, "tabular")) == 6 and len(units(both, "deep")) == 24
    assert sum(len(unit.seeds) for unit in units(both, "deep")) == 24
    with pytest.raises(BadSetting, match="twice"):
        sweep(EPSILON, EPSILON)
    many = Axis("epsilon", "ε", tuple(k / 100 for k in range(25)))
    with pytest.raises(BadSetting, match="at most 100"):
        sweep(many, Axis("alpha", "α", tuple((k + 1) / 100 for k in range(25))))


# --- training and scores ---


def test_a_cell_is_trained_as_the_panel_would_to_the_last_bit() -> None:
    plan = Plan(CLIFF, "q_learning", TabularSettings(epsilon=0.3), seed=3, seeds=2, steps=1500)
    session = Session(plan)
    while not session.done:
        session.advance()
    for seed, record in zip((3, 4), session.records, strict=True):
        outcome = train(plan, seed)
        assert outcome.steps == 1500 and outcome.episodes == record.episodes
        assert outcome.score == np.mean(record.totals[-100:])
    session.close()


def test_a_training_that_fails_says_why() -> None:
    plan = Plan(WorldSpec("NoSuchWorld-v0"), "sarsa", TabularSettings(), steps=10)
    outcome = train(plan, 0)
    assert "NoSuchWorld" in outcome.trouble and np.isnan(outcome.score)


def outcome(seed: int, score: float, trouble: str = "") -> Outcome:
    steps = np.arange(1, 11)
    return Outcome(seed, score, 10, 10, 0.1, Curve(steps, steps, steps / 10, np.full(10, score)), trouble)


def test_scores_leave_out_what_failed_and_say_so() -> None:
    whole = sweep(EPSILON, seeds=4)
    cell = whole.cells()[1]
    score = scored(cell, [outcome(2, 3.0), outcome(0, 1.0), outcome(1, 2.0), outcome(3, 99.0, "It diverged.")])
    assert score.final is not None and score.final.value == pytest.approx(2.0)
    assert 1.0 <= score.final.low <= 2.0 <= score.final.high <= 3.0
    assert "IQM of 3 seeds" in score.words(whole) and "Seed 3: It diverged." in score.words(whole)
    assert scored(cell, [outcome(0, nan)]).final is None
    rows = table(whole, {1: score})
    assert rows.columns["seed"] == [0, 1, 2, 3] and rows.columns["epsilon"] == [0.1] * 4


def test_the_verdict_does_not_call_a_level_cell_the_best_alone() -> None:
    whole = sweep(EPSILON, seeds=3)
    cells = whole.cells()
    near = {k: scored(cells[k], [outcome(s, 10.0 * k + 20 * s) for s in range(3)]) for k in range(3)}
    assert "level with it" in verdict(whole, near)
    apart = {k: scored(cells[k], [outcome(s, 1000.0 * k + s) for s in range(3)]) for k in range(3)}
    assert "apart from all others" in verdict(whole, apart) and "ε 0.3" in verdict(whole, apart)


# --- the panel ---


@pytest.fixture
def panel(room: PanelRoom) -> Any:
    panel = room.show(room.build())
    room.quiet()
    panel.stage.show_page("sweep")
    page = panel.stage.sweep
    page.steps.setValue(3000)
    page.seeds.setValue(2)
    page.first.choose("epsilon", "0.1, 0.4")
    return panel


def test_a_sweep_from_its_button_to_the_history(room: PanelRoom, panel: Any) -> None:
    page = panel.stage.sweep
    assert "2 cells × 2 seeds = 4 trainings" in page.estimate.text()
    panel.controls.set_shared(seed=7)
    page.start.click()
    assert page.running
    room.quiet()
    assert not page.running and sorted(page.scores) == [0, 1]
    direct = train(page.sweep.plan(page.sweep.cells()[1]), 8)
    assert page.scores[1].outcomes[1].score == direct.score
    assert "steps a second measured here" in page.estimate.text()
    kept = room.store.records()
    assert len(kept) == 1 and kept[0].kind == "rl" and "Sweep of ε" in kept[0].title
    told = json.loads(room.store.files(kept[0].id)["sweep.json"].read_text())
    assert [cell["values"] for cell in told["cells"]] == [[0.1], [0.4]]
    assert [item.name for item in sweep_exportables(page)] == ["sweep scores plot", "sweep curves plot", "sweep scores"]
    page.choose(1)
    page.use.click()
    assert panel.controls.runs[0].settings.epsilon == 0.4
    assert panel.controls.source.button.text() == "Settings: a cell of the sweep"
    assert panel.restore_request("rl", kept[0].request) == []
    room.quiet()


def test_two_settings_make_a_table_of_colours(room: PanelRoom, panel: Any) -> None:
    page = panel.stage.sweep
    page.second.choose("alpha", "0.2, 0.6")
    page.start.click()
    room.quiet()
    assert (page.heat.view.rowCount(), page.heat.view.columnCount()) == (2, 2)
    assert all(page.heat.view.item(row, column).text() for row in range(2) for column in range(2))
    page.heat.view.setCurrentCell(1, 0)
    assert "ε 0.4, Step size α 0.2" in page.cell_words.text()


def test_what_cannot_be_swept_is_told_and_not_begun(panel: Any) -> None:
    page = panel.stage.sweep
    page.first.values.setText("0.1, much")
    assert "“much” is no number" in page.estimate.text() and not page.start.isEnabled()
    page.first.values.setText("0.1")
    assert page.start.isEnabled()


def test_cancel_ends_the_processes_and_keeps_what_there_is(
    room: PanelRoom, panel: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    page = panel.stage.sweep
    page.steps.setValue(100_000_000)
    page.start.click()
    qtbot.waitUntil(lambda: room.engine._offloads.count > 0, timeout=END)
    page.cancel.click()
    qtbot.waitUntil(lambda: not page.running and room.engine._offloads.count == 0, timeout=10_000)
    room.quiet()
    assert room.store.records() == [] and page.scores == {}


def test_a_process_that_dies_is_told_and_the_others_go_on(
    room: PanelRoom, panel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_jobs, "train_unit", dies_on_the_first)
    page = panel.stage.sweep
    page.start.click()
    room.quiet()
    assert page.scores[0].final is None and "exit code 3" in page.scores[0].troubles[0]
    assert page.scores[1].final is not None


def dies_on_the_first(unit: Unit) -> tuple[Outcome, ...]:
    import os

    if unit.cell == 0:
        os._exit(3)
    return sweep_cell.train_unit(unit)
