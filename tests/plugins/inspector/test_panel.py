"""The panel as a person uses it, over a real engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from pytestqt.qtbot import QtBot

from studio.host.panel import PanelMessage
from studio_plugins.inspector.panel import InspectorPanel

PATIENCE = 60_000
"""Milliseconds: the machine that runs the tests may be busy."""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "some.npz"
    rng = np.random.default_rng(0)
    np.savez(
        path, kernel=rng.normal(size=(6, 40, 30)).astype(np.float32), bias=np.linspace(-1, 1, 50), one=np.array(4.5), words=np.array(["a", "b"])
    )
    return path


def opened(room: Any, qtbot: QtBot, path: Path, tensor: str = "") -> InspectorPanel:
    panel: InspectorPanel = room.panel
    panel.open(path, {"tensor": tensor} if tensor else None)
    qtbot.waitUntil(lambda: panel.desk.plane is not None and (not tensor or panel.desk.plane.request.tensor == tensor), timeout=PATIENCE)
    return panel


def drawn(qtbot: QtBot, panel: InspectorPanel, **fields: Any) -> Any:
    """Wait for a plane whose request has these fields, and return it."""

    def there() -> bool:
        plane = panel.desk.plane
        return plane is not None and all(getattr(plane.request, name) == value for name, value in fields.items())

    qtbot.waitUntil(there, timeout=PATIENCE)
    return panel.desk.plane


def test_a_file_is_listed_drawn_and_measured(room: Any, qtbot: QtBot, archive: Path) -> None:
    panel = opened(room, qtbot, archive, "kernel")
    assert [info.name for info in panel.tensors.model.infos] == ["kernel", "bias", "one", "words"]
    qtbot.waitUntil(lambda: set(panel.desk.statistics) == {"kernel", "bias", "one"}, timeout=PATIENCE)
    with np.load(archive) as data:
        kernel = data["kernel"].astype(np.float64)
    assert panel.insight.facts.fact("Std. deviation") == f"{kernel.std():.6g}"
    assert panel.insight.facts.fact("L2 norm") == f"{np.linalg.norm(kernel):.6g}"
    assert f"{kernel.var():.6g}" in panel.insight.variance.text()
    assert panel.stage.heat.image() is not None


def test_the_value_under_the_pointer_is_the_value_of_the_tensor(room: Any, qtbot: QtBot, archive: Path) -> None:
    panel = opened(room, qtbot, archive, "kernel")
    with np.load(archive) as data:
        value = data["kernel"][0, 12, 7]
    assert panel.stage.heat.read_out(7, 12) == f"[0, 12, 7] = {value:.7g}"


def test_sliders_cut_the_other_axes(room: Any, qtbot: QtBot, archive: Path) -> None:
    panel = opened(room, qtbot, archive, "kernel")
    slider, spin = panel.slicing.controls[0]
    slider.setValue(5)
    assert spin.value() == 5
    plane = drawn(qtbot, panel, index=(5, 0, 0))
    with np.load(archive) as data:
        assert np.array_equal(plane.values, data["kernel"][5])


def test_axes_change_places(room: Any, qtbot: QtBot, archive: Path) -> None:
    panel = opened(room, qtbot, archive, "kernel")
    rows = panel.slicing._rows
    rows.setCurrentIndex(rows.findData(2))
    rows.activated.emit(rows.currentIndex())
    plane = drawn(qtbot, panel, rows=2, cols=1)
    with np.load(archive) as data:
        assert np.array_equal(plane.values, data["kernel"][0].T)


def test_one_axis_is_a_curve_and_one_value_a_cell(room: Any, qtbot: QtBot, archive: Path) -> None:
    panel = opened(room, qtbot, archive, "bias")
    assert panel.stage.currentWidget() is panel.stage.curve
    (x, y) = panel.stage.curve.data()["bias"]
    assert np.allclose(y, np.linspace(-1, 1, 50)) and x[-1] == 49
    assert not panel.slicing.isVisible()
    panel.tensors.select("one")
    drawn(qtbot, panel, tensor="one")
    assert panel.stage.heat.read_out(0, 0) == "[] = 4.5"


def test_what_is_not_numbers_is_said_and_not_opened(room: Any, qtbot: QtBot, archive: Path) -> None:
    panel = opened(room, qtbot, archive)
    panel.tensors.select("words")
    assert panel.last_message is not None and "not numbers" in panel.last_message.text
    panel.tensors.select("bias")
    assert panel.last_message is None


def test_pictures_are_shown_in_colour_or_channel_by_channel(room: Any, qtbot: QtBot, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    panel = opened(room, qtbot, tmp_path / "p.png")
    assert np.array_equal(panel.desk.plane.picture, pixels)  # type: ignore[union-attr]
    assert panel.stage.heat.read_out(3, 4) == f"[4, 3, :] = {pixels[4, 3, 0]}, {pixels[4, 3, 1]}, {pixels[4, 3, 2]}"
    panel._picture.click()
    drawn(qtbot, panel, picture=False)
    panel.slicing.controls[2][1].setValue(1)
    assert np.array_equal(drawn(qtbot, panel, index=(0, 0, 1)).values, pixels[..., 1])
    panel._picture.click()
    drawn(qtbot, panel, picture=True)


def test_colours_can_be_chosen(room: Any, qtbot: QtBot, archive: Path) -> None:
    panel = opened(room, qtbot, archive, "kernel")
    panel._map.setCurrentIndex(panel._map.findData("grey"))
    panel._map.activated.emit(panel._map.currentIndex())
    assert drawn(qtbot, panel, colours="grey").map == "grey"


def test_search_narrows_the_list_and_selecting_clears_it(room: Any, qtbot: QtBot, tmp_path: Path) -> None:
    np.savez(tmp_path / "many.npz", **{f"block.{i}.weight": np.full(3, i) for i in range(20)})
    panel = opened(room, qtbot, tmp_path / "many.npz")
    assert panel.tensors.search.isVisible()
    qtbot.keyClicks(panel.tensors.search, "BLOCK.17")
    assert panel.tensors.view.model().rowCount() == 1
    assert panel.tensors.select("block.3.weight")
    drawn(qtbot, panel, tensor="block.3.weight")
    assert panel.tensors.view.model().rowCount() == 20


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [("cut.npy", b"\x93NUMPY\x01\x00v\x00{'descr'", "damaged header"), ("x.png", b"\x89PNG\r\n\x1a\nxxxx", "picture"), ("m.pt", b"\x80\x02}q\x00.", "pickle")],
)
def test_a_bad_file_is_said_in_words_and_the_open_one_stays(
    room: Any, qtbot: QtBot, archive: Path, tmp_path: Path, name: str, raw: bytes, message: str
) -> None:
    panel = opened(room, qtbot, archive, "kernel")
    (tmp_path / name).write_bytes(raw)
    posted: list[PanelMessage | None] = []
    panel.posted.connect(posted.append)
    panel.open(tmp_path / name)
    qtbot.waitUntil(lambda: any(item is not None for item in posted), timeout=PATIENCE)
    assert panel.last_message is not None and panel.last_message.level == "error" and message in panel.last_message.text
    assert "Traceback" not in panel.last_message.text
    assert panel.desk.listing is not None and panel.desk.listing.path == archive


def test_a_dropped_file_is_opened(room: Any, qtbot: QtBot, archive: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl("https://example.org/x.npy"), QUrl.fromLocalFile("/some/notes.txt"), QUrl.fromLocalFile(str(archive))])
    drop = QDropEvent(QPointF(QPoint(5, 5)), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    room.panel.dropEvent(drop)
    qtbot.waitUntil(lambda: room.panel.desk.plane is not None, timeout=PATIENCE)
    assert room.panel.desk.listing.path == archive


def test_the_session_brings_everything_back(room: Any, qtbot: QtBot, archive: Path) -> None:
    panel = opened(room, qtbot, archive, "kernel")
    panel.slicing.controls[0][0].setValue(3)
    drawn(qtbot, panel, index=(3, 0, 0))
    state = panel.state()
    panel.tensors.select("bias")
    drawn(qtbot, panel, tensor="bias")
    panel.restore(state)
    assert drawn(qtbot, panel, tensor="kernel", index=(3, 0, 0)).values.shape == (40, 30)
    assert panel.state() == state


@pytest.mark.parametrize("state", [{}, {"path": 3, "recent": "x", "view": [], "layout": 4, "colours": "pink"}, {"path": "/nowhere/at/all.npy"}])
def test_a_foreign_state_is_survived(room: Any, qtbot: QtBot, state: dict[str, Any]) -> None:
    room.panel.restore(state)
    if state.get("path") == "/nowhere/at/all.npy":
        qtbot.waitUntil(lambda: room.panel.last_message is not None, timeout=PATIENCE)
        assert "not there any more" in room.panel.last_message.text
    assert room.panel.desk.colours == "auto"


def test_the_table_is_kept_and_comes_back_from_history(room: Any, qtbot: QtBot, archive: Path) -> None:
    panel = opened(room, qtbot, archive, "bias")
    panel.desk.keep()
    qtbot.waitUntil(lambda: room.store.count() == 1, timeout=PATIENCE)
    record = room.store.records()[0]
    assert record.files["tensors.csv"].read_text(encoding="utf-8").splitlines()[1].startswith("kernel,6x40x30,float32")
    qtbot.waitUntil(lambda: panel.last_message is not None and "History" in panel.last_message.text, timeout=PATIENCE)
    assert panel.restore_request(record.kind, {**record.request, "tensor": "bias"}) == []
    drawn(qtbot, panel, tensor="bias")
    assert panel.restore_request("generate", {}) != []


def test_everything_offered_can_be_exported(room: Any, qtbot: QtBot, archive: Path, tmp_path: Path) -> None:
    panel = opened(room, qtbot, archive, "kernel")
    qtbot.waitUntil(lambda: "kernel" in panel.desk.statistics and len(panel.desk.statistics) == 3, timeout=PATIENCE)
    offered = {item.name: item for item in panel.exportables()}
    assert len(offered) == 5
    for name, item in offered.items():
        for suffix in {"image": [".png", ".webp"], "plot": [".png", ".svg"], "table": [".csv"]}[item.kind]:
            target = tmp_path / f"{name}{suffix}"
            panel.context.export.save(item, target)
            assert target.stat().st_size > 40
    values = np.loadtxt(tmp_path / "Values shown.csv", delimiter=",", skiprows=1)[:, 1:]
    assert panel.desk.plane is not None and np.allclose(values, panel.desk.plane.values)
    with Image.open(tmp_path / "Picture of the values shown.png") as image:
        assert image.size == (30, 40)


@pytest.mark.parametrize("theme_name", ["light", "dark"])
def test_the_demo_needs_no_engine(room: Any, qtbot: QtBot, theme_name: str) -> None:
    from studio.ui.theme import theme

    theme().apply(theme_name)
    room.engine.close()
    room.panel.demo()
    assert room.panel.desk.plane is not None
    assert room.panel.desk.info.name in room.panel.desk.statistics
    assert room.panel.insight.facts.fact("Minimum") not in ("measuring …", "–")
    picture = room.panel.grab().toImage()
    assert len({picture.pixel(x, y) for x in range(0, 1200, 17) for y in range(0, 800, 13)}) > 50


def test_a_hidden_panel_has_everything_when_it_comes_back(room: Any, qtbot: QtBot, archive: Path) -> None:
    panel = opened(room, qtbot, archive, "kernel")
    panel.hide()
    panel.tensors.select("bias")
    qtbot.waitUntil(lambda: panel.desk.plane is not None and panel.desk.plane.request.tensor == "bias", timeout=PATIENCE)
    panel.show()
    qtbot.waitUntil(lambda: len(panel.desk.statistics) == 3, timeout=PATIENCE)


def test_everything_can_be_reached_and_has_a_name(room: Any, qtbot: QtBot, archive: Path) -> None:
    from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QComboBox, QLineEdit, QScrollBar, QSpinBox

    panel = opened(room, qtbot, archive, "kernel")
    kinds = (QAbstractButton, QAbstractSlider, QComboBox, QLineEdit, QSpinBox)
    for control in (widget for kind in kinds for widget in panel.findChildren(kind)):
        inner = isinstance(control, QScrollBar) or isinstance(control.parentWidget(), (QSpinBox, QComboBox, QLineEdit))
        if control.isVisible() and not inner:
            assert control.accessibleName() or (isinstance(control, QAbstractButton) and control.text()), control
            assert control.focusPolicy() != Qt.FocusPolicy.NoFocus, control
