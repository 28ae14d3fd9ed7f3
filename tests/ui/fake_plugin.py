"""A tiny plugin written into a data folder, so that the window is tested through the same door as any other plugin."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "plugin.toml": """
id = "fake"
title = "Fake panel"
description = "For tests."
entry = "panel:FakePanel"
icon = "curve"
order = -5
[jobs]
fake = "jobs:fake"
[requests]
fake = "request:FakeRequest"
""",
    "help.md": "# Fake help\n\nNothing to see.\n",
    "request.py": """
from typing import ClassVar
from studio.host.request import Request, ui

class FakeRequest(Request):
    kind: ClassVar[str] = "fake"
    steps: int = ui(3, title="Steps", help="How many.", unit="steps", ge=1, le=100000)
    shade: int = ui(7, title="Shade", ge=0, le=255)
    fault: str = ui("", title="Fault")
""",
    "jobs.py": """
import io
from dataclasses import dataclass
import numpy as np
from PIL import Image
from studio.engine import Metric, Progress

@dataclass(frozen=True)
class FakeResult:
    record_id: str

def fake(request, ctx):
    for i in range(request.steps):
        yield Progress(i + 1, request.steps, "counting")
        yield Metric("loss", i, 1.0 / (i + 1))
    if request.fault == "job":
        raise RuntimeError("a fault in the job")
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), request.shade, np.uint8)).save(file, "PNG")
    record = ctx.services["results"].add("fake", request, {"image.png": file.getvalue()}, title=f"shade {request.shade}")
    return FakeResult(record.id)
""",
    "panel.py": """
from studio.engine import Done, Failed
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from .jobs import fake
from .request import FakeRequest

class FakePanel(Panel):
    def build(self):
        self.zones = PanelLayout(self)
        self.form = RequestForm(FakeRequest)
        self.zones.add_control(self.form)
        self.zones.set_primary("Run", self.run, shortcut="Ctrl+Return")
        self.events = []
        self.closed = False

    def run(self):
        return self.context.submit(fake, self.form.value(), title="Fake run")

    def on_event(self, task, event):
        self.events.append(event)
        if task.request.fault == "slot":
            raise ValueError("a fault in the slot")
        if isinstance(event, Failed):
            self.message(event.error.message, "error", event.error.details)

    def state(self):
        return {"request": self.form.value().to_dict()}

    def restore(self, state):
        self.form.set_fields(state["request"])

    def restore_request(self, kind, request):
        return self.form.set_fields(request)

    def exportables(self):
        return [Exportable("numbers", "table", lambda: {"x": [1, 2]})]

    def closing(self):
        self.closed = True
""",
}


def write_plugins(data_dir: Path) -> None:
    """The fake plugin, one that fails at import, one that fails in its constructor, one whose manifest is bad."""
    plugins = data_dir / "plugins"
    _write(plugins / "fake", FILES)
    for name, body in (
        ("importing", "raise RuntimeError('a fault at import')\nclass P: pass\n"),
        ("building", "from studio.host.panel import Panel\nclass P(Panel):\n    def build(self):\n        raise RuntimeError('a fault in build')\n"),
    ):
        _write(plugins / name, {"plugin.toml": f'id = "{name}"\ntitle = "{name}"\nentry = "panel:P"\n', "panel.py": body})
    _write(plugins / "manifest", {"plugin.toml": "id = 3"})
    (data_dir / "settings.toml").write_text("[panels]\nuser_plugins_enabled = true\n", encoding="utf-8")


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
