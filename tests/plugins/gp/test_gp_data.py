"""Points from elsewhere: pasted cells, files, sets that ship with the libraries, and what is wrong with them."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication

from tests.plugins.gp.conftest import LONG, quiet


def paste(qtbot, panel, text):
    """Paste text and wait for what comes of it."""
    QGuiApplication.clipboard().setText(text)
    panel.message("")
    panel.paste_table()
    qtbot.waitUntil(lambda: not panel.desk.pending(), timeout=LONG)
    quiet(qtbot, panel)


def test_pasted_cells_become_points_and_other_columns_can_be_chosen(qtbot, gp_room):
    panel = gp_room()
    paste(qtbot, panel, "t\tu\tv\n0\t1\t10\n1\t2\t20\n2\t\t40\n3\t5\t\n")
    points = panel.document.scene.points
    assert points.x[:, 0].tolist() == [0, 1, 3] and points.y.tolist() == [1, 2, 5]
    assert panel.document.scene.axes == ("t", "u") and "1 of 4 rows" in panel.last_message.text
    bar = panel.controls.data
    bar.y.setCurrentText("v")
    bar.y.activated.emit(2)
    assert panel.document.scene.points.y.tolist() == [10, 20, 40]
    bar.x.setCurrentText("v")
    bar.x.activated.emit(2)
    assert "another one for y" in panel.last_message.text and panel.document.scene.axes == ("t", "v")
    panel.show_example("noise")
    assert bar.chooser.isHidden()
    for _ in range(3):
        panel.document.undo.undo()
    assert not len(panel.document.scene.points)
    quiet(qtbot, panel)


@pytest.mark.parametrize(
    ("text", "problem"), [("", "no text to paste"), ("a,b\nx,y\nz,w\n", "two columns of numbers"), ("1\n2\n", "two columns")]
)
def test_what_is_no_table_of_numbers_is_said_and_nothing_is_lost(qtbot, gp_room, text, problem):
    panel = gp_room()
    panel.hand.click(0.0, 1.0)
    before = panel.document.scene
    paste(qtbot, panel, text)
    assert problem in panel.last_message.text and panel.document.scene == before


def test_a_file_is_opened_and_a_missing_one_is_said(qtbot, gp_room, tmp_path):
    panel, path = gp_room(), tmp_path / "two.csv"
    path.write_text("year;flow\n1990;1,5\n1991;2,5\n")
    panel.desk.open_table(path)
    qtbot.waitUntil(lambda: len(panel.document.scene.points) == 2, timeout=LONG)
    assert panel.document.scene.points.y.tolist() == [1.5, 2.5] and panel.document.scene.source == "two.csv"
    path.unlink()
    panel.desk.open_table(path)
    qtbot.waitUntil(lambda: "two.csv" in (panel.last_message.text if panel.last_message else ""), timeout=LONG)
    assert len(panel.document.scene.points) == 2
    quiet(qtbot, panel)


def test_a_bundled_set_comes_with_its_model(qtbot, gp_room):
    panel = gp_room()
    panel.controls.data.bundled.emit("Nile")
    qtbot.waitUntil(lambda: len(panel.document.scene.points) == 100, timeout=LONG)
    quiet(qtbot, panel)
    scene = panel.document.scene
    assert scene.points.x[0, 0] == 1871 and scene.noise**2 == pytest.approx(15000) and scene.axes[0] == "year"
    assert np.isfinite(panel.stage.function._shown[1].mean).all()
