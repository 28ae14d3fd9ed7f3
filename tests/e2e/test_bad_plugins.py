"""Plugins that fail in every hook they have, in one window with the panels that ship."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QPlainTextEdit, QPushButton
from pytestqt.qtbot import QtBot

from tests.e2e.helpers import LONG, close, draw, generate_panel, quiet, said, write_plugin

START = """
import sys
from typing import ClassVar
from PySide6.QtWidgets import QPushButton
from studio.engine import Progress
from studio.host.panel import Panel
from studio.host.request import Request

class R(Request):
    kind: ClassVar[str] = "{name}"

def job(request, ctx):
    yield Progress(0, 1)
    return 1

class P(Panel):
    def build(self):
        self.button = QPushButton("Press", self)
"""

CANNOT_OPEN = {
    "at_import": "raise RuntimeError('broken at_import')",
    "exits_at_import": "raise SystemExit('broken exits_at_import')",
    "syntax": "def (",
    "no_class": "P = 3",
    "no_panel": "class P: pass",
    "in_init": "class P(Panel):\n    def __init__(self, context, parent=None):\n        raise RuntimeError('broken in_init')",
    "no_super": "class P(Panel):\n    def __init__(self, context, parent=None):\n        pass",
    "in_build": "class P(Panel):\n    def build(self):\n        raise RuntimeError('broken in_build')",
    "exits_in_build": "class P(Panel):\n    def build(self):\n        sys.exit('broken exits_in_build')",
}

FAILS_LATER = {
    "in_state": "    def state(self):\n        raise RuntimeError('broken in_state')",
    "bad_state": "    def state(self):\n        return {'x': object()}",
    "in_restore": "    def state(self):\n        return {'a': 1}\n    def restore(self, state):\n        raise RuntimeError('broken in_restore')",
    "in_closing": "    def closing(self):\n        raise RuntimeError('broken in_closing')",
    "exits_in_closing": "    def closing(self):\n        sys.exit('broken exits_in_closing')",
    "in_exportables": "    def exportables(self):\n        raise RuntimeError('broken in_exportables')",
    "in_help": "    def help_text(self):\n        raise RuntimeError('broken in_help')",
    "in_request": "    def restore_request(self, kind, request):\n        raise RuntimeError('broken in_request')",
    "odd_request": "    def restore_request(self, kind, request):\n        return 5",
}


def test_plugins_that_cannot_open_stay_listed_greyed_with_their_tracebacks(
    open_studio: Any, qtbot: QtBot, data_dir: Path
) -> None:
    folders = {name: write_plugin(data_dir, name, START.format(name=name) + text + "\n") for name, text in CANNOT_OPEN.items()}
    studio = open_studio()
    panels, activity = studio.window.panels, studio.window.activity
    for name, folder in folders.items():
        button = activity.panel_button(name)
        button.click()
        qtbot.waitUntil(lambda name=name: panels.frame(name).settled, timeout=LONG)
        assert panels.panel(name) is None, name
        assert button.property("broken") is True and button.isEnabled(), name
        shows = {b.text(): b for b in panels.frame(name).findChildren(QPushButton)}
        page = next(text for text in panels.frame(name).findChildren(QPlainTextEdit) if text.accessibleName() == "Traceback")
        assert page.isHidden()
        shows["Show details"].click()
        assert page.isVisible() and ("Traceback" in page.toPlainText() or "Error" in page.toPlainText()), name
        if "import" in name or name == "syntax":
            # Repaired, it opens without a new start of the studio.
            (folder / "panel.py").write_text(START.format(name=name), encoding="utf-8")
            shows["Try again"].click()
            qtbot.waitUntil(lambda name=name: panels.panel(name) is not None, timeout=LONG)
            assert button.property("broken") is False
    panels.open("generate")
    draw(qtbot, studio, steps=1)


def test_plugins_that_fail_in_a_hook_are_told_and_nothing_else_is_touched(
    open_studio: Any, qtbot: QtBot, data_dir: Path
) -> None:
    for name, text in FAILS_LATER.items():
        write_plugin(data_dir, name, START.format(name=name) + text + "\n")
    studio = open_studio()
    window, panels = studio.window, studio.window.panels

    def open_all() -> None:
        for name in FAILS_LATER:
            panels.open(name)
            qtbot.waitUntil(lambda name=name: panels.panel(name) is not None, timeout=LONG)

    open_all()
    for name in FAILS_LATER:
        panels.open(name)
        window.show_help("panel")
        window.run_command("file.export")
        window.open_request(name, {})
    told = {name: panels.frame(name).bar.text() for name in FAILS_LATER}
    assert "broken in_request" in told["in_request"] and "fault" in told["odd_request"]
    assert {panel.panel for panel in window.layout_.session().panels} == {"generate", *FAILS_LATER}
    assert "broken in_state" in panels.frame("in_state").bar.text()
    for name in FAILS_LATER:
        panels.close(name)
    assert panels.open_ids() == ["generate"]
    open_all()
    panels.open("in_restore")
    said(qtbot, panels.frame("in_restore").bar, "broken in_restore")
    panels.open("in_help")
    said(qtbot, panels.frame("in_help").bar, "broken in_help")
    panels.open("generate")
    draw(qtbot, studio, steps=1)
    close(studio)
    again = open_studio()
    assert again.window.panels.open_ids() == ["generate", *FAILS_LATER]


JOBS = {
    "raises": ("    raise ValueError('broken raises')", "broken raises"),
    "exits": ("    sys.exit('broken exits')", "broken exits"),
    "interrupts": ("    raise KeyboardInterrupt('broken interrupts')", "broken interrupts"),
    "recursion": ("    yield from job(request, ctx)", "RecursionError"),
    "no_event": ("    yield 5", "JobContractError"),
    "live_tensor": ("    import torch\n    return torch.zeros(3)", "ensor"),
}

LISTENER = """
    def on_event(self, task, event):
        if hasattr(event, "error"):
            self.message(event.error.message, "error", event.error.details)
