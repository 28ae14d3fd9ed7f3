"""Opening released checkpoints: a tiny network stands in the table of released ones, everything else is real."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from studio.engine import JobContext, Progress, run_inline
from studio.host.paths import DataPaths
from studio.ml.diffusion.classifier import UnknownClass
from studio.models.shelf import opened_folder
from studio_plugins.generate.jobs import generate
from studio_plugins.generate.quick import open_place
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.script import script
from studio_plugins.generate.words import examples, remark, suggestions

from tests.ml.diffusion.test_bpe import VOCABULARY, write
from tests.plugins.tiny_models import NETWORK, TINY

LONG = 60_000


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def released(monkeypatch, tmp_path, bundled):
    """Folder with a tiny GLIDE, up-sampler, ADM with and without classes as `.pt` files, and GPT-2's file names."""
    import torch
    from studio.ml.diffusion import released
    from studio.ml.diffusion.released import ReleasedNetwork
    from studio.ml.diffusion.unet import split_config

    monkeypatch.setenv("GLASSBOX_DATA_DIR", str(tmp_path / "data"))
    unet, text = split_config({**NETWORK, "n_vocab": len(VOCABULARY)})
    upper, classes = unet.model_copy(update={"in_channels": 6}), unet.model_copy(update={"num_classes": 10})
    table = {
        "base": ReleasedNetwork("base", "Tiny GLIDE", "text2im", 16, "squaredcos_cap_v2", unet, text),
        "up": ReleasedNetwork("up", "Tiny up-sampler", "upsample", 32, "linear", upper, text),
        "uncond": ReleasedNetwork("uncond", "Tiny ADM", "adm", 16, "linear", unet),
        "classes": ReleasedNetwork("classes", "Tiny ADM of classes", "adm", 16, "linear", classes),
    }
    monkeypatch.setattr(released, "released_networks", lambda: table)
    monkeypatch.setattr("studio.ml.diffusion.bpe.END", 0)  # that of GPT-2 lies outside this small vocabulary
    folder = tmp_path / "released"
    folder.mkdir()
    generator = torch.Generator().manual_seed(3)
    for name, network in table.items():
        state = network.build(device="cpu").state_dict()
        random = {key: torch.randn(value.shape, generator=generator) * 0.08 for key, value in state.items()}
        torch.save(random, folder / f"{name}.pt")
    return write(folder)


def run(job, request, tmp_path):
    events = []
    context = JobContext(services={"paths": DataPaths(tmp_path / "data")})
    return run_inline(job, request, context=context, on_event=events.append), events


def texts(events):
    return [event.text for event in events if isinstance(event, Progress)]


def test_a_checkpoint_is_converted_once_and_replayed_by_request_and_script(released, tmp_path, monkeypatch):
    from studio.ml.diffusion.weights import sha256_of

    file = released / "base.pt"
    info, events = run(open_place, file, tmp_path)
    assert (info.id, info.title, info.size, info.length) == (str(file), "Tiny GLIDE (base.pt)", 16, 8)
    assert "converting base.pt…" in texts(events)
    digest = sha256_of([file])
    assert [path.name for path in (tmp_path / "data" / "cache").iterdir()] == [f"{digest}.safetensors"]

    request = GenerateRequest(prompt="a cat", model=info.id, steps=3, seed=4)
    first, events = run(generate, request, tmp_path)
    assert not any("converting" in text for text in texts(events))
    assert first.request.model_sha256 == digest and first.provenance["model_sha256"] == digest
    again, _ = run(generate, GenerateRequest.from_json(first.request.to_json()), tmp_path)
    assert (again.pictures == first.pictures).all()
    other, _ = run(generate, request.replace(prompt="zebra crossing"), tmp_path)
    assert (other.pictures != first.pictures).any(), "the prompt reaches the network"

    # In this process, because only here the tiny network is a released one.
    (tmp_path / "picture.py").write_text(script(first.request, first.provenance), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("picture.py")
    assert (np.asarray(Image.open("pictures/4.png")) == first.pictures[0]).all()


def test_safetensors_shards_and_folders_of_our_own_open_too(released, bundled, tmp_path):
    from safetensors.torch import save_file
    from studio.ml.diffusion.checkpoint import read_state

    state = read_state(released / "base.pt")
    save_file(state, released / "glide.safetensors")
    shards = write(_made(tmp_path / "shards"))
    names = list(state)
    save_file({name: state[name] for name in names[:20]}, shards / "a.safetensors")
    save_file({name: state[name] for name in names[20:]}, shards / "b.safetensors")
    for place in (released / "glide.safetensors", shards):
        info, events = run(open_place, place, tmp_path)
        assert info.id == str(place) and not any("converting" in text for text in texts(events))
        drawn, _ = run(generate, GenerateRequest(prompt="a cat", model=info.id, steps=2), tmp_path)
        assert drawn.pictures.shape == (1, 16, 16, 3)
    for part in ("", "config.json", "model.safetensors"):
        info, _ = run(open_place, bundled / TINY / part, tmp_path)
        assert info.id == str(bundled / TINY) and info.words


def test_a_network_without_prompt_draws_from_noise_alone(released, tmp_path):
    info, _ = run(open_place, released / "uncond.pt", tmp_path)
    assert not info.prompted and info.size == 16
    request = GenerateRequest(prompt="a cat", model=info.id, steps=3, batch=2, sampler="ddim")
    result, events = run(generate, request, tmp_path)
    assert result.request.prompt == "" and result.evaluations == 3
    assert result.pictures.shape == (2, 16, 16, 3) and (result.pictures[0] != result.pictures[1]).any()


def test_a_network_of_classes_draws_the_class_the_prompt_names(released, tmp_path):
    info, _ = run(open_place, released / "classes.pt", tmp_path)
    assert info.prompted and info.kind == "class-conditional" and info.classes[3] == "class 3"
    assert "class 3" in suggestions(info) and examples(info)[0] == "class 0"
    assert remark("class 3", info, None) == "" and remark("3", info, None) == "Class 3: class 3."
    assert "draws 10 classes" in remark("a cat", info, None) and remark("cl", info, None, typing=True) == ""
    request = GenerateRequest(prompt="class 3", model=info.id, steps=3, sampler="ddim")
    first, _ = run(generate, request, tmp_path)
    other, _ = run(generate, request.replace(prompt="5"), tmp_path)
    assert (first.pictures != other.pictures).any()
    with pytest.raises(UnknownClass, match="none of the 10 classes"):
        run(generate, request.replace(prompt="a cat"), tmp_path)


def test_a_prompt_too_long_for_a_released_model_is_said(released, tmp_path):
    _, events = run(generate, GenerateRequest(prompt="cat" + " cat" * 49, model=str(released / "base.pt"), steps=1), tmp_path)
    assert any("last 42 tokens" in getattr(event, "text", "") for event in events)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _trap(folder, monkeypatch):
    import torch

    torch.save({"x": torch.zeros(2), "z": Bomb(folder / "trap")}, folder / "bad.pt")
    return folder / "bad.pt", "run code"


def _truncated(folder, monkeypatch):
    (folder / "bad.pt").write_bytes((folder / "base.pt").read_bytes()[:3000])
    return folder / "bad.pt", "damaged"


def _no_vocabulary(folder, monkeypatch):
    (folder / "vocab.json").unlink()
    return folder / "base.pt", "vocab.json and merges.txt"


def _no_memory(folder, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10, total=10, used=0, percent=100.0))
    return folder / "base.pt", "are free. Close other programs"


