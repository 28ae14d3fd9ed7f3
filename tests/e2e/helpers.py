"""What the end-to-end tests share: a tiny model in the place of the bundled one, hands on the window, bad disks."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from studio.app import Studio
from studio.engine import Progress

LONG = 300_000
"""Milliseconds to wait for what takes a moment on a quiet machine."""

PLUGIN = """
id = "{name}"
title = "{name}"
entry = "panel:P"
order = 50
[jobs]
{name} = "panel:job"
[requests]
{name} = "panel:R"
"""


def write_plugin(data_dir: Path, name: str, panel: str) -> Path:
    """A plugin of the person's own, switched on; `panel` is the text of its panel.py."""
    folder = data_dir / "plugins" / name
    folder.mkdir(parents=True)
    (folder / "plugin.toml").write_text(PLUGIN.format(name=name), encoding="utf-8")
    (folder / "panel.py").write_text(panel, encoding="utf-8")
    (data_dir / "settings.toml").write_text("[panels]\nuser_plugins_enabled = true\n", encoding="utf-8")
    return folder


def generate_panel(studio: Studio) -> Any:
    """The Generate panel of a window."""
    panel = studio.window.panels.panel("generate")
    assert panel is not None
    return panel


def draw(qtbot: QtBot, studio: Studio, **fields: object) -> Any:
    """Fill in the form, press Generate, wait until the picture is finished and nothing runs; gives the panel."""
    panel = generate_panel(studio)
    panel.controls.form.set_fields(fields)
    before = panel.shown.result
    panel.generate()
    qtbot.waitUntil(lambda: panel.shown.result is not None and panel.shown.result is not before, timeout=LONG)
    quiet(qtbot, studio)
    return panel


def quiet(qtbot: QtBot, studio: Studio) -> None:
    """Wait until nothing runs and every event has arrived."""
    engine, pump = studio.services.engine, studio.window.pump
    assert engine is not None
    qtbot.waitUntil(lambda: engine.wait_idle(0) and pump.watching() == 0, timeout=LONG)


def said(qtbot: QtBot, bar: Any, *words: str) -> str:
    """Wait until a message bar is on show and holds all these words; gives its text."""
    qtbot.waitUntil(lambda: bar.isVisible() and all(word in bar.text() for word in words), timeout=LONG)
    return str(bar.text())


def drop(target: QWidget, path: Path) -> None:
    """Let go of a file over a widget, as the desktop would."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    target.dropEvent(QDropEvent(QPointF(10, 10), copy, data, left, Qt.KeyboardModifier.NoModifier))


def close(studio: Studio) -> None:
    """Close a window as a person would, with everything behind it."""
    studio.window.close()
    assert studio.close(60)
    delete(studio.window)
    delete(studio)


def endless(_request: object, _ctx: object) -> Iterator[Progress]:
    """A job that never ends by itself."""
    while True:
        yield Progress(0, 0, "counting")


@contextmanager
def refusing(root: Path, number: int = errno.ENOSPC) -> Iterator[list[str]]:
    """A disk that takes nothing more below `root`; gives the names of what was refused."""
    refused: list[str] = []
    real = {name: getattr(os, name) for name in ("open", "mkdir", "rename", "replace")}
    real_open = io.open

    def inside(path: object) -> bool:
        return isinstance(path, (str, os.PathLike)) and Path(path).is_relative_to(root)

    def refuse(path: Any) -> None:
        refused.append(Path(path).name)
        raise OSError(number, os.strerror(number), str(path))

    def guard(name: str, writes: Callable[..., bool]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            if inside(path) and writes(path, *arguments):
                refuse(path)
            return real[name](path, *arguments, **options)

        return call

    def guarded_open(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if inside(file) and set(mode) & set("wax+"):
            refuse(file)
        return real_open(file, mode, *arguments, **options)

    try:
        os.open = guard("open", lambda _path, flags, *_: bool(flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR)))
        os.mkdir = guard("mkdir", lambda path, *_: not os.path.isdir(path))
        os.rename, os.replace = guard("rename", lambda *_: True), guard("replace", lambda *_: True)
        io.open = guarded_open
        yield refused
    finally:
        for name, function in real.items():
            setattr(os, name, function)
        io.open = real_open
