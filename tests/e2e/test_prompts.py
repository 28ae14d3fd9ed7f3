"""Prompts and seeds that nobody should type, typed into the real window."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QTextEdit
from pytestqt.qtbot import QtBot

from studio.__main__ import main
from tests.e2e.helpers import LONG, draw, generate_panel, said

TOO_LARGE = str(10**30)


def prompt_box(panel: Any) -> Any:
    box = panel.controls.form.prompt_field().focus_widget()
    assert isinstance(box, (QPlainTextEdit, QTextEdit))
    return box


def type_seed(qtbot: QtBot, panel: Any, text: str) -> None:
    line = panel.controls.seed.findChild(QLineEdit)
    line.setFocus()
    line.selectAll()
    line.insert(text)  # as pasting does; five thousand key strokes would take a while
    qtbot.keyClick(line, Qt.Key.Key_Return)


def test_the_first_start_draws_with_one_key_press(open_studio: Any, qtbot: QtBot) -> None:
    studio = open_studio()
    panel = generate_panel(studio)
    assert panel.controls.form.value().prompt
    qtbot.keyClick(prompt_box(panel), Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: panel.shown.result is not None, timeout=LONG)
    assert studio.services.results.count() == 1


def test_an_empty_prompt_draws_without_a_condition_and_says_so(open_studio: Any, qtbot: QtBot) -> None:
    studio = open_studio()
    panel = generate_panel(studio)
    box = prompt_box(panel)
    box.selectAll()
    qtbot.keyClick(box, Qt.Key.Key_Delete)
    assert "without any condition" in panel.controls.form.prompt_field().note()
    draw(qtbot, studio, steps=2)
    assert studio.services.results.records()[0].request["prompt"] == ""


def test_a_prompt_of_ten_thousand_characters_is_refused_in_words_and_kept_to_be_shortened(
    open_studio: Any, qtbot: QtBot
) -> None:
    studio = open_studio()
    panel, bar = generate_panel(studio), studio.window.panels.frame("generate").bar
    for text in ("x" * 10_000, "cat " * 2_500, "\U0001f34e\n\t\u202e\u0000 " * 2_000):
        bar.clear()
        prompt_box(panel).setPlainText(text)
        panel.generate()
        assert "Prompt" in said(qtbot, bar, "cannot be drawn") and bar.level() == "error"
        assert studio.services.engine.tasks() == [] and len(panel.controls.prompt()) > 4_000
    draw(qtbot, studio, prompt="a cat", steps=2)


def test_unknown_words_are_named_and_the_picture_is_drawn_all_the_same(open_studio: Any, qtbot: QtBot) -> None:
    studio = open_studio()
    panel = draw(qtbot, studio, prompt="a cat and a dragon", steps=2)
    assert "dragon" in panel.controls.form.prompt_field().note()


def test_a_seed_out_of_range_typed_into_the_form_is_refused_in_words(open_studio: Any, qtbot: QtBot) -> None:
    studio = open_studio()
    panel, bar = generate_panel(studio), studio.window.panels.frame("generate").bar
    panel.controls.form.set_fields({"steps": 1})
    panel.controls.seed.set_fixed(True)
    for typed in ("-1", str(2**53), TOO_LARGE, "0x10", "1e400", "seven", "٣", "--5", "", "9" * 5000):
        bar.clear()
        type_seed(qtbot, panel, typed)
        panel.generate()
        assert "Seed" in said(qtbot, bar, "cannot be drawn") and panel.controls.seed.error(), typed
        assert studio.services.engine.tasks() == []
    type_seed(qtbot, panel, "7")
    draw(qtbot, studio)
    assert studio.services.results.records()[0].request["seed"] == 7


@pytest.mark.parametrize(
    ("field", "value"),
    [*(("Seed", seed) for seed in (-1, 2**53, 10**30, 1.5, "many", None, [1])), ("Prompt", "cat " * 2_500)],
)
def test_on_the_command_line_they_are_one_line_and_exit_code_1(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str, value: object
) -> None:
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"kind": "generate", "steps": 1, field.lower(): value}), encoding="utf-8")
    assert main(["run", str(request), "--data-dir", str(tmp_path / "data"), "--device", "cpu"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("glassbox: ") and field in told and "Traceback" not in told
