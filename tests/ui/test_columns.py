"""The scrolling columns of a panel: wheel, folding, room for the scroll bar, and what gives way first."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QSpinBox, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from studio.ui.cards import Facts
from studio.ui.collapsible import Collapsible
from studio.ui.elided import ElidedLabel
from studio.ui.panel_layout import ALL_THREE, LEAST_CONTROLS, LEAST_STAGE, Column, PanelLayout


def tall(height: int) -> QLabel:
    label = QLabel("a tall thing")
    label.setFixedHeight(height)
    return label


@pytest.fixture
def column(qtbot: QtBot) -> Column:
    made = Column()
    qtbot.addWidget(made)
    made.resize(300, 400)
    with qtbot.waitExposed(made):
        made.show()
    return made


def turn(widget: QWidget, notches: int) -> None:
    """Turn the wheel over the middle of a widget; positive is away from the person."""
    place = QPointF(widget.rect().center())
    event = QWheelEvent(
        place, QPointF(widget.mapToGlobal(place.toPoint())), QPoint(), QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)


@pytest.mark.parametrize("depth", [0, 1])
def test_scrolling_past_a_field_does_not_change_it(column: Column, qtbot: QtBot, depth: int) -> None:
    combo, spin = QComboBox(), QSpinBox()
    combo.addItems(["one", "two", "three"])
    for field in (combo, spin):
        holder = field
        if depth:
            holder = QWidget()
            QVBoxLayout(holder).addWidget(field)
        column.add(holder)
    column.add(tall(800))
    qtbot.waitUntil(lambda: column.verticalScrollBar().maximum() > 0)
    turn(combo, -1)
    assert combo.currentIndex() == 0 and column.verticalScrollBar().value() > 0
    turn(spin, 1)
    assert spin.value() == 0 and column.verticalScrollBar().value() == 0
    column.activateWindow()
    spin.setFocus()
    qtbot.waitUntil(spin.hasFocus)
    turn(spin, 1)
    assert spin.value() == 1


def test_unfolding_a_section_at_the_bottom_scrolls_to_it(column: Column, qtbot: QtBot) -> None:
    inner = tall(150)
    section = Collapsible("Sweep", expanded=False)
    section.add(inner)
    holder = QWidget()
    QVBoxLayout(holder).addWidget(section)
    column.add(tall(300))
    column.add(holder)
    QApplication.processEvents()
    section.set_expanded(True)
    view = column.viewport()
    qtbot.waitUntil(lambda: column.verticalScrollBar().value() > 0)
    assert inner.mapTo(view, QPoint(0, inner.height())).y() <= view.height()
    assert section.mapTo(view, QPoint(0, 0)).y() >= 0


def test_a_column_that_grew_is_scrolled_to_its_end(column: Column, qtbot: QtBot) -> None:
    last, late = QLineEdit(), tall(60)
    holder = QWidget()
    inside = QVBoxLayout(holder)
    for widget in (tall(600), late, last):
        inside.addWidget(widget)
    column.add(holder)
    late.hide()
    bar = column.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    bar.setValue(bar.maximum())
    late.show()
    QApplication.processEvents()
    for _ in range(9):
        turn(column.viewport(), -3)
    assert last.mapTo(column.viewport(), QPoint(0, last.height())).y() <= column.viewport().height()


def test_a_section_taller_than_the_column_shows_its_heading(column: Column, qtbot: QtBot) -> None:
    section = Collapsible("Sweep", expanded=False)
    section.add(tall(900))
    column.add(tall(300))
    column.add(section)
    QApplication.processEvents()
    section.set_expanded(True)
    qtbot.waitUntil(lambda: column.verticalScrollBar().value() > 0)
    assert 0 <= section.mapTo(column.viewport(), QPoint(0, 0)).y() < 40


def test_the_scroll_bar_takes_no_width_from_the_fields(column: Column, qtbot: QtBot) -> None:
    field, late = QLineEdit(), tall(900)
    column.add(field)
    column.add(late)
    late.hide()
    QApplication.processEvents()
    assert column.verticalScrollBar().maximum() == 0
    width = field.width()
    late.show()
    qtbot.waitUntil(lambda: column.verticalScrollBar().maximum() > 0 and column.verticalScrollBar().isVisible())
    QApplication.processEvents()
    assert field.width() == width


@pytest.fixture
def panel(qtbot: QtBot) -> QWidget:
    made = QWidget()
    zones = PanelLayout(made)
    zones.add_control(QLineEdit())
    zones.set_stage(QLabel("stage"))
    zones.add_insight("Cost", QLabel("much"))
    qtbot.addWidget(made)
    made.resize(1300, 400)
    with qtbot.waitExposed(made):
        made.show()
    return made


def visible(panel: QWidget) -> tuple[bool, bool, bool]:
    """(controls, stage, insight), none of which lies over another."""
    zones = panel.findChild(PanelLayout)
    assert isinstance(zones, PanelLayout)
    parts = (zones._left, zones._tools.parentWidget(), zones._right)
    shown = [part for part in parts if part is not None and part.isVisible()]
    assert not any(a.geometry().intersects(b.geometry()) for a, b in zip(shown, shown[1:], strict=False))
    return tuple(part in shown for part in parts)  # type: ignore[return-value]


def test_a_small_window_shows_controls_or_insight_never_one_over_the_other(panel: QWidget) -> None:
    zones = panel.findChild(PanelLayout)
    assert isinstance(zones, PanelLayout) and visible(panel) == (True, True, True)
    assert panel.minimumSizeHint().width() <= LEAST_CONTROLS + LEAST_STAGE + 1
    for width in (ALL_THREE + 20, ALL_THREE - 20):
        panel.resize(width, 400)
        QApplication.processEvents()
        assert visible(panel) == (True, True, False)
    zones.insight_button.click()
    QApplication.processEvents()
    assert visible(panel) == (False, True, True)
    zones.insight_button.click()
    QApplication.processEvents()
    assert visible(panel) == (True, True, False)
    panel.resize(1300, 400)
    QApplication.processEvents()
    assert visible(panel) == (True, True, True)


def test_insight_that_was_asked_for_gives_way_when_the_window_shrinks(panel: QWidget) -> None:
    zones = panel.findChild(PanelLayout)
    assert isinstance(zones, PanelLayout)
    panel.resize(ALL_THREE + 20, 400)
    zones.insight_button.click()
    QApplication.processEvents()
    assert visible(panel) == (True, True, True)
    panel.resize(ALL_THREE - 20, 400)
    QApplication.processEvents()
    assert visible(panel) == (True, True, False)


@pytest.mark.parametrize("text", ["", "short", "measuring output_blocks.0.1.encoder_kv.bias of a long name"])
def test_a_label_is_cut_to_its_room_and_says_all_in_its_tooltip(qtbot: QtBot, text: str) -> None:
    label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle, most=200)
    qtbot.addWidget(label)
    label.setText(text)
    assert label.minimumSizeHint().width() <= 40 and label.sizeHint().width() <= 200
    label.resize(label.sizeHint())
    with qtbot.waitExposed(label):
        label.show()
    assert label.text() == text == label.toolTip()
    assert (label.shown_text() == text) == (label.fontMetrics().horizontalAdvance(text) <= 200)
    assert not label.grab().isNull()


def test_a_fact_of_one_long_word_is_cut_in_the_middle_and_whole_in_its_tooltip(qtbot: QtBot) -> None:
    facts = Facts()
    qtbot.addWidget(facts)
    long = "input_blocks.1.0.emb_layers.1.bias_and_something_more"
    facts.set_facts({"Name": long, "Kind": "weights"})
    facts.resize(240, 60)
    with qtbot.waitExposed(facts):
        facts.show()
    value = facts._rows["Name"][1]
    assert facts.width() == 240 and facts.minimumSizeHint().width() <= 240
    assert facts.fact("Name") == value.toolTip() == long
    cut = value.grab().toImage()
    facts.set_facts({"Name": long[:-4] + "less", "Kind": "weights"})
    assert value.grab().toImage() != cut  # the end of the name is in sight
