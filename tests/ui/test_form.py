"""The generated form shows every kind of field, gives back exactly what was put in, and says in words what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDoubleSpinBox, QSlider

from studio.host.request import Request, RequestError, ui
from studio.ui.collapsible import Collapsible
from studio.ui.form import RequestForm
from studio.ui.text_fields import PromptEdit, SeedField


class Everything(Request):
    kind: ClassVar[str] = "everything"
    prompt: str = ui("a cat", title="Prompt", help="What to draw.", widget="prompt", max_length=50)
    scale: float = ui(3.0, title="Scale", help="How much.", unit="px", ge=0, le=10, step=0.5)
    rate: float = ui(1e-3, title="Rate", help="Learning rate.", ge=1e-6, le=1.0, log=True, step=1e-6, advanced=True)
    steps: int = ui(20, title="Steps", ge=1, le=100)
    seed: int = ui(7, title="Seed", widget="seed")
    sampler: Literal["a", "b"] = ui("a", title="Sampler")
    model: str = ui("small", title="Model", widget="choice", choices_from="models")
    on: bool = ui(True, title="On")
    sizes: tuple[int, ...] = ui((1, 2), title="Sizes")
    where: Path | None = ui(None, title="Where", widget="path")
    hidden_sum: str = ui("", title="Digest", widget="hidden")


@pytest.fixture
def form(qtbot) -> RequestForm[Everything]:
    made = RequestForm(Everything, providers={"models": lambda: [("small", "Small model"), "large"]})
    qtbot.addWidget(made)
    made.show()
    return made


def test_the_form_starts_with_the_defaults(form) -> None:
    assert form.value() == Everything()


def test_a_request_comes_back_as_it_was_put_in(form) -> None:
    request = Everything(
        prompt="x\ny", scale=1.23456, rate=3.21e-5, steps=99, seed=2**62 + 1, sampler="b", model="gone", on=False,
        sizes=(5,), where=Path("/tmp/x"), hidden_sum="abc",
    )  # fmt: skip
    form.set_value(request)
    assert form.value() == request


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scale=st.floats(0, 10), rate=st.floats(1e-6, 1.0), steps=st.integers(1, 100), seed=st.integers(0, 2**63 - 1))
def test_every_number_survives_the_form(form, scale: float, rate: float, steps: int, seed: int) -> None:
    request = Everything(scale=scale, rate=rate, steps=steps, seed=seed)
    form.set_value(request)
    assert form.value() == request


def test_setting_a_request_fires_changed_once(form, qtbot) -> None:
    fired: list[int] = []
    form.changed.connect(lambda: fired.append(1))
    form.set_value(Everything(steps=3, prompt="other"))
    assert fired == [1]


@pytest.mark.parametrize(
    ("field", "bad", "word"), [("seed", "twelve", "number"), ("seed", -1, "0"), ("prompt", "x" * 51, "50"), ("sizes", "1, two", "")]
)
def test_what_is_wrong_stands_below_the_field(form, field: str, bad: object, word: str) -> None:
    form.set_fields({field: bad})
    with pytest.raises(RequestError):
        form.value()
    assert word in form.field(field).error() and form.field(field).error()
    assert form.field(field).focus_widget().property("invalid") is True
    assert form.valid_value() is None
    form.set_fields({field: getattr(Everything(), field)})
    assert form.field(field).error() == "" and form.value() == Everything()


def test_unknown_fields_are_reported_and_the_rest_is_taken(form) -> None:
    problems = form.set_fields({"steps": 5, "nonsense": 1, "scale": "much"})
    assert form.value().steps == 5
    assert len(problems) == 2 and "nonsense" in problems[0] + problems[1] and "Scale" in problems[0] + problems[1]


def test_slider_and_spin_box_move_together(form) -> None:
    field = form.field("scale")
    slider, spin = field.findChild(QSlider), field.findChild(QDoubleSpinBox)
    slider.setValue(slider.maximum())
    assert spin.value() == 10 and form.value().scale == 10
    spin.setValue(0)
    assert slider.value() == 0
    slider.setValue(slider.maximum() // 2)
    assert form.value().scale == 5.0  # lands on the step


def test_a_logarithmic_slider_is_even_in_decades(form) -> None:
    slider = form.field("rate").findChild(QSlider)
    slider.setValue(slider.maximum() // 2)
    assert form.value().rate == pytest.approx(1e-3, rel=0.05)  # half-way from 1e-6 to 1


def test_a_logarithmic_field_without_a_step_reaches_its_smallest_values(qtbot) -> None:
    class Fine(Request):
        kind: ClassVar[str] = "fine"
        rate: float = ui(3e-4, title="Rate", ge=1e-6, le=1.0, log=True)

    fine = RequestForm(Fine)
    qtbot.addWidget(fine)
    spin, slider = (fine.field("rate").findChild(kind) for kind in (QDoubleSpinBox, QSlider))
    assert spin.text() == "0.0003"
    spin.setValue(0.0)
    assert fine.value().rate == 1e-6 and slider.value() == 0
    spin.setValue(0.001)
    spin.stepUp()
    assert fine.value().rate == pytest.approx(0.0011)


def test_the_wheel_changes_nothing_that_has_no_focus(form) -> None:
    spin = form.field("scale").focus_widget()
    assert not spin.hasFocus()
    wheel = QWheelEvent(
        QPointF(5, 5), QPointF(5, 5), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(spin, wheel)
    assert form.value().scale == 3.0


def test_seeds_are_kept_or_drawn_anew(form) -> None:
    seed = form.field("seed")
    assert isinstance(seed, SeedField) and seed.fixed
    form.advance_seeds()
    assert form.value().seed == 7
    seed.set_fixed(False)
    form.advance_seeds()
    first = form.value().seed
    form.advance_seeds()
    assert (first, form.value().seed) != (7, first)


def test_choices_keep_what_is_chosen(form) -> None:
    form.set_fields({"model": "large"})
    form.set_choices("model", ["tiny", "large"])
    assert form.value().model == "large"


@pytest.mark.qt_log_ignore("does not support grabbing the keyboard", extend=True)
def test_a_prompt_completes_submits_and_remembers(form, qtbot) -> None:
    prompt = form.prompt_field()
    prompt.set_suggestions(["apple", "apricot", "banana"])
    edit = prompt.findChild(PromptEdit)
    form.set_fields({"prompt": ""})
    edit.setFocus()
    QTest.keyClicks(edit, "a red ban")
    popup = edit._popup
    qtbot.waitUntil(popup.isVisible)
    QTest.keyClick(popup, Qt.Key.Key_Down)
    QTest.keyClick(popup, Qt.Key.Key_Return)
    assert form.value().prompt == "a red banana"
    with qtbot.waitSignal(form.submitted):
        QTest.keyClick(edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)


def test_advanced_fields_are_folded_but_counted(form) -> None:
    section = form.findChild(Collapsible)
    assert section.heading() == "Advanced" and not section.expanded
    assert not form.field("rate").isVisible()
    section.set_expanded(True)
    assert form.field("rate").isVisible()


def test_every_control_has_a_name_a_tip_and_the_keyboard(form) -> None:
    for name in form.field_names():
        control = form.field(name).focus_widget()
        assert control.accessibleName() == form.field(name).spec.title
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus
    assert "px" in form.field("scale").focus_widget().toolTip() and "0 to 10" in form.field("scale").focus_widget().toolTip()


def test_tab_goes_from_top_to_bottom(form, qtbot) -> None:
    form.activateWindow()
    qtbot.waitUntil(form.isActiveWindow)
    form.field("prompt").focus_widget().setFocus()
    heights: list[int] = []
    for _ in range(5):
        widget = QApplication.focusWidget()
        heights.append(widget.mapTo(form, QPoint()).y())
        QTest.keyClick(widget, Qt.Key.Key_Tab)
    assert heights == sorted(heights)