"""


def test_jobs_that_fail_in_every_way_leave_the_engine_to_the_others(open_studio: Any, qtbot: QtBot, data_dir: Path) -> None:
    for name, (body, _words) in JOBS.items():
        text = START.format(name=name) + LISTENER
        write_plugin(data_dir, name, text.replace("    return 1\n", f"{body}\n"))
    studio = open_studio()
    panels = studio.window.panels
    for name, (_body, words) in JOBS.items():
        panels.open(name)
        qtbot.waitUntil(lambda name=name: panels.panel(name) is not None, timeout=LONG)
        panel, bar = panels.panel(name), panels.frame(name).bar
        module = sys.modules[type(panel).__module__]
        panel.context.submit(module.job, module.R())
        said(qtbot, bar)
        assert bar.level() == "error" and words in panel.last_message.details, name
    panels.open("generate")
    draw(qtbot, studio, steps=1)


@pytest.mark.qt_no_exception_capture
def test_a_slot_that_raises_becomes_a_notification_with_its_traceback(open_studio: Any, qtbot: QtBot, data_dir: Path, capfd: Any) -> None:
    body = "        self.button.clicked.connect(lambda: 1 / 0)\n"
    write_plugin(data_dir, "slot", START.format(name="slot") + body)
    studio = open_studio()
    panels = studio.window.panels
    panels.open("slot")
    qtbot.waitUntil(lambda: panels.panel("slot") is not None)
    panels.panel("slot").button.click()
    said(qtbot, studio.window.bar, "division by zero")
    assert any("ZeroDivisionError" in note.details for note in studio.notifications.items())
    panels.open("generate")
    draw(qtbot, studio, steps=1)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_safe_mode_starts_without_any_of_them(open_studio: Any, qtbot: QtBot, data_dir: Path) -> None:
    write_plugin(data_dir, "at_import", CANNOT_OPEN["at_import"])
    write_plugin(data_dir, "in_build", START.format(name="in_build") + CANNOT_OPEN["in_build"])
    studio = open_studio(safe=True)
    assert {found.name for found in studio.window.panels.plugins if found.source == "user"} == set()
    assert generate_panel(studio) is not None
    draw(qtbot, studio, steps=1)
    quiet(qtbot, studio)
