"""Curves of real runs: what is worked out for them, what is drawn, read, and done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from studio.ml.rl.record import Curve
from studio.ml.rl.statistics import iqm
from studio.ui.theme import theme
from studio_plugins.rl import bands
from studio_plugins.rl.bands import Choice, Measured, Moment
from studio_plugins.rl.curve_page import QUIET, CurvePage
from studio_plugins.rl.curve_plot import RunLine, rounded
from studio_plugins.rl.curve_sharing import curve_exportables, drawn_table, measured_table
from tests.plugins.rl.learnt import curves

LINES = (RunLine("A", "A  Sarsa", "series.0"), RunLine("B", "B  Q-learning", "series.1"))


@pytest.fixture(scope="module")
def runs() -> tuple[Measured, ...]:
    marks = tuple(Moment(steps, f"step {steps}", k) for k, steps in enumerate((400, 800, 1200, 1600)))
    return (
        Measured("A", curves("sarsa"), (Moment(1000, "ε 0.1 → 0.05"),), marks),
        Measured("B", curves("q_learning"), (), marks),
    )


@pytest.fixture
def page(qtbot, runs):
    theme().apply("light", 1.0)
    made = CurvePage()
    qtbot.addWidget(made)
    made.resize(760, 620)
    made.show()
    qtbot.waitExposed(made)
    made.set_runs(LINES)
    made.offer(bands.measures(runs))
    draw(made, runs)
    return made


def draw(page: CurvePage, runs, resamples: int | None = 100) -> None:
    page.show_drawn(*(bands.figure(runs, choice, resamples=resamples) for choice in page.choices()))


def flat(value: float, n: int = 50) -> Curve:
    return Curve(np.arange(1, n + 1) * 10, np.arange(1, n + 1), np.arange(n) / 10.0, np.full(n, value))


def slow_mean(curve: Curve, window: int) -> list[float]:
    """Mean over the points of the last `window` episodes, point by point."""
    e, v = curve.episodes, curve.values
    return [float(np.mean([v[j] for j in range(k + 1) if e[j] > e[k] - window])) for k in range(len(v))]


# --- what is worked out ---


def test_smoothing_is_the_mean_of_the_last_episodes(runs):
    curve = runs[0].curves["return"][0]
    x, y = bands.smoothed(curve, "steps", 7)
    assert np.array_equal(x, curve.steps)
    assert np.allclose(y, slow_mean(curve, 7), rtol=0, atol=1e-9)
    assert np.array_equal(bands.smoothed(curve, "steps", 1)[1], curve.values)


def test_smoothing_leaves_a_constant_exactly_as_it_is():
    x, y = bands.smoothed(flat(-0.1), "episodes", 10)
    assert (y == -0.1).all() and np.array_equal(x, np.arange(1, 51))


def test_the_line_is_the_iqm_of_the_smoothed_seeds_and_lies_in_its_band(runs):
    drawn = bands.drawn(runs[1], Choice("return", "episodes", "iqm", 10), resamples=200)
    values = np.array([np.interp(drawn.x, *bands.smoothed(c, "episodes", 10)) for c in runs[1].curves["return"]])
    assert np.allclose(drawn.centre, iqm(values), rtol=0, atol=1e-9)
    assert (drawn.counts == 3).all() and drawn.seeds == 3
    assert (drawn.low <= drawn.centre + 1e-9).all() and (drawn.centre <= drawn.high + 1e-9).all()
    mean = bands.drawn(runs[1], Choice("return", "episodes", "mean", 10), resamples=0)
    assert np.allclose(mean.centre, values.mean(axis=0), rtol=0, atol=1e-9) and mean.low is None


def test_equal_data_are_drawn_alike(runs):
    one, two = (bands.drawn(runs[0], Choice("return"), resamples=100) for _ in range(2))
    assert np.array_equal(one.low, two.low) and np.array_equal(one.high, two.high)


def test_thinning_keeps_every_extreme():
    y = np.random.Generator(np.random.PCG64(1)).normal(size=5000)
    y[1234], y[4321] = 50.0, -50.0
    x, kept = bands.thinned(np.arange(5000.0), y, 200)
    assert len(kept) == 200 and kept.max() == 50.0 and kept.min() == -50.0 and (np.diff(x) >= 0).all()


def test_a_seed_that_stopped_early_does_not_end_the_line():
    long, short = flat(1.0, 100), flat(5.0, 10)
    run = Measured("A", {"return": (long, long, short)})
    drawn = bands.drawn(run, Choice("return", "steps", "mean", 1), resamples=0)
    assert drawn.x[-1] == 1000 and drawn.counts[-1] == 2 and drawn.centre[-1] == 1.0


def test_seeds_about_level_are_taken_together_only_where_all_are():
    run = Measured("A", {"return": (flat(1.0, 100), flat(2.0, 98))})
    drawn = bands.drawn(run, Choice("return", "steps", "mean", 1))
    assert drawn.x[-1] == 980 and (drawn.counts == 2).all()


def test_moments_stand_where_the_run_was(runs):
    curve = runs[0].curves["return"][0]
    drawn = bands.drawn(runs[0], Choice("return", "episodes"), resamples=0)
    place = drawn.notes[0]
    assert place.x == pytest.approx(float(np.interp(1000, curve.steps, curve.episodes)))
    assert 0 < place.x < curve.episodes[-1]
    assert bands.drawn(runs[0], Choice("return", "steps"), resamples=0).notes[0].x == 1000


def test_runs_without_a_measure_are_left_out(runs):
    lossy = Measured("C", {"return": (flat(1.0),), "loss": (flat(0.1),)})
    assert [one.key for one in bands.figure((*runs, lossy), Choice("loss"))] == ["C"]
    assert bands.measures((*runs, lossy))[:2] == ("return", "length") and "loss" in bands.measures((*runs, lossy))
    assert bands.figure([Measured("D", {"return": (flat(float("nan")),)})], Choice()) == ()


@pytest.mark.parametrize(("low", "high"), [(-113.2, -13.0), (0.0, 1.0), (3.0, 3.0001), (-1e6, 5.0)])
def test_ranges_are_rounded_outwards_and_hardly_widened(low, high):
    found = rounded(low, high)
    slack = 1e-9 * (high - low)
    assert found[0] <= low + slack and found[1] >= high - slack and found[1] - found[0] <= 1.1 * (high - low) + slack


# --- what is drawn, and by hand ---


def test_both_plots_draw_what_is_chosen(page, runs):
    page.bar.restore({"measure": "value_error", "axis": "episodes", "over": "mean", "window": 5})
    upper, lower = page.choices()
    assert (upper, lower) == (Choice("return", "episodes", "mean", 5), Choice("value_error", "episodes", "mean", 5))
    draw(page, runs)
    assert {one.key for one in page.upper.drawn()} == {"A", "B"}
    items = {item.name(): item for item in page.upper.item.listDataItems() if hasattr(item, "name")}
    for one, line in zip(page.upper.drawn(), LINES, strict=True):
        assert np.array_equal(items[line.title].getData()[1], one.centre)
    assert page.bar.state()["window"] == 5


def test_drawings_of_another_choice_come_too_late(page, runs):
    late = [bands.figure(runs, choice, resamples=0) for choice in page.choices()]
    before = page.upper.drawn()
    page.bar.restore({"axis": "seconds"})
    page.show_drawn(*late)
    assert all(one is other for one, other in zip(page.upper.drawn(), before, strict=True))


def test_a_line_without_a_band_keeps_the_last_band(page, runs):
    items = page.upper._items["A"]
    box = items._band.boundingRect()
    assert box.height() > 0
    draw(page, runs, resamples=0)
    assert items._band.boundingRect() == box
    page.bar.restore({"window": 30})
    draw(page, runs, resamples=0)
    assert items._band.boundingRect().height() == 0


def test_reading_tells_the_numbers_at_a_place(page):
    one = page.upper.drawn()[0]
    x = float(one.x[len(one.x) // 2])
    text = page.upper.read(x)
    assert f"{np.interp(x, one.x, one.centre):.4g}".replace("-", "−") in text
    assert "A  Sarsa" in text and "B  Q-learning" in text
    assert "0.1 → 0.05" in page.upper.read(1000) and "0.1 → 0.05" not in page.upper.read(1500)


def test_runs_are_switched_off_in_the_legend(page):
    page.bar._chips["B"].click()
    assert [one.key for one in page.upper.drawn()] == ["A"] and "Q-learning" not in page.upper.read(1000)
    page.bar._chips["B"].click()
    assert len(page.lower.drawn()) == 2


def mark_at(plot, key: str, mark: int) -> QPoint:
    spots = plot._marks.points()
    rows = [one.key for one in plot.drawn() if one.marks]
    spot = spots[4 * rows.index(key) + mark]
    return plot.widget.mapFromScene(plot.view.mapViewToScene(spot.pos()))


def test_a_mark_is_clicked_and_a_hand_drags_along_the_marks(qtbot, page):
    view, told = page.upper.widget.viewport(), []
    page.rewound.connect(lambda key, mark: told.append((key, mark)))
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=mark_at(page.upper, "B", 2))
    assert told == [("B", 2)]
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=mark_at(page.upper, "A", 3))
    qtbot.mouseMove(view, mark_at(page.upper, "A", 1) + QPoint(3, -20))
    assert "back to step 800" in page.reading.text()
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=mark_at(page.upper, "A", 1))
    assert told[1:] == [("A", 1)]
    assert page.lower._marks.points().size == 0
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=mark_at(page.upper, "A", 1) - QPoint(0, 60))
    assert len(told) == 2


def test_a_double_click_shows_all_values(qtbot, page):
    low = page.upper.view.viewRange()[1][0]
    worst = min(one.centre.min() for one in page.upper.drawn())
    centre = page.upper.widget.viewport().rect().center()
    qtbot.mouseDClick(page.upper.widget.viewport(), Qt.MouseButton.LeftButton, pos=centre)
    assert page.upper.view.viewRange()[1][0] < min(low, worst)


def test_references_stand_within_the_plot(page):
    page.set_references([(500.0, "solved")])
    low, high = page.upper.view.viewRange()[1]
    assert low < 500 < high
    page.set_references([])
    assert page.upper.view.viewRange()[1][1] < 500


def test_colours_follow_the_theme(page):
    before = page.upper._items["A"].colour()
    theme().apply("dark", 1.0)
    assert page.upper._items["A"].colour() == theme().color("series.0") != before


def test_low_and_wide_the_plots_stand_side_by_side(qtbot, page):
    assert page._split.orientation() == Qt.Orientation.Vertical
    page.resize(1000, 360)
    qtbot.waitUntil(lambda: page._split.orientation() == Qt.Orientation.Horizontal)
    assert page.reading.text() == QUIET


def test_runs_that_go_take_their_lines_along(page, runs):
    page.set_runs(LINES[:1])
    draw(page, runs[:1])
    assert [one.key for one in page.drawn()] == ["A", "A"] and list(page.bar._chips) == ["A"]
    page.show_drawn((), ())
    assert page.drawn() == ()


def test_tables_hold_what_was_measured_and_drawn(page, runs):
    table = measured_table(runs)
    keys = zip(*(table.columns[name] for name in ("run", "measure", "seed")), strict=True)
    rows = [k for k, key in enumerate(keys) if key == ("A", "return", 1)]
    assert [table.columns["value"][k] for k in rows] == runs[0].curves["return"][1].values.tolist()
    drawn = drawn_table(page.upper.drawn())
    first = page.upper.drawn()[0]
    assert drawn.columns["value"][: len(first.x)] == first.centre.tolist() and drawn.columns["high"][0] == first.high[0]
    offered = {one.name: one.kind for one in curve_exportables(page, runs)}
    tables = {"curves drawn": "table", "curves measured": "table"}
    assert offered == {"return plot": "plot", "episode length plot": "plot", **tables}
