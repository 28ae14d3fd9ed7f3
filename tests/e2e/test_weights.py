"""Weights that are corrupt, of another network, or would run code: said in the panel, and over once they are replaced."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from studio.__main__ import main
from tests.e2e.helpers import draw, generate_panel, quiet, said


def truncated(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def foreign(file: Path) -> None:
    file.write_bytes(b"<!doctype html>" * 1000)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def huge_header(file: Path) -> None:
    file.write_bytes((2**62).to_bytes(8, "little") + b"{}")


def wrong_shape(file: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(file)
    name = next(name for name in state if state[name].dim() == 4)
    save_file({**state, name: state[name][:1].contiguous()}, file)


def another_network(file: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(3, 3)}, file)


class Bomb:
    """Unpickled, it makes a folder: any reader that obeys leaves it behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


def pickle_bearing(file: Path) -> None:
    import torch

    torch.save({"weight": torch.zeros(3), "z": Bomb(file.parents[2] / "trap")}, file)


DAMAGES: tuple[Callable[[Path], None], ...] = (
    truncated, foreign, empty, huge_header, wrong_shape, another_network, pickle_bearing,
)  # fmt: skip


def test_bad_weights_are_said_in_the_panel_and_good_ones_draw_afterwards(
    open_studio: Any, qtbot: QtBot, models: Path
) -> None:
    file = models / "emoji-base" / "model.safetensors"
    good = shutil.copyfile(file, models / "good")
    studio = open_studio()
    panel, bar = generate_panel(studio), studio.window.panels.frame("generate").bar
    panel.controls.form.set_fields({"steps": 1})
    for made, damage in enumerate(DAMAGES):
        damage(file)
        panel.generate()
        text = said(qtbot, bar, "model.safetensors")
        assert bar.level() == "error" and panel.last_message.details and "Traceback" not in text, (damage, text)
        assert not (models.parent / "trap").exists()
        quiet(qtbot, studio)
        assert studio.services.results.count() == made
        shutil.copyfile(good, file)
        draw(qtbot, studio)
        assert panel.last_message is None and not bar.isVisible()


def test_a_damaged_config_is_said_at_the_start_and_looking_again_finds_the_good_one(
    open_studio: Any, qtbot: QtBot, models: Path
) -> None:
    file = models / "emoji-base" / "config.json"
    good = file.read_bytes()
    file.write_bytes(good[:40])
    studio = open_studio()
    panel, bar = generate_panel(studio), studio.window.panels.frame("generate").bar
    said(qtbot, bar, "no model to draw with")
    file.write_bytes(good)
    dict(panel.last_message.actions)["Look again"]()
    draw(qtbot, studio, steps=1)


def test_on_the_command_line_bad_weights_are_one_line_and_exit_code_1(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truncated(models / "emoji-base" / "model.safetensors")
    (tmp_path / "r.json").write_text('{"kind": "generate", "prompt": "a cat", "steps": 1}', encoding="utf-8")
    assert main(["run", str(tmp_path / "r.json"), "--data-dir", str(tmp_path / "data"), "--device", "cpu", "--quiet"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("glassbox: ") and "model.safetensors" in told and "Traceback" not in told
