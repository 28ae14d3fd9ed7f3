"""The Elastic net panel: invitation, slider, line and click, cross-validation, own tables, keeping, exports."""

from __future__ import annotations

import contextlib
import io
import json

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtWidgets import QPushButton, QSlider
from studio_plugins.elastic_net import script as scripts

LONG = 30_000


@pytest.fixture
def fitted(qtbot, net_room):
    """A panel that shows the diabetes data."""
    panel = net_room()
    qtbot.mouseClick(button(panel, "Look at the diabetes data"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.desk.answer is not None, timeout=LONG)
    net_room.quiet()
    return panel


def button(panel, text):
    return next(found for found in panel.findChildren(QPushButton) if found.text() == text)


def test_a_new_panel_invites_and_fits_nothing(net_room):
    panel = net_room()
    assert panel.stage.currentIndex() == 0 and panel.exportables() == []
    assert not panel.zones.primary.isEnabled() and panel.desk.answer is None


def test_one_click_shows_the_paths(fitted):
    answer = fitted.desk.answer
    assert fitted.stage.currentIndex() == 1 and answer.problem.p == 10
    drawn = fitted.stage.path.plot_item().listDataItems()
    assert {item.name() for item in drawn if item.name()} == set(answer.problem.names)
    assert fitted.insight.fact("features used") == f"{int(answer.fit.coef.any(axis=0).sum())} of 10"


def test_the_slider_moves_the_fit(net_room, fitted):
    before = fitted.desk.answer
    slider = fitted.controls.form.field("strength").findChild(QSlider)
    for tick in range(200, 900, 100):
        slider.setValue(tick)
    net_room.quiet()
    after = fitted.desk.answer
    assert after.known is before.known and after.request.strength == fitted.controls.form.value().strength
    assert after.penalty.strength != before.penalty.strength
    fitted.controls.set(mix=1.0)
    net_room.quiet()
    assert fitted.desk.answer.penalty.mix == 1.0 and "lasso" in fitted.insight.fact("penalty")


def test_the_line_in_the_plot_sets_the_strength(net_room, fitted):
    fitted.stage.path.strength.emit(10.0)
    net_room.quiet()
    assert fitted.desk.answer.penalty.strength == pytest.approx(10.0, rel=1e-3)
    fitted.stage.path.strength.emit(1e9)
    net_room.quiet()
    assert fitted.controls.form.value().strength == 1.0 and not fitted.desk.answer.fit.coef.any()


def test_a_drag_in_the_plot_takes_the_line_along(qtbot, net_room, fitted):
    plot = fitted.stage.path
    fitted.grab()
    viewport = plot.widget.viewport()
    choices = []
    plot.chosen.connect(choices.append)
    places = [plot.widget.mapFromScene(plot.view.mapViewToScene(QPointF(x, 5.0))) for x in (0.0, 0.5, 1.0)]
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=places[0])
    for place in places[1:]:
        qtbot.mouseMove(viewport, place)
        net_room.quiet()
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=places[-1])
    net_room.quiet()
    assert fitted.desk.answer.penalty.strength == pytest.approx(10.0, rel=0.05)
    assert plot.ruler.value() == pytest.approx(1.0, abs=0.02) and choices == []


def test_a_click_on_a_curve_chooses_its_coefficient(qtbot, fitted):
    plot, answer = fitted.stage.path, fitted.desk.answer
    fitted.grab()  # a plot finds its range when it is painted
    bmi = answer.problem.names.index("bmi")
    at = 60
    place = QPointF(np.log10(answer.known.path.strengths[at]), answer.known.path.coef[at, 0, bmi])
    pixel = plot.widget.mapFromScene(plot.view.mapViewToScene(place))
    qtbot.mouseClick(plot.widget.viewport(), Qt.MouseButton.LeftButton, pos=pixel)
    assert plot.choice == bmi and fitted.insight._feature.fact("feature") == "bmi"
    left, right = fitted.insight._kkt.text().count("="), "≤" in fitted.insight._kkt.text()
    assert left or right


