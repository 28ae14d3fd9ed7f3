"""A table of pictures: cells side by side, one zoom for all, columns moved by the mouse."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt

from studio.ui.picture_table import PictureTable
from studio.ui.table_cells import ColumnHeading, RowHeading
from studio.ui.theme import theme


@pytest.fixture
def table(qtbot):
    theme().apply("light")
    made = PictureTable()
    qtbot.addWidget(made)
    made.resize(640, 420)
    made.set_columns([ColumnHeading(f"column {i}", ("one line", "verdict"), f"series.{i}") for i in range(3)])
    ramp = np.stack([np.arange(256, dtype=np.uint8)] * 3, axis=1)
    made.set_rows([RowHeading("xₜ"), RowHeading("heat", "what", ramp, 0.0, 2.5)])
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[2, 5] = (255, 10, 20)
    for column in range(3):
        made.set_cell(0, column, picture, note="shared" if column == 2 else "", faded=column == 2)
        made.set_cell(1, column, picture, values=np.arange(64, dtype=np.float32).reshape(8, 8))
    made.show()
    qtbot.waitExposed(made)
    return made


def pixel_point(table, row, column, x, y):
    rect = table.cell_rect(row, column)
    return QPoint(rect.x() + round((x + 0.5) * rect.width() / 8), rect.y() + round((y + 0.5) * rect.height() / 8))


def test_the_pointer_reads_out_colours_and_numbers(qtbot, table):
    said = []
    table.hovered.connect(said.append)
    qtbot.mouseMove(table.viewport(), pixel_point(table, 0, 1, 5, 2))
    assert said[-1] == "column 1 · xₜ · x 5  y 2   R 255  G 10  B 20"
    qtbot.mouseMove(table.viewport(), pixel_point(table, 1, 2, 5, 2))
    assert said[-1].endswith("x 5  y 2   21")
    qtbot.mouseMove(table.viewport(), QPoint(2, table.viewport().height() - 2))
    assert said[-1] == ""


def test_all_cells_zoom_around_the_same_point_and_fit_again(qtbot, table):
    before = pixel_point(table, 0, 1, 5, 2)
    said = []
    table.hovered.connect(said.append)
    share = QPointF(5.5 / 8, 2.5 / 8)
    table.zoom_by(4.0, share)
    assert table.zoom == 4.0
    qtbot.mouseMove(table.viewport(), before)
    assert "x 5  y 2" in said[-1], "the point under the pointer stays"
    other = table.cell_rect(0, 2).topLeft() + (before - table.cell_rect(0, 1).topLeft())
    qtbot.mouseMove(table.viewport(), other)
    assert "column 2" in said[-1] and "x 5  y 2" in said[-1]
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=before)
    assert table.zoom == 1.0


def test_a_click_chooses_and_a_dragged_heading_moves_its_column(qtbot, table):
    chosen, moved, asked = [], [], []
    table.chosen.connect(chosen.append)
    table.moved.connect(lambda *places: moved.append(places))
    table.menu_asked.connect(lambda column, _place: asked.append(column))
    view = table.viewport()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=table.cell_rect(1, 1).center())
    assert chosen == [1] and table.current == 1
    start, end = table.heading_rect(0).center(), table.heading_rect(2).center() + QPoint(30, 0)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(view, (start + end) / 2)
    qtbot.mouseMove(view, end)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
    assert moved == [(0, 2)]
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=table.menu_rect(2).center())
    assert asked == [2] and table.current == 2


def test_the_contents_stay_while_the_shape_does(table):
    table.set_columns([ColumnHeading(f"other {i}") for i in range(3)])
    assert table.image(0, 0) is not None and table.note(0, 2) == "shared"
    table.set_columns([ColumnHeading("alone")])
    assert table.image(0, 0) is None


def test_narrow_and_low_tables_scroll_instead_of_shrinking_to_nothing(table):
    table.resize(560, 170)
    assert table.verticalScrollBar().maximum() > 0
    assert table.cell_rect(0, 0).width() >= 16
