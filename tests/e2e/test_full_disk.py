"""A data folder that is full or read-only: the picture is on show all the same, and there is something to press."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from studio.__main__ import main
from tests.e2e.helpers import LONG, close, draw, generate_panel, quiet, refusing, said


def press(qtbot: QtBot, bar: Any, label: str) -> None:
    def offered() -> list[QPushButton]:
        return [button for button in bar.findChildren(QPushButton) if button.text() == label and button.isVisible()]

    qtbot.waitUntil(lambda: bool(offered()), timeout=LONG)
    offered()[0].click()


def test_a_disk_that_fills_up_while_it_draws(open_studio: Any, qtbot: QtBot, data_dir: Path) -> None:
    studio = open_studio()
    bar = studio.window.panels.frame("generate").bar
    with refusing(data_dir) as refused:
        panel = draw(qtbot, studio, steps=2)
        said(qtbot, bar, "disk is full", "still here")
        assert refused and panel.stage.count == 1 and panel.shown.result.record_id is None
        press(qtbot, bar, "Try again")  # still full: said again
        quiet(qtbot, studio)
        said(qtbot, bar, "disk is full", "still here")
    assert studio.services.results.count() == 0 and list((data_dir / "results" / "records").iterdir()) == []
    shown = panel.stage.pictures()[0]
    press(qtbot, bar, "Try again")
    quiet(qtbot, studio)
    (record,) = studio.services.results.records()
    assert (np.asarray(Image.open(record.files["picture.png"]).convert("RGB")) == shown).all()


def test_a_disk_that_is_full_for_the_session_too(open_studio: Any, qtbot: QtBot, data_dir: Path) -> None:
    """Autosave says so, and closing is clean; what was saved before stays."""
    studio = open_studio()
    generate_panel(studio).controls.form.set_fields({"seed": 41})
    close(studio)
    studio = open_studio()
    assert generate_panel(studio).controls.form.value().seed == 41
    with refusing(data_dir):
        generate_panel(studio).controls.form.set_fields({"seed": 42})
        said(qtbot, studio.window.bar, "session could not be saved", "disk is full")
        close(studio)
    assert generate_panel(open_studio()).controls.form.value().seed == 41


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_data_folder_that_never_took_anything(
    open_studio: Any, qtbot: QtBot, data_dir: Path, tmp_path: Path, number: int
) -> None:
    data_dir.mkdir()
    with refusing(data_dir, number):
        studio = open_studio()
        assert studio.window.bar.level() == "warning" and "could not be" in said(qtbot, studio.window.bar)
        panel = draw(qtbot, studio, steps=2)
        said(qtbot, studio.window.panels.frame("generate").bar, "still here")
        assert panel.stage.count == 1
        image = next(item for item in panel.exportables() if item.kind == "image")
        panel.desk.export(image, tmp_path / "elsewhere.png")
        qtbot.waitUntil(lambda: (tmp_path / "elsewhere.png").exists(), timeout=LONG)
        quiet(qtbot, studio)
        close(studio)
    assert list(data_dir.iterdir()) == []


def test_on_the_command_line_a_full_disk_is_one_line_and_exit_code_1(
    models: Path, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.json").write_text('{"kind": "generate", "prompt": "a cat", "steps": 1}', encoding="utf-8")
    data_dir.mkdir()
    with refusing(data_dir):
        assert main(["run", str(tmp_path / "r.json"), "--data-dir", str(data_dir), "--device", "cpu", "--quiet"]) == 1
    told = capsys.readouterr().err
    assert "disk is full" in told and "Traceback" not in told