def test_cross_validation_runs_when_its_page_is_shown_and_is_taken_over(qtbot, net_room, fitted):
    fitted.stage.show_page("validation")
    qtbot.waitUntil(lambda: fitted.desk.curve is not None, timeout=LONG)
    net_room.quiet()
    curve = fitted.desk.curve.curve
    assert curve.errors.shape == (10, 100) and "Least mean squared error" in fitted.stage.validation.text()
    qtbot.mouseClick(button(fitted, "Take the 1-SE λ"), Qt.MouseButton.LeftButton)
    net_room.quiet()
    assert fitted.desk.answer.penalty.strength == pytest.approx(curve.strengths[curve.simplest], rel=1e-3)
    assert fitted.desk.curve is not None  # another λ is on the same curve
    fitted.stage.show_page("path")
    fitted.controls.set(mix=0.2)
    net_room.quiet()
    assert fitted.desk.curve is None  # another α is not


def test_a_cross_validation_that_cannot_be_is_said_on_its_page(net_room, csv):
    panel = net_room()
    rows = [f"{i},{i % 7},{'rare' if i == 3 else 'often'}" for i in range(20)]
    panel.desk.open_table(csv("\n".join(["a,b,c", *rows])), choose=True)
    net_room.quiet()
    assert panel.desk.answer.problem.classes == ("often", "rare")
    panel.stage.show_page("validation")
    net_room.quiet()
    assert "“rare” has 1 row" in panel.stage.validation.text()


def test_the_ball_page_shows_the_pair_asked_for(net_room, fitted):
    fitted.stage.show_page("ball")
    net_room.quiet()
    assert fitted.desk.answer.plane is not None and "touches" in fitted.stage.ball.text()
    fitted.stage.ball.changed.emit("age", "bp", "left out")
    net_room.quiet()
    answer = fitted.desk.answer
    assert [answer.problem.names[j] for j in answer.pair] == ["age", "bp"] and answer.request.others == "left out"
    fitted.controls.set(strength=1.0)
    net_room.quiet()
    assert "both coefficients are zero" in fitted.stage.ball.text()


def test_the_steps_page_walks_through_the_turns(net_room, fitted):
    fitted.stage.show_page("steps")
    net_room.quiet()
    steps, answer = fitted.stage.steps, fitted.desk.answer
    assert steps.timeline.count() == len(answer.updates) > 10
    steps.timeline.set_value(2)
    update = answer.updates[2]
    assert answer.problem.names[update.feature] in steps.text() and f"Sweep {update.sweep}" in steps.text()
    bars = [item for item in steps.bars.item.items if type(item).__name__ == "BarGraphItem"]
    assert bars[0].opts["height"] == pytest.approx(update.coef[0])


def test_classes_are_chosen_above_the_plot(net_room):
    panel = net_room(data="wine", count=10, least=0.05)
    net_room.quiet()
    assert panel._class.isVisible() and panel._class.count() == 3
    panel._class.setCurrentIndex(2)
    panel._class.activated.emit(2)
    net_room.quiet()
    assert panel.desk.answer.output == 2


def test_pasted_cells_become_the_data(net_room):
    panel = net_room()
    QGuiApplication.clipboard().setText("")
    panel.paste_table()
    assert "no cells" in panel.last_message.text
    rng = np.random.default_rng(0)
    rows = [f"{a:.4f}\t{b:.4f}\t{2 * a - b:.4f}" for a, b in rng.standard_normal((30, 2))]
    QGuiApplication.clipboard().setText("\n".join(["a\tb\ty", *rows]))
    panel.paste_table()
    net_room.quiet()
    request, answer = panel.controls.form.value(), panel.desk.answer
    assert request.data == "own" and request.target == "y" and answer.problem.names == ("a", "b")
    panel.controls.set(strength=1e-4, mix=1.0)
    net_room.quiet()
    assert panel.desk.answer.fit.raw(panel.desk.answer.problem)[0][0] == pytest.approx([2, -1], abs=0.01)
    other = net_room(state=panel.state())
    net_room.quiet()
    assert other.desk.answer.problem.names == ("a", "b") and other.controls.form.value() == panel.controls.form.value()


def test_a_dropped_table_becomes_the_data(net_room, csv):
    panel = net_room()
    rows = "\n".join(f"{i},{i * i % 7},{i + 0.5}" for i in range(12))
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(csv(f"a,b,c\n{rows}\n")))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    panel.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, buttons, keys))
    net_room.quiet()
    assert panel.desk.answer.problem.names == ("a", "b") and panel.controls.form.value().target == "c"


