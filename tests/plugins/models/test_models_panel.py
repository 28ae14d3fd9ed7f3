"""The Models panel by its own buttons: cards, the import of a folder from dialog to verified marks, removal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox
from studio.engine import Engine
from studio.host.commands import Command, CommandRegistry
from studio.host.context import PanelContext
from studio.host.export import ExportService
from studio.host.paths import DataPaths
from studio.host.results import ResultsStore
from studio.host.settings import SettingsStore
from studio.models.catalog import imported_folder
from studio.ui.pump import Pump
from studio.ui.theme import theme
from studio_plugins.models.import_page import ImportPage
from studio_plugins.models.panel import ModelsPanel

from tests.ml.importing.reduced import reduce, write_files

LONG = 240_000


class FakeWindow:
    """What a panel sees of the window."""

    def __init__(self) -> None:
        self.pump = Pump()
        self.failures: list[Exception] = []
        self.pump.slot_failed.connect(lambda _receiver, error: self.failures.append(error))

    @property
    def theme(self) -> Any:
        return theme()

    def watch(self, task, receiver) -> None:
        self.pump.watch(task, receiver)

    def notify(self, text, level="info", details="") -> None:
        raise AssertionError(text)


@pytest.fixture
def panel(qtbot, tmp_path: Path) -> Iterator[ModelsPanel]:
    theme().apply("light")
    store = ResultsStore(tmp_path / "results")
    engine = Engine(device="cpu", services={"results": store, "paths": DataPaths.default()})
    engine.start()
    window, commands = FakeWindow(), CommandRegistry()
    context = PanelContext(
        "models", engine, store, SettingsStore(tmp_path / "s.toml"), commands, ExportService(), tmp_path, window
    )
    made = ModelsPanel(context)
    qtbot.addWidget(made)
    made.build()
    made.resize(1300, 760)
    made.show()
    qtbot.waitExposed(made)
    qtbot.waitUntil(lambda: bool(made.entries), timeout=LONG)
    yield made
    made.closing()
    window.pump.forget(made)
    window.pump.stop()
    assert engine.close(10)
    store.close()
    assert window.failures == []


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    known = reduce(monkeypatch)
    folder = write_files(tmp_path / "downloads", known, ["64x64_classifier.pt", "clip_image_enc.pt", "clip_text_enc.pt"])
    (folder / "damaged.pt").write_bytes((folder / "clip_text_enc.pt").read_bytes()[:5000])
    return folder


def cells(page: ImportPage, column: int) -> dict[str, str]:
    table = page.table
    return {table.item(row, 0).text(): table.item(row, column).text() for row in range(table.rowCount())}


def test_every_bundled_model_shows_its_card_and_facts(qtbot, panel):
    assert panel.list.choose("emoji-base")
    assert panel.stage.currentWidget() is panel.card
    assert "Measured quality" in panel.card.toPlainText()
    assert panel.insight.facts.fact("Parameters") == "2,968,102" and panel.insight.facts.fact("Kind") == "Text to picture"
    assert panel.insight.memory.fact("Weights, single") == "11.3 MiB"
    assert not panel._remove.isEnabled()
    theme().apply("dark")
    assert "Measured quality" in panel.card.toPlainText()
    state = json.loads(json.dumps(panel.state()))
    assert state["model"] == "emoji-base"
    table = panel.exportables()[0]
    assert "emoji-base" in table.produce().columns["model"]


def test_from_the_dialog_to_verified_models_in_every_list_and_out_again(qtbot, panel, downloads):
    told = []
    panel.context.commands.register(Command("generate.models", "Look for new models", lambda: told.append(True)))
    qtbot.mouseClick(panel.zones.primary, Qt.MouseButton.LeftButton)
    dialog = panel.findChild(QFileDialog)
    dialog.fileSelected.emit(str(downloads))
    dialog.reject()
    page = panel.page
    qtbot.waitUntil(lambda: panel.stage.currentWidget() is page, timeout=LONG)
    assert cells(page, 4) == {
        "64x64_classifier.pt": "ready", "clip_image_enc.pt": "ready", "clip_text_enc.pt": "ready", "damaged.pt": "refused",
    }  # fmt: skip
    assert [row.path.name for row in page.ticked()] == ["64x64_classifier.pt", "clip_image_enc.pt", "clip_text_enc.pt"]
    assert page.importing.text() == "Import 2 models" and page.importing.isEnabled()
    page.table.selectRow(3)
    assert "damaged" in panel.insight.state.text()
    page.table.selectRow(2)
    assert "✓ CLIP's vocabulary" in panel.insight.needs.text() and "✓ its other half" in panel.insight.needs.text()

    page.table.item(1, 0).setCheckState(Qt.CheckState.Unchecked)
    assert [row.path.name for row in page.ticked()] == ["64x64_classifier.pt"], "both halves go together"
    page.table.item(2, 0).setCheckState(Qt.CheckState.Checked)
    qtbot.mouseClick(page.importing, Qt.MouseButton.LeftButton)
    assert page.cancel.isVisible() and not page.importing.isEnabled()
    qtbot.waitUntil(lambda: panel.last_message is not None and panel.last_message.level == "success", timeout=LONG)
    assert "2 models imported and verified" in panel.last_message.text and told
    assert set(cells(page, 4).values()) == {"verified", "refused"} and not page.ticked() and not page.importing.isEnabled()
    assert "equal bit for bit; evaluated once" in panel.insight.state.text()
    assert panel.stage.currentWidget() is page, "the marks stay on show"
    assert panel.exportables()[-1].produce().columns["state"][3] == page.survey.rows[3].problem

    clip = str(imported_folder() / "glide-clip")
    qtbot.waitUntil(lambda: any(entry.info.id == clip for entry in panel.entries), timeout=LONG)
    qtbot.mouseClick(page._back, Qt.MouseButton.LeftButton)
    assert panel.list.choose(clip) and "Verified" in panel.card.toPlainText()
    qtbot.mouseClick(panel._remove, Qt.MouseButton.LeftButton)
    box = panel.findChild(QMessageBox)
    next(button for button in box.buttons() if button.text() == "Remove").click()
    qtbot.waitUntil(lambda: all(entry.info.id != clip for entry in panel.entries), timeout=LONG)
    assert not Path(clip).exists() and (downloads / "clip_text_enc.pt").is_file()


def test_too_little_room_disables_the_import_and_says_why(qtbot, panel, downloads, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    panel.restore_request("import_models", {"folder": str(downloads)})
    qtbot.waitUntil(lambda: panel.stage.currentWidget() is panel.page, timeout=LONG)
    assert "1.0 KiB are free" in panel.page._note.text() and not panel.page.importing.isEnabled()
    for row in range(3):
        panel.page.table.item(row, 0).setCheckState(Qt.CheckState.Unchecked)
    assert "Nothing is ticked" in panel.page._note.text()


def test_a_folder_that_is_gone_is_said_in_the_message_bar(qtbot, panel, tmp_path):
    panel.look_into(tmp_path / "none")
    qtbot.waitUntil(lambda: panel.last_message is not None and panel.last_message.level == "error", timeout=LONG)
    assert "is not there any more" in panel.last_message.text
    assert panel.restore_request("generate", {})


def test_the_demo_needs_no_engine(panel):
    panel.demo()
    assert panel.stage.currentWidget() is panel.card and panel.list.item_.id == "emoji-base"
