"""Documents of the Inpaint panel: opened, pasted, saved, kept, brought back from the History, exported."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication, QImage

from studio.host.documents import read_document, write_document
from tests.plugins.inpaint.conftest import INPAINT
from tests.plugins.panel_room import END, PanelRoom

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def room(qtbot, tmp_path, tiny_bundled):
    from studio_plugins.inpaint.panel import InpaintPanel

    with PanelRoom("inpaint", InpaintPanel, tmp_path, qtbot, (1400, 860)) as made:
        yield made


@pytest.fixture
def photo_file(tmp_path):
    """A photo of 60 x 40 pixels."""
    pixels = np.random.default_rng(3).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png", pixels


def drop(panel, path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier)
    panel.dropEvent(event)


def opened(qtbot, room, path):
    """A panel with a dropped picture or document."""
    panel = room.show(room.build())
    drop(panel, path)
    qtbot.waitUntil(lambda: not panel.document.is_empty, timeout=END)
    return panel


def drawn(qtbot, panel):
    """A square selected, a version drawn and applied."""
    mask = np.zeros((panel.document.height, panel.document.width), np.uint8)
    mask[10:25, 20:40] = 255
    panel.document.set_mask(mask)
    panel.controls.form.set_fields({"steps": 2, "model": INPAINT, "prompt": "a dog"})
    panel.painting.paint()
    qtbot.waitUntil(lambda: bool(panel.versions.all), timeout=END)
    panel.painting.apply(panel.versions.all[0])


def said(panel, *words):
    return panel.last_message is not None and all(word in panel.last_message.text for word in words)


def press(panel, label):
    """The button of the message bar with this label."""
    dict(panel.last_message.actions)[label]()


def test_a_document_is_saved_and_opened_with_everything_in_it(qtbot, room, photo_file, tmp_path):
    panel = opened(qtbot, room, photo_file[0])
    drawn(qtbot, panel)
    assert panel.bar.name.text() == "● photo"
    panel.filing.save(tmp_path / "work.glassbox")
    qtbot.waitUntil(lambda: not panel.filing.unsaved, timeout=END)
    assert panel.bar.name.text() == "work" and said(panel, "Saved as")
    other = opened(qtbot, room, tmp_path / "work.glassbox")
    assert [layer.name for layer in other.document.layers] == [layer.name for layer in panel.document.layers]
    assert (other.document.flattened() == panel.document.flattened()).all()
    assert (other.document.mask == panel.document.mask).all() and not other.filing.unsaved
    assert other.controls.request().prompt == "a dog"
    version = other.versions.all[0]
    assert version.applied and version.result is None and other.strip.isVisible()
    other.versions.choose(version)
    qtbot.waitUntil(lambda: version.result is not None, timeout=END)
    assert other.strip.timeline.count() == 2, "the steps come back from the History"


def test_every_change_is_kept_and_offered_after_the_end(qtbot, room, photo_file):
    panel = opened(qtbot, room, photo_file[0])
    drawn(qtbot, panel)
    qtbot.waitUntil(lambda: panel.filing.is_kept, timeout=END)
    state, picture = panel.state(), panel.document.flattened().copy()
    panel.document.clear_mask()
    panel.filing.close()
    other = room.show(room.build())
    other.restore(state)
    qtbot.waitUntil(lambda: not other.document.is_empty, timeout=END)
    assert (other.document.flattened() == picture).all() and not other.document.mask.any()
    assert said(other, "photo", "not saved") and other.filing.unsaved


def test_changes_are_never_replaced_unasked(qtbot, room, photo_file):
    panel = opened(qtbot, room, photo_file[0])
    mask = np.full((40, 60), 255, np.uint8)
    panel.document.set_mask(mask)
    panel.intake.blank()
    assert said(panel, "photo", "not saved") and panel.document.mask.any()
    press(panel, "Go on without saving")
    assert not panel.document.mask.any() and (panel.document.flattened() == 255).all()


def test_pictures_are_pasted(qtbot, room):
    panel = room.show(room.build())
    pixels = np.random.default_rng(5).integers(0, 256, (20, 30, 3), np.uint8)
    data = QMimeData()
    data.setImageData(QImage(pixels.tobytes(), 30, 20, 90, QImage.Format.Format_RGB888))
    QGuiApplication.clipboard().setMimeData(data)
    panel.intake.paste()
    qtbot.waitUntil(lambda: not panel.document.is_empty, timeout=END)
    assert (panel.document.flattened() == pixels).all()
    QGuiApplication.clipboard().clear()
    panel.intake.paste()
    assert said(panel, "no picture on the clipboard")


def test_a_bad_file_changes_nothing_and_says_what_to_do(qtbot, room, photo_file, tmp_path):
    panel = opened(qtbot, room, photo_file[0])
    panel.filing.save(tmp_path / "work.glassbox")
    qtbot.waitUntil(lambda: not panel.filing.unsaved, timeout=END)
    (tmp_path / "bad.glassbox").write_bytes(b"PK\3\4 nothing")
    drop(panel, tmp_path / "bad.glassbox")
    qtbot.waitUntil(lambda: said(panel, "bad.glassbox"), timeout=END)
    assert (panel.document.flattened() == photo_file[1]).all() and panel.filing.path == tmp_path / "work.glassbox"


def test_a_result_of_the_history_comes_back_with_its_picture_and_version(qtbot, room, photo_file):
    panel = opened(qtbot, room, photo_file[0])
    drawn(qtbot, panel)
    request = panel.versions.all[0].request
    other = room.show(room.build())
    assert other.restore_request("inpaint", request.to_dict()) == []
    qtbot.waitUntil(lambda: bool(other.versions.all), timeout=END)
    assert (other.document.flattened() == photo_file[1]).all() and other.document.mask.any()
    assert np.array_equal(other.versions.all[0].patch.pixels, panel.versions.all[0].patch.pixels)
    assert other.restore_request("generate", {"prompt": "x"}) != []


def test_a_picture_sent_from_elsewhere_is_opened(qtbot, room, photo_file):
    panel = room.show(room.build())
    assert panel.restore_request("inpaint", {"picture": str(photo_file[0])}) == []
    qtbot.waitUntil(lambda: not panel.document.is_empty, timeout=END)
    assert (panel.document.flattened() == photo_file[1]).all()


def test_what_leaves_the_panel(qtbot, room, photo_file, tmp_path):
    panel = opened(qtbot, room, photo_file[0])
    drawn(qtbot, panel)
    panel.desk.export(panel.outlet.picture(), tmp_path / "out.png")
    panel.filing.export_layers(tmp_path / "out.ora")
    room.quiet()
    assert (np.array(Image.open(tmp_path / "out.png").convert("RGB")) == panel.document.flattened()).all()
    assert "a dog" in Image.open(tmp_path / "out.png").text["parameters"]
    with zipfile.ZipFile(tmp_path / "out.ora") as archive:
        assert archive.namelist()[0] == "mimetype" and archive.read("mimetype") == b"image/openraster"
    assert [each.kind for each in panel.exportables()] == ["image", "image"]
    panel.versions.choose(panel.versions.all[0])
    panel.outlet.copy_script()
    qtbot.waitUntil(lambda: "load_inpainter" in QGuiApplication.clipboard().text(), timeout=END)
    compile(QGuiApplication.clipboard().text(), "script", "exec")


def test_a_document_of_a_stranger_may_lack_what_the_panel_adds(qtbot, room, photo_file, tmp_path):
    from studio.host.documents import DocumentContent, LayerContent

    pixels = np.dstack([photo_file[1], np.full((40, 60), 255, np.uint8)])
    content = DocumentContent(60, 40, (LayerContent("only", pixels),), view={"versions": 3, "zoom": "x"})
    write_document(tmp_path / "strange.glassbox", content)
    panel = opened(qtbot, room, tmp_path / "strange.glassbox")
    assert (panel.document.flattened() == photo_file[1]).all() and read_document(tmp_path / "strange.glassbox") == content


def test_what_the_history_sends_never_replaces_changes_unasked(qtbot, room, photo_file, tmp_path):
    panel = opened(qtbot, room, photo_file[0])
    Image.fromarray(photo_file[1][:20]).save(tmp_path / "other.png")
    panel.restore_request("inpaint", {"picture": str(tmp_path / "other.png")})
    qtbot.waitUntil(lambda: said(panel, "photo", "not saved"), timeout=END)
    press(panel, "Go on without saving")
    qtbot.waitUntil(lambda: panel.document.height == 20, timeout=END)


def test_a_save_that_ends_after_another_document_was_opened_does_not_name_that(qtbot, room, photo_file, tmp_path):
    panel = opened(qtbot, room, photo_file[0])
    panel.filing.save(tmp_path / "first.glassbox")
    panel.filing.begin("second", lambda: panel.document.set_picture(photo_file[1][:20], "second"))
    qtbot.waitUntil(lambda: said(panel, "Saved as"), timeout=END)
    assert panel.filing.path is None and panel.filing.title == "second" and panel.filing.unsaved
    assert read_document(tmp_path / "first.glassbox").height == 40