def test_bad_data_are_told_and_the_fit_before_stays(net_room, fitted, csv):
    before = fitted.desk.answer
    fitted.desk.open_table(csv("a,b\n1,x\n2,x\n"), choose=True)
    net_room.quiet()
    assert "two classes" in fitted.last_message.text or "text, not numbers" in fitted.last_message.text
    assert fitted.desk.answer is before
    fitted.controls.set(data="diabetes")
    net_room.quiet()
    assert fitted.last_message is None
    fitted.desk.open_table(csv("", "nothing.csv"), choose=True)
    net_room.quiet()
    assert "nothing.csv" in fitted.last_message.text


def test_a_fit_is_kept_and_comes_back(qtbot, net_room, fitted):
    fitted.stage.show_page("validation")
    qtbot.waitUntil(lambda: fitted.desk.curve is not None, timeout=LONG)
    net_room.quiet()
    qtbot.mouseClick(fitted.zones.primary, Qt.MouseButton.LeftButton)
    net_room.quiet()
    (record,) = net_room.store.records()
    assert {"coefficients.csv", "path.csv", "cross-validation.csv", "fit.json"} <= set(record.files)
    summary = json.loads(record.files["fit.json"].read_text())
    assert summary["kkt_violation"] < 1e-6 and summary["scikit_learn"]["l1_ratio"] == 0.5
    other = net_room()
    assert other.restore_request("elastic_net", {**record.request, "mix": 0.9}) == []
    net_room.quiet()
    assert other.desk.answer.penalty.mix == 0.9
    assert other.restore_request("generate", {}) == ["settings of kind “generate”"]


def test_everything_shown_can_leave(qtbot, net_room, fitted, tmp_path):
    for page in ("validation", "ball", "steps", "path"):
        fitted.stage.show_page(page)
        net_room.quiet()
    fitted.stage.show_page("ball")
    qtbot.waitUntil(lambda: fitted.desk.curve is not None, timeout=LONG)
    net_room.quiet()
    found = {item.name: item for item in fitted.exportables()}
    assert {"coefficient paths plot", "cross-validation plot", "ball and loss plot", "coefficients", "script"} <= set(
        found
    )
    service = fitted.context.export
    fitted.grab()
    for name, item in found.items():
        for suffix in {"plot": ("png", "svg", "pdf"), "table": ("csv",), "script": ("py",)}[item.kind]:
            target = service.save(item, tmp_path / f"{name}.{suffix}")
            assert target.stat().st_size > 100
    lines = (tmp_path / "coefficients.csv").read_text().splitlines()
    assert len(lines) == 11 and lines[0] == "feature,standardised,raw"


def printed_by(script):
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile(script, "script.py", "exec"), {"__name__": "__main__"})
    return [float(line.split()[-1]) for line in told.getvalue().splitlines()]


def test_the_script_reads_a_table_of_ones_own(csv):
    from studio.engine import run_inline
    from studio_plugins.elastic_net.jobs import Order, answer
    from studio_plugins.elastic_net.request import ElasticNetRequest

    rng = np.random.default_rng(1)
    rows = [f"{a:.3f};{b:.3f};text;{a - b + 0.1 * c:.3f}" for a, b, c in rng.standard_normal((40, 3))]
    path = csv("\n".join(["a;b;t;y", *rows]).replace(".", ","))
    shown = run_inline(answer, Order(ElasticNetRequest(data="own", table=str(path), target="y", strength=0.01)))
    assert printed_by(scripts.script(shown)) == pytest.approx([*shown.fit.coef[0], shown.problem.target_mean], rel=1e-4)


@pytest.mark.parametrize(
    "fields",
    [
        {"data": "diabetes", "mix": 0.5}, {"data": "cancer", "mix": 0.0}, {"data": "groups", "mix": 0.0},
        {"data": "sparse", "mix": 0.8, "family": "logistic"},
    ],
)  # fmt: skip
def test_the_script_prints_the_same_coefficients(fields):
    from studio.engine import run_inline
    from studio_plugins.elastic_net.jobs import Order, answer
    from studio_plugins.elastic_net.request import ElasticNetRequest

    shown = run_inline(answer, Order(ElasticNetRequest(count=10, **fields)))
    printed = printed_by(scripts.script(shown))[: shown.problem.p]
    assert printed == pytest.approx(shown.fit.coef[0].tolist(), abs=2e-3)


def test_the_demo_shows_every_page(net_room):
    panel = net_room()
    panel.demo()
    assert panel.desk.curve is not None and panel.stage.path.choice >= 0
    net_room.quiet()
