"""The library in the Models panel: folders by button and by drop, cards, states, digests, the download, all by its own widgets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.utils import close_session
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog
from studio.engine import Engine
from studio.host.commands import Command, CommandRegistry
from studio.host.context import PanelContext
from studio.host.export import ExportService
from studio.host.paths import DataPaths
from studio.host.results import ResultsStore
from studio.host.settings import SettingsStore
from studio.models.hub import Hub
from studio.models.library.holding import Holding
from studio.models.library.places import places
from studio_plugins.models.panel import ModelsPanel

from tests.ml.importing.reduced import Bomb
from tests.models.fake_hub import REVISION, FakeHub, serving
from tests.models.library.disk import linked, pipeline, snapshot, transformer, weights
from tests.plugins.models.test_models_panel import FakeWindow

LONG = 240_000
CARD = "---\nlicense: openrail++\n---\n# The makers' card\n\n![row](01.png) <img src=\"x.png\">\n\nDrawn by nobody."
CONTENT = bytes(range(256)) * 20_000


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    files = {"config.json": b'{"model_type": "bert"}', "model.safetensors": CONTENT, "pytorch_model.bin": b"x" * 2000}
    with serving("someone/bert", files) as made:
        yield made
    close_session()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    xl = pipeline(snapshot(tmp_path / "hub", "maker/xl"), "StableDiffusionXLPipeline")
    (xl / "README.md").write_text(CARD)
    linked(xl)
    return tmp_path / "hub"


@pytest.fixture
def panel(qtbot: Any, tmp_path: Path, cache: Path, hub: FakeHub) -> Iterator[ModelsPanel]:
    store = ResultsStore(tmp_path / "results")
    services = {"results": store, "paths": DataPaths.default(), "hub": Hub(cache, hub.endpoint)}
    engine = Engine(device="cpu", services=services)
    engine.start()
    window, commands = FakeWindow(), CommandRegistry()
    for name in ("generate", "inpaint"):
        commands.register(Command(f"panels.{name}", f"Open {name.capitalize()}", lambda: None))
    context = PanelContext("models", engine, store, SettingsStore(tmp_path / "s.toml"), commands, ExportService(), tmp_path, window)
    made = ModelsPanel(context)
    qtbot.addWidget(made)
    made.build()
    made.resize(1300, 760)
    made.show()
    qtbot.waitExposed(made)
    qtbot.waitUntil(lambda: bool(made.holdings), timeout=LONG)
    yield made
    made.closing()
    window.pump.forget(made)
    window.pump.stop()
    assert engine.close(10)
    store.close()
    assert window.failures == []


def listed(panel: ModelsPanel) -> set[str]:
    return {holding.title for holding in panel.holdings}


def choose(panel: ModelsPanel, title: str) -> Holding:
    holding = next(holding for holding in panel.holdings if holding.title == title)
    assert panel.list.choose(str(holding.place))
    return holding


def fact(panel: ModelsPanel, name: str) -> str:
    return panel.insight.facts.fact(name)


def test_a_model_of_the_cache_shows_what_it_is_and_its_makers_card(qtbot: Any, panel: ModelsPanel) -> None:
    choose(panel, "maker/xl")
    assert panel.stage.currentWidget() is panel.card
    assert fact(panel, "Family") == "Stable Diffusion XL" and fact(panel, "Can do") == "text to picture, picture to picture, inpainting"
    assert fact(panel, "Opens in") == "Generate, Inpaint" and fact(panel, "Licence") == "openrail++" and fact(panel, "Stored as") == "float16"
    assert panel.insight.memory.fact("To run, half") == "about 384.0 MiB"
    assert "✓ Complete" in panel.insight.state.text()
    qtbot.waitUntil(lambda: "Drawn by nobody" in panel.card.toPlainText(), timeout=LONG)
    assert "openrail" not in panel.card.toPlainText(), "the front matter is no text to read"
    assert "\ufffc" not in panel.card.toPlainText(), "no place for a picture that is not here"
    assert panel.list.choose("emoji-base") and fact(panel, "Opens in") == "Generate, Inpaint"
    assert "Drawn by nobody" not in panel.card.toPlainText()


def test_a_folder_is_added_by_the_button_and_taken_off_again(qtbot: Any, panel: ModelsPanel, tmp_path: Path) -> None:
    file = weights(tmp_path / "mine" / "x.safetensors", {"a.lora_down.weight": (4, 768)})
    panel.ask_folder()
    dialog = panel.findChild(QFileDialog)
    dialog.fileSelected.emit(str(file.parent))
    dialog.reject()
    qtbot.waitUntil(lambda: "x.safetensors" in listed(panel), timeout=LONG)
    assert panel.list.item_.id == f"folder:{file.parent}", "the folder added is on show"
    assert "looked through for models. 1 found" in panel.card.toPlainText()
    assert panel._remove.text() == "Take this folder off the list" and panel._remove.isEnabled()
    qtbot.mouseClick(panel._remove, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "x.safetensors" not in listed(panel), timeout=LONG)
    assert file.is_file() and places() == ()


def test_dropped_folders_are_added_and_what_is_wrong_in_them_is_said(qtbot: Any, panel: ModelsPanel, tmp_path: Path) -> None:
    root = tmp_path / "dropped"
    (pipeline(root / "half") / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    (root / "old.ckpt").write_bytes(b"PK\x03\x04" + bytes(2 << 20))
    transformer(root / "bert")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(root))])
    where = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(5, 5), *where)
    panel.dragEnterEvent(enter)
    assert enter.isAccepted()
    panel.dropEvent(QDropEvent(QPointF(5, 5), *where))
    qtbot.waitUntil(lambda: {"half", "old.ckpt", "bert"} <= listed(panel), timeout=LONG)
    choose(panel, "half")
    assert "✗ vae/diffusion_pytorch_model.safetensors" in panel.insight.state.text() and fact(panel, "Opens in") == "no panel"
    choose(panel, "old.ckpt")
    assert "is a pickle" in panel.insight.state.text() and "convert this one safely" in panel.card.toPlainText()
    choose(panel, "bert")
    assert fact(panel, "Can do") == "reads text (encoder), embeddings" and fact(panel, "Opens in") == "no panel yet"
    panel.filter.setText("pickle")
    rows = [panel.list.item(i).text().split("\n")[0] for i in range(panel.list.count())]
    assert rows == ["Refused: pickles", "old.ckpt"]
    table = next(e for e in panel.exportables() if e.name == "Models of other programs").produce()
    assert table.columns["state"] == [{"half": "incomplete", "old.ckpt": "refused"}.get(t, "complete") for t in table.columns["model"]]


def test_digests_are_computed_and_compared_with_the_names_in_the_cache(qtbot: Any, panel: ModelsPanel, cache: Path) -> None:
    holding = choose(panel, "maker/xl")
    files = panel.insight.files
    qtbot.mouseClick(files.compute, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: holding.place in files.digests, timeout=LONG)
    digests = files.digests[holding.place]
    unet = next(digest for digest in digests if digest.file.parent.name == "unet")
    assert len(digests) == 3 and unet.sha256 == hashlib.sha256(unet.file.read_bytes()).hexdigest()
    assert unet.verdict.startswith("NOT as published"), "the blob's made-up name is another"
    assert unet.sha256[:32] in files.text.text() and files.compute.text() == "Compute SHA-256"
    table = next(e for e in panel.exportables() if e.name == "SHA-256 of weights").produce()
    assert unet.sha256 in table.columns["sha256"]


def test_a_pickle_is_converted_beside_itself_and_a_malicious_one_refused(qtbot: Any, panel: ModelsPanel, tmp_path: Path) -> None:
    root = tmp_path / "pickles"
    root.mkdir()
    state = {"lora_unet_attn2_to_k.lora_down.weight": torch.ones(4, 768), "big": torch.zeros(400_000)}
    torch.save(state, root / "style.pt")
    torch.save({**state, "z": Bomb(tmp_path / "trap")}, root / "evil.pt")
    panel.add_folder(root)
    qtbot.waitUntil(lambda: {"style.pt", "evil.pt"} <= listed(panel), timeout=LONG)
    choose(panel, "evil.pt")
    assert panel.insight.files.convert.isVisibleTo(panel)
    qtbot.mouseClick(panel.insight.files.convert, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.last_message is not None and panel.last_message.level == "error", timeout=LONG)
    assert "asks to run code" in panel.last_message.text and not (tmp_path / "trap").exists()
    choose(panel, "style.pt")
    qtbot.mouseClick(panel.insight.files.convert, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "style.safetensors" in listed(panel), timeout=LONG)
    choose(panel, "style.safetensors")
    assert fact(panel, "Class") == "LoRA of rank 4" and not panel.insight.files.convert.isVisibleTo(panel)
    assert (root / "style.pt").is_file()


def test_a_model_is_listed_asked_about_fetched_and_then_shown(qtbot: Any, panel: ModelsPanel, cache: Path, hub: FakeHub) -> None:
    panel.restore_request("download_model", {})
    page = panel.hub
    assert panel.stage.currentWidget() is page and not page.look.isEnabled() and not page.start.isEnabled()
    page.repo.setText("someone/bert")
    qtbot.mouseClick(page.look, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.offer is not None, timeout=LONG)
    assert [file.name for file in page.ticked()] == ["config.json", "model.safetensors"]
    assert "2 files, 4.9 MiB still to be fetched" in page.note.text() and "Licence: mit" in page.note.text()
    assert not (cache / "models--someone--bert").exists() and hub.ranges == [], "nothing is fetched before it is asked for"
    page.table.item(0, 0).setCheckState(Qt.CheckState.Unchecked)
    assert page.note.text().startswith("1 file,")
    page.table.item(0, 0).setCheckState(Qt.CheckState.Checked)
    qtbot.mouseClick(page.start, Qt.MouseButton.LeftButton)
    assert page.cancel.isVisible() and not page.start.isEnabled()
    panel.look_into(cache)
    assert "A download is running" in panel.last_message.text
    qtbot.waitUntil(lambda: "someone/bert" in listed(panel), timeout=LONG)
    assert "“someone/bert” is here: 4.9 MiB were fetched" in panel.last_message.text
    qtbot.waitUntil(lambda: panel.list.item_ is not None and REVISION in panel.list.item_.id, timeout=LONG)
    assert panel.stage.currentWidget() is panel.card


def test_a_hub_that_refuses_is_said_and_the_page_stays_usable(qtbot: Any, panel: ModelsPanel, hub: FakeHub) -> None:
    hub.refuse = (401, "GatedRepo")
    panel.show_hub()
    panel.hub.repo.setText("someone/bert")
    panel.hub.repo.returnPressed.emit()
    qtbot.waitUntil(lambda: panel.last_message is not None and panel.last_message.level == "error", timeout=LONG)
    assert "is gated" in panel.last_message.text and panel.hub.look.isEnabled() and not panel.hub.start.isEnabled()
    hub.refuse = None
    panel.hub.repo.returnPressed.emit()
    qtbot.waitUntil(lambda: panel.hub.offer is not None, timeout=LONG)
    panel.hub.show_offer(type(panel.hub.offer)(panel.hub.offer.listing, panel.hub.offer.folder, panel.hub.offer.missing, 1000))
    assert "are free on the disk" in panel.hub.note.text() and not panel.hub.start.isEnabled()
    qtbot.mouseClick(panel.hub._back, Qt.MouseButton.LeftButton)
    assert panel.stage.currentWidget() is panel.empty
