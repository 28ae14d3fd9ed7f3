"""No type of Qt is made on another thread than the GUI's: painting reads PySide's table of types without Python's lock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys, threading
from importlib.machinery import ExtensionFileLoader, SourceFileLoader
from pathlib import Path

elsewhere = []

def recording(loader):
    real = loader.exec_module

    def exec_module(self, module):
        if threading.current_thread() is not threading.main_thread():
            elsewhere.append(module.__name__)
        real(self, module)

    loader.exec_module = exec_module

recording(SourceFileLoader)
recording(ExtensionFileLoader)

from PySide6.QtCore import QTimer
from studio import app

plugin = Path(sys.argv[1]) / "plugins" / "own"
plugin.mkdir(parents=True)
(plugin / "plugin.toml").write_text('id = "own"\\ntitle = "Own"\\nentry = "panel:Own"\\n')
(plugin / "shapes.py").write_text("from PySide6.QtWidgets import QWidget\\nclass Shape(QWidget): pass\\n")
(plugin / "panel.py").write_text("import wave\\nfrom studio.host.panel import Panel\\nfrom .shapes import Shape\\nclass Own(Panel):\\n    def build(self): self.shape = Shape(self)\\n")
(Path(sys.argv[1]) / "settings.toml").write_text("[panels]\\nuser_plugins_enabled = true\\n")

program = app.make_application()
studio = app.Studio(Path(sys.argv[1]))

def open_all():
    if "ready" not in studio.marks:
        return
    panels = studio.window.panels
    names = [found.manifest.id for found in panels.plugins]
    for name in names:
        panels.open(name)
    if all(panels.panel(name) is not None for name in names):
        print(*names)
        studio.window.close()
        timer.stop()

timer = QTimer()
timer.timeout.connect(open_all)
timer.start(50)
studio.show()
program.exec()
assert studio.close()

from shiboken6 import Object

def makes_types(name):
    made = vars(sys.modules[name]).values() if name in sys.modules else ()
    return name.startswith("PySide6") or any(isinstance(one, type) and issubclass(one, Object) and one.__module__ == name for one in made)

print(len(elsewhere))
print(*filter(makes_types, elsewhere))
"""


def test_every_panel_is_loaded_without_making_a_type_elsewhere(data_dir: Path) -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM, str(data_dir)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    names, count, makers = (line.split() for line in run.stdout.split("\n")[:3])
    assert len(names) >= 14 and "own" in names
    assert int(count[0]) > 100  # the thread has taken most of the work
    assert makers == []
