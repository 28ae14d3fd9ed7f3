"""The Trade-off panel: one sweep from the button to the history and back, cancelling, choosing points, exporting."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QPushButton, QToolButton
from studio.engine import run_inline
from studio.host.imagemeta import load_rgb
from studio.ml.evaluation.points import Measured, Point
from studio_plugins.tradeoff import demo, jobs
from studio_plugins.tradeoff.results import TradeoffResult
from studio_plugins.tradeoff.sharing import exportables
from studio_plugins.tradeoff.stage import RIGHT

LONG = 60_000


def quiet(qtbot, panel):
    """Wait until nothing runs or waits and every event has arrived."""
    engine, pump = panel.context.engine, panel.context.window.pump
    qtbot.waitUntil(lambda: engine.wait_idle(0) and pump.watching() == 0, timeout=LONG)


@pytest.fixture
def drawn(qtbot, sweep_room, small):
    """A panel after one small sweep."""
    panel = sweep_room(small)
    qtbot.mouseClick(panel.zones.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.desk.result is not None and panel.desk.result.record_id is not None, timeout=LONG)
    quiet(qtbot, panel)
    return panel


def test_one_click_draws_a_sweep_that_is_kept_and_comes_back(qtbot, drawn, sweep_room, small):
    result = drawn.desk.result
    assert result.complete and len(drawn.stage.points) == 5
    assert [record.id for record in sweep_room.store.records()] == [result.record_id]
    assert "kept in the History" in drawn._status.text()
    other = sweep_room(state=drawn.state())
    qtbot.waitUntil(lambda: other.desk.result is not None, timeout=LONG)
    quiet(qtbot, other)
    assert other.desk.result.points == result.points and other.controls.form.value() == small
    drawn.desk.result = None
    assert drawn.restore_request("tradeoff", small.to_dict()) == []
    qtbot.waitUntil(lambda: drawn.desk.result is not None, timeout=LONG)
    assert drawn.desk.result.record_id == result.record_id
    assert drawn.restore_request("generate", {}) == ["settings of kind “generate”"]


def spread_out(request):
    """A result whose points lie far from each other in both plots."""
    kinds = [("renders", 0.0), ("unguided", 0.0), ("classifier-free", 3.0), ("clip", 5.0)]
    rng = np.random.default_rng(0)
    measured = []
    for i, (kind, scale) in enumerate(kinds):
        measures = {"frechet": i, "diversity": i, "clip_score": 0.2 * i, "clip_error": 0.01}
        point = Point(kind=kind, scale=scale, pictures=8, right=2 * i, **measures)
        faults = ("",) * (2 * i) + ("other objects",) * (8 - 2 * i)
        measured.append(Measured(point, rng.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8), faults))
    return TradeoffResult(request, tuple(f"prompt {i // 2}" for i in range(8)), tuple(measured), 1.0)


@pytest.mark.parametrize("plot", ["diversity", "agreement"])
def test_a_click_on_a_point_shows_its_marked_pictures(qtbot, sweep_room, small, plot):
    panel = sweep_room(small)
    panel.desk.show(spread_out(small))
    stage = panel.stage
    view = getattr(stage, plot).plot_item().getViewBox()
    widget = view.getViewWidget()
    panel.grab()  # a plot finds its range when it is painted
    for index in (2, 1, 3, 0):
        dot = getattr(stage, plot).dots()[index]
        place = widget.mapFromScene(view.mapViewToScene(QPointF(dot.x, dot.y)))
        qtbot.mouseClick(widget.viewport(), Qt.MouseButton.LeftButton, pos=place)
        assert stage.current == index
        shown = stage.measured[index]
        images = [stage.grid.image(i) for i in range(stage.grid.count())]
        assert len(images) == 8 and images[3].pixelColor(0, 0).red() == shown.pictures[3, 0, 0, 0]
        assert [label == RIGHT for label in stage.grid._labels] == [not fault for fault in shown.faults]
        assert panel.insight._point.fact("right") == f"{25 * index} %"


def test_the_buttons_walk_through_the_points(qtbot, drawn):
    drawn.stage.choose(4)
    qtbot.mouseClick(drawn._on, Qt.MouseButton.LeftButton)
    assert drawn.stage.current == 0 and drawn._name.text() == "true scenes"
    qtbot.mouseClick(drawn._back, Qt.MouseButton.LeftButton)
    assert drawn.stage.current == 4 and drawn._name.text() == "CLIP, s = 5"


def test_the_quality_shown_can_be_the_frechet_distance(drawn):
    points = drawn.stage.points
    assert [dot.y for dot in drawn.stage.diversity.dots()] == [100 * point.accuracy for point in points]
    drawn._quality.setCurrentIndex(1)
    assert [dot.y for dot in drawn.stage.diversity.dots()] == [point.frechet for point in points]
    assert drawn.state()["quality"] == "frechet"


def test_a_picture_says_what_was_asked_of_it(drawn):
    drawn.stage.choose(1)
    drawn.stage.grid.select(5)
    text = drawn.desk.result.texts[5]
    assert text in drawn._status.text()
    fault = drawn.stage.measured[1].faults[5]
    assert (fault or "right") in drawn._status.text()


def test_cancel_stops_within_a_step_and_keeps_the_points_there_are(qtbot, sweep_room, small):
    panel = sweep_room(small.replace(classifier_free=(2.0, 3.0), steps=40))
    panel.draw()
    qtbot.waitUntil(lambda: len(panel.stage.points) >= 2, timeout=LONG)
    cancel = next(button for button in panel.findChildren(QToolButton) if button.text() == "Cancel")
    qtbot.mouseClick(cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.desk.result is not None and panel.desk.result.record_id is not None, timeout=LONG)
    quiet(qtbot, panel)
    count = len(panel.stage.points)
    assert 2 <= count < 6 and not panel.desk.running and not cancel.isEnabled()
    (record,) = sweep_room.store.records()
    assert "cancelled on the way" in record.title and record.metrics["points"] == count


def test_a_failure_is_told_in_words_and_the_panel_goes_on(qtbot, sweep_room, small):
    panel = sweep_room(small.replace(classifier_model="nowhere"))
    panel.draw()
    qtbot.waitUntil(lambda: panel.last_message is not None, timeout=LONG)
    assert "“nowhere”" in panel.last_message.text and not panel.desk.running
    panel.controls.form.set_fields({"clip": "one, two"})
    panel.draw()
    assert "cannot be drawn yet" in panel.last_message.text


def test_everything_shown_can_leave(drawn, tmp_path):
    drawn.stage.choose(3)
    found = {item.name: item for item in drawn.exportables()}
    assert set(found) == {"points", "quality and diversity plot", "CLIP score plot", "pictures, classifier, s = 2"}
    table = found["points"].produce()
    assert table.rows == 5 and list(table.columns["kind"]) == [point.kind for point in drawn.stage.points]
    service = drawn.context.export
    for name, suffix in (("points", "csv"), ("pictures, classifier, s = 2", "png"), ("CLIP score plot", "png")):
        service.save(found[name], tmp_path / f"{found[name].kind}.{suffix}")
    picture = np.asarray(load_rgb(tmp_path / "image.png"))
    first = drawn.stage.measured[3].pictures[0]
    assert (picture[:128:4, :128:4] == first).all()


def test_an_empty_panel_offers_nothing_to_export(sweep_room):
    panel = sweep_room()
    assert panel.exportables() == [] and exportables(None, panel.stage) == []


def test_the_example_fills_the_panel(sweep_room, small, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "FOLDER", tmp_path / "example")
    panel = sweep_room()
    panel.demo()
    assert panel.stage.points == []
    result = run_inline(jobs.sweep, small)
    demo.write(result, tmp_path / "example")
    panel.demo()
    assert len(panel.stage.points) == len(result.points) and panel.controls.form.value() == small
    assert panel.insight._point.fact("pictures") == "8, the first 6 shown"
    assert isinstance(panel.desk.result, TradeoffResult) and panel.desk.result.record_id is None


def test_an_empty_panel_offers_the_example(qtbot, sweep_room, small, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "FOLDER", tmp_path / "example")
    result = run_inline(jobs.sweep, small)
    demo.write(result, tmp_path / "example")
    panel = sweep_room()
    button = next(button for button in panel.findChildren(QPushButton) if button.text() == "Look at an example")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.desk.result is not None, timeout=LONG)
    quiet(qtbot, panel)
    assert len(panel.stage.points) == len(result.points) and "the example" in panel._status.text()
    assert sweep_room.store.records() == []
