"""The reusable widgets, used by mouse and keyboard."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QFontMetricsF, QGuiApplication
from PySide6.QtTest import QTest

from studio.engine import Engine, Progress
from studio.ui.background import Background
from studio.ui.cards import EmptyState, Facts, FormulaCard
from studio.ui.collapsible import Collapsible
from studio.ui.curves import Curves
from studio.ui.engine_bar import EngineBar, duration, progress_words
from studio.ui.image_grid import HEADER, ImageGrid
from studio.ui.image_view import ImageView
from studio.ui.lag import INTERVAL_MS, LagMeter
from studio.ui.message_bar import MessageBar
from studio.ui.panel_layout import NARROW, PanelLayout
from studio.ui.pictures import pixmap_of, to_qimage
from studio.ui.theme import theme
from studio.ui.timeline import Timeline

RNG = np.random.default_rng(0)


def picture(height: int = 8, width: int = 8) -> np.ndarray:
    return RNG.integers(0, 255, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def shown(qtbot):
    def show(widget, width: int = 400, height: int = 300):
        qtbot.addWidget(widget)
        widget.resize(width, height)
        widget.show()
        return widget

    return show


# -- pictures --


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_arrays_become_pictures_of_equal_size_and_colour(qapp, shape: tuple[int, ...]) -> None:
    array = RNG.integers(0, 255, shape, dtype=np.uint8)
    image = to_qimage(array[:, ::-1])  # not contiguous
    assert (image.height(), image.width()) == (5, 7)
    if shape == (5, 7, 3):
        colour = image.pixelColor(2, 3)
        assert (colour.red(), colour.green(), colour.blue()) == tuple(array[3, 7 - 1 - 2])


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros(4, np.uint8)])
def test_what_is_no_picture_is_refused_in_words(qapp, bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a picture is"):
        to_qimage(bad)


def test_thumbnails_keep_hard_edges_when_enlarged(qapp) -> None:
    checker = np.indices((2, 2)).sum(axis=0).astype(np.uint8) * 255
    image = pixmap_of(checker, 64).toImage()
    assert {image.pixelColor(x, 5).red() for x in range(64)} == {0, 255}


def test_a_view_fits_zooms_pans_and_reads_out(shown, qtbot) -> None:
    view = shown(ImageView())
    array = picture()
    view.set_image(array)
    fitted = view.scale()
    assert fitted == int(fitted) and fitted >= 2
    centre = QPointF(view.rect().center())
    x, y = view.pixel_at(centre)
    assert view.read_out(x, y).endswith("R {}  G {}  B {}".format(*array[y, x]))
    QTest.keyClick(view, Qt.Key.Key_Plus)
    assert view.scale() > fitted and view.pixel_at(centre) == (x, y)
    QTest.keyClick(view, Qt.Key.Key_0)
    assert view.scale() == fitted
    view.set_values(np.arange(64.0).reshape(8, 8))
    assert view.read_out(3, 2).endswith("19")
    assert view.pixel_at(QPointF(-5, 5)) is None
    QTest.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().image().size() == view.image().size()


def test_zooming_keeps_the_point_under_the_pointer(shown) -> None:
    view = shown(ImageView())
    view.set_image(picture(64, 64))
    point = QPointF(180, 140)
    before = view.pixel_at(point)
    for _ in range(4):
        view.zoom(1.5, point)
    assert view.pixel_at(point) == before
    view.zoom(1e-9)
    assert view.scale() == view._fitted()


def test_a_new_picture_of_the_same_size_keeps_the_zoom(shown) -> None:
    view = shown(ImageView())
    view.set_image(picture())
    view.zoom(2)
    zoomed = view.scale()
    view.set_image(picture())
    assert view.scale() == zoomed
    view.set_image(picture(4, 4))
    assert view.scale() == view._fitted()
    view.set_image(None)
    view.zoom(2)
    assert view.image() is None


def test_a_grid_is_walked_by_keyboard_and_mouse(shown, qtbot) -> None:
    grid = shown(ImageGrid())
    grid.set_count(6, column_labels=["1", "3", "9"], row_labels=["ddim", "ddpm"])
    for index in range(5):
        grid.set_cell(index, picture(), f"seed {index}")
    rows = {grid.cell_rect(i).top() for i in range(6)}
    assert len(rows) == 2 and grid.current == 0
    for key, where in ((Qt.Key.Key_Right, 1), (Qt.Key.Key_Down, 4), (Qt.Key.Key_Up, 1), (Qt.Key.Key_Left, 0), (Qt.Key.Key_Up, 0)):
        QTest.keyClick(grid, key)
        assert grid.current == where
    with qtbot.waitSignal(grid.activated) as opened:
        QTest.keyClick(grid, Qt.Key.Key_Return)
    assert opened.args == [0]
    QTest.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=grid.cell_rect(5).center())
    assert grid.current == 5 and grid.image(5) is None


@pytest.mark.parametrize("count", [0, 1, 2, 5, 64, 300])
def test_cells_of_a_batch_lie_inside_and_apart(shown, count: int) -> None:
    grid = shown(ImageGrid(), 500, 400)
    grid.set_images([picture(2, 2)] * count)
    rects = [grid.cell_rect(i) for i in range(count)]
    assert all(rect.left() >= 0 and rect.right() <= grid.viewport().width() for rect in rects)
    assert not any(a.intersects(b) for a, b in zip(rects, rects[1:], strict=False))
    grid.select(count - 1)
    if count:
        assert grid.cell_rect(count - 1).bottom() <= grid.viewport().height()


@pytest.mark.parametrize(("width", "height"), [(900, 300), (300, 700)])
def test_a_labelled_sweep_stands_in_the_middle_under_the_names_of_its_axes(shown, width: int, height: int) -> None:
    grid = shown(ImageGrid(), width, height)
    names = {"column_labels": ["1", "2", "4"], "row_labels": ["ddim", "ddpm"]}
    grid.set_count(6, **names)
    plain = grid.grab().toImage()
    above, below = grid.cell_rect(0).top(), grid.viewport().height() - grid.cell_rect(5).bottom()
    assert grid.verticalScrollBar().maximum() == 0 and abs(above - HEADER - below) <= 2
    grid.set_count(6, **names, column_title="Steps", row_title="Sampler")
    titled = grid.grab().toImage()
    top, bottom = grid.cell_rect(0).top(), grid.cell_rect(5).bottom()
    assert top >= 2 * HEADER and bottom < grid.viewport().height() and titled != plain
    assert [titled.pixelColor(x, top - 2 * HEADER + 11) for x in range(width)].count(theme().color("sunken")) < width


def test_a_grid_without_headings_shows_no_titles_and_an_empty_one_draws_nothing(shown) -> None:
    grid = shown(ImageGrid())
    grid.set_count(4, column_title="Steps")
    assert grid.cell_rect(0).top() + grid.cell_rect(3).bottom() == pytest.approx(grid.viewport().height(), abs=3)
    grid.set_count(0, column_labels=["1"], column_title="Steps")
    assert not grid.grab().isNull()


def test_a_timeline_is_scrubbed_and_played(shown, qtbot) -> None:
    line = shown(Timeline(), 500, 80)
    moves: list[int] = []
    line.moved.connect(moves.append)
    line.set_count(5)
    line.set_labels([f"t = {t}" for t in range(5)])
    for index in range(5):
        line.set_thumbnail(index, picture())
    assert line.value == 4
    strip = line._strip
    QTest.keyClick(strip, Qt.Key.Key_Home)
    QTest.keyClick(strip, Qt.Key.Key_Right)
    QTest.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(strip.width() - 8, 10))
    assert moves == [0, 1, 4] and "t = 4" in line._label.text()
    line.toggle_play()
    qtbot.waitUntil(lambda: line.value == 4 and not line._timer.isActive())
    assert moves[3:] == [0, 1, 2, 3, 4]
    line.set_count(0)
    assert line.value == -1 and not line.isEnabled()


# -- plots and cards --


def test_curves_draw_what_they_are_given_in_the_colours_of_the_theme(shown) -> None:
    curves = shown(Curves("step", "norm"))
    curves.append("a", 0, 1.0)
    curves.append("a", 1, 2.0)
    curves.set_series("b", [0, 1, 2], np.array([3.0, 4.0, np.nan]))
    curves.refresh()
    assert list(curves.data()["a"][1]) == [1.0, 2.0]
    drawn = {item.name(): item.getData() for item in curves.plot_item().listDataItems()}
    assert list(drawn["a"][1]) == [1.0, 2.0] and len(drawn["b"][0]) == 3
    theme().apply("dark")
    pens = {item.name(): item.opts["pen"].color().name() for item in curves.plot_item().listDataItems()}
    assert pens == {"a": theme().tokens.series[0], "b": theme().tokens.series[1]}
    with pytest.raises(ValueError, match="as many"):
        curves.set_series("c", [1], [1, 2])
    curves.clear()
    assert curves.data() == {} and curves.plot_item().listDataItems() == []


@pytest.mark.parametrize("steps", [2, 10, 15, 20, 1000, 123456])
@pytest.mark.parametrize("width", [200, 900])
def test_the_numbers_of_an_axis_stay_apart_and_are_of_one_kind(shown, steps: int, width: int) -> None:
    curves = shown(Curves("step", "norm"), width)
    curves.set_series("a", [1, steps], [0.979, 1.0])
    curves.refresh()
    curves.plot_item().getViewBox().updateAutoRange()
    for side, length in (("bottom", width - 60), ("left", 150)):
        axis = curves.plot_item().getAxis(side)
        low, high = axis.range
        levels = axis.tickValues(low, high, length)
        assert len(levels) == 1
        spacing, values = levels[0]
        texts = axis.tickStrings(values, 1.0, spacing)
        assert len(texts) >= 2 and len(set(texts)) == len(texts)
        metrics = QFontMetricsF(axis.style["tickFont"])
        size = metrics.height() if side == "left" else max(map(metrics.horizontalAdvance, texts))
        assert spacing / (high - low) * length > size
        assert len({text[::-1].find(".") for text in texts}) == 1


def test_an_axis_copes_with_what_cannot_be_divided(shown) -> None:
    curves = shown(Curves("step", "norm"))
    axis = curves.plot_item().getAxis("bottom")
    assert axis.tickSpacing(3.0, 3.0, 200) == []
    axis.setLogMode(x=True)
    assert axis.tickSpacing(0.0, 3.0, 200)


def test_a_hidden_plot_draws_when_it_shows(qtbot) -> None:
    curves = Curves()
    qtbot.addWidget(curves)
    curves.append("a", 0, 1.0)
    assert not curves._timer.isActive() and curves.plot_item().listDataItems() == []
    curves.show()
    assert len(curves.plot_item().listDataItems()) == 1


def test_a_long_series_is_thinned_but_keeps_its_ends(qtbot, monkeypatch) -> None:
    monkeypatch.setattr("studio.ui.curves._MAX_POINTS", 100)
    curves = Curves()
    qtbot.addWidget(curves)
    for step in range(1000):
        curves.append("a", step, step)
    xs, _ys = curves.data()["a"]
    assert len(xs) <= 100 and xs[0] == 0 and xs[-1] == 999 and (np.diff(xs) > 0).all()


def test_a_formula_card_shows_todays_numbers(shown) -> None:
    card = shown(FormulaCard("a + s·b", "$a + $s · $b", "a note"))
    assert not card._numbers.isVisible()
    card.set_numbers({"a": 1.23456, "s": 3, "b": "∞"})
    assert all(text in card.text() for text in ("1.235", ">3<", "∞")) and "$" not in card.text()
    assert theme().tokens["accent"] in card.text()


def test_facts_are_replaced_in_place(shown) -> None:
    facts = shown(Facts())
    facts.set_facts({"Time": "1 s", "Calls": "2"})
    label = facts._rows["Time"][1]
    facts.set_facts({"Time": "3 s", "Calls": "2"})
    assert facts._rows["Time"][1] is label and facts.fact("Time") == "3 s"
    facts.set_facts({"Memory": "5"})
    assert list(facts._rows) == ["Memory"]


def test_an_empty_state_offers_what_to_do(shown, qtbot) -> None:
    done: list[int] = []
    state = shown(EmptyState("Nothing", "Do this.", actions=[("Do it", lambda: done.append(1))]))
    qtbot.mouseClick(state.buttons[0], Qt.MouseButton.LeftButton)
    assert done == [1]


def test_a_section_folds_by_keyboard(shown, qtbot) -> None:
    section = shown(Collapsible("Cost"))
    inner = Facts()
    section.add(inner)
    qtbot.waitUntil(inner.isVisible)
    QTest.keyClick(section._button, Qt.Key.Key_Space)
    assert not inner.isVisible() and "collapsed" in section._button.accessibleName()


def test_a_message_bar_shows_acts_and_closes(shown, qtbot) -> None:
    bar, done = shown(MessageBar()), []
    bar.show_message("Careful", "warning", "the details", [("Undo", lambda: done.append(1))])
    assert bar.isVisible() and not bar._details.isVisible()
    bar._fold.click()
    assert bar._details.isVisible() and bar._details.toPlainText() == "the details"
    bar._buttons[0].click()
    assert done == [1] and not bar.isVisible()


def test_the_insight_column_folds_when_room_is_short(shown, qapp) -> None:
    from PySide6.QtWidgets import QWidget

    panel = QWidget()
    zones = PanelLayout(panel)
    zones.add_insight("Cost", Facts())
    shown(panel, NARROW + 200, 500)
    assert zones._right.isVisible()
    panel.resize(NARROW - 100, 500)
    qapp.processEvents()
    assert not zones._right.isVisible()
    panel.resize(NARROW + 200, 500)
    qapp.processEvents()
    assert zones._right.isVisible()
    state = zones.state()
    zones.restore({"sizes": "nonsense", "insight": 3})
    assert zones.state() == state


# -- measuring, waiting --


def test_lag_is_what_the_timer_is_late() -> None:
    now = [0.0]
    meter = LagMeter(clock=lambda: now[0])
    meter.reset()
    for late in [0, 0, 0, 90, 0]:
        meter.tick()
        now[0] += (INTERVAL_MS + late) / 1000
    meter.tick()
    lag = meter.lag()
    assert (lag.samples, round(lag.maximum), round(lag.median)) == (5, 90, 0)
    assert [round(v) for v in meter.everything()] == [0, 0, 0, 90, 0]
    now[0] += 100
    meter.tick()
    assert meter.lag().samples == 1  # what is older than five seconds is forgotten


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "< 1 s"), (3.4, "3 s"), (61, "1 min 1 s"), (3720, "1 h 2 min")])
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def counting(_request, _ctx):
    for step in range(1, 11):
        yield Progress(step, 10, "drawing")


def test_the_engine_bar_shows_pauses_and_cancels(shown, qtbot) -> None:
    now = [0.0]
    engine = Engine(clock=lambda: now[0])  # not started: the lanes are stepped by hand
    bar = shown(EngineBar(LagMeter()), 1300, 40)
    try:
        assert bar.status_text() == "Starting…"
        bar.attach(engine)
        task = engine.submit(counting, title="Count")
        now[0] = 1.0
        bar.refresh()
        assert progress_words(task) == "waiting"
        row = bar._rows[task.id]
        for _ in range(4):
            engine.step("compute")
            now[0] += 1.0
        bar.refresh()
        assert "drawing" in progress_words(task) and "left" in progress_words(task)
        row._pause.click()
        assert progress_words(task).startswith("paused")
        row._pause.click()
        row._cancel.click()
        bar.refresh()
        assert task.state.ended and not bar._rows
    finally:
        bar.stop()
        engine.close()


def test_background_answers_on_the_gui_thread_and_closes(qtbot) -> None:
    background = Background("test")
    threads: list[str] = []
    got: list[object] = []
    background.run(lambda: threads.append(threading.current_thread().name) or 7, got.append)
    background.run(lambda: 1 / 0, got.append, lambda error: got.append(type(error)))
    qtbot.waitUntil(lambda: len(got) == 2)
    assert got == [7, ZeroDivisionError] and threads == ["test"]
    release = threading.Event()
    background.run(release.wait)
    background.run(lambda: got.append("late"))
    release.set()
    assert background.close()
    background.run(lambda: got.append("after"))
    assert "after" not in got