def _foreign(folder, monkeypatch):
    import torch

    torch.save({"x": torch.zeros(2)}, folder / "bad.pt")
    return folder / "bad.pt", "What can be opened"


def _empty(folder, monkeypatch):
    return _made(folder / "empty"), "holds no model"


BAD = [
    _trap, _truncated, _no_vocabulary, _no_memory, _foreign, _empty,
    lambda folder, _: (folder / "up.pt", "Tiny up-sampler, which does not draw from text alone"),
    lambda folder, _: (folder / "none.pt", "is not there"),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_what_cannot_be_opened_is_said_and_the_model_chosen_stays(qtbot, desk_room, released, monkeypatch, bad):
    panel = desk_room()
    path, says = bad(released, monkeypatch)
    panel.opening.open(path)
    qtbot.waitUntil(lambda: panel.last_message.level == "error", timeout=LONG)
    assert says in panel.last_message.text, panel.last_message.text
    assert [label for label, _ in panel.last_message.actions] == ["Try again", "Open another…"]
    assert panel.controls.model.id == TINY and [info.id for info in panel.models] == [TINY]
    assert not (released / "trap").exists() and not list(opened_folder().glob("*"))


def test_a_dropped_checkpoint_is_offered_chosen_drawn_and_remembered(qtbot, desk_room, released):
    file = released / "base.pt"
    panel = desk_room()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    panel.dropEvent(QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, buttons, keys))
    qtbot.waitUntil(lambda: panel.last_message.level == "success", timeout=LONG)
    assert panel.controls.model.id == str(file)
    panel.controls.form.set_fields({"steps": 2})
    panel.generate()
    qtbot.waitUntil(lambda: panel.shown.result is not None, timeout=LONG)
    assert panel.shown.result.request.model == str(file) and panel.shown.result.request.model_sha256
    qtbot.waitUntil(lambda: len(list(opened_folder().glob("[!.]*.json"))) == 1, timeout=LONG)

    state = json.loads(json.dumps(panel.state()))
    again = desk_room(state)
    assert again.controls.model.id == str(file) and again.controls.model.title == "Tiny GLIDE (base.pt)"
    file.unlink()
    later = desk_room(state)
    assert "base.pt” is no longer in" in later.last_message.text
    assert [info.id for info in later.models] == [TINY] and later.controls.model.id == TINY
    qtbot.waitUntil(lambda: not list(opened_folder().glob("*")), timeout=LONG)


def test_the_dialog_comes_from_the_button_and_the_command(qtbot, desk_room, released):
    from PySide6.QtWidgets import QFileDialog, QPushButton

    panel = desk_room()
    commands = panel.context.commands
    assert commands.search("open a model")[0].id == "generate.open_model"
    button = next(b for b in panel.findChildren(QPushButton) if b.text() == "Open a model…" and b.isVisible())
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    dialog = panel.findChild(QFileDialog)
    assert "*.pt *.safetensors" in dialog.nameFilters()[0]
    dialog.fileSelected.emit(str(released / "uncond.pt"))
    dialog.reject()
    qtbot.waitUntil(lambda: panel.last_message.level == "success", timeout=LONG)
    assert "draws without a prompt" in panel.controls.form.prompt_field().note()
    panel.controls.form.set_fields({"steps": 2})
    panel.generate()
    qtbot.waitUntil(lambda: panel.shown.result is not None, timeout=LONG)
    assert panel.shown.request.prompt == ""
