"""What errors offer becomes changes of the request, and buttons that make them."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, Qt

from studio_plugins.inpaint.remedies import changes_of
from studio_plugins.inpaint.request import InpaintRequest
from tests.plugins.inpaint.conftest import INPAINT
from tests.plugins.panel_room import END, PanelRoom


def offers():
    from studio.ml.diffusion.external.errors import Offer

    return [
        Offer("Use half precision", {"dtype": "float16"}), Offer("Decode in tiles", {"tiling": True}),
        Offer("Keep idle parts in main memory", {"offload": "model"}), Offer("Draw one", {"seeds": (3,)}),
        Offer("Draw 256x256 pixels", {"width": 256, "height": 256}),
    ]  # fmt: skip


def test_offers_are_said_in_the_fields_of_a_request():
    found = dict(changes_of(InpaintRequest(batch=2), offers(), "value"))
    assert found == {
        "Use half precision": {"precision": "float16"}, "Decode in tiles": {"tiling": True},
        "Keep idle parts in main memory": {"offload": "model"}, "Draw one": {"batch": 1},
    }  # fmt: skip
    for changes in found.values():
        InpaintRequest(batch=2).replace(**changes)


def test_what_is_so_already_is_not_offered():
    request = InpaintRequest(precision="float16", tiling=True, offload="model")
    assert changes_of(request, offers(), "value") == []


def test_too_many_at_once_are_halved_where_nothing_else_is_offered():
    assert changes_of(InpaintRequest(batch=4), [], "out_of_memory") == [("Draw 2 at once", {"batch": 2})]
    assert changes_of(InpaintRequest(), [], "out_of_memory") == []


@pytest.fixture
def room(qtbot, tmp_path, tiny_bundled):
    from studio_plugins.inpaint.panel import InpaintPanel

    with PanelRoom("inpaint", InpaintPanel, tmp_path, qtbot) as made:
        yield made


def test_a_run_that_fails_offers_what_would_help_and_does_it(qtbot, room, monkeypatch):
    from studio.ml.diffusion.external.errors import DeviceFull
    from studio_plugins.inpaint import jobs

    panel = room.show(room.build())
    panel.intake.example()
    qtbot.waitUntil(lambda: not panel.document.is_empty, timeout=END)
    panel.controls.form.set_fields({"steps": 2, "model": INPAINT, "batch": 2})
    view = panel.canvas.view
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.viewport.to_widget(QPointF(80, 60)).toPoint())
    real = jobs.prepare

    def full(request, inputs, ctx):
        if request.batch > 1:
            raise DeviceFull("The device is full.", offers())
        return (yield from real(request, inputs, ctx))

    monkeypatch.setattr(jobs, "prepare", full)
    panel.painting.paint()
    qtbot.waitUntil(lambda: panel.last_message is not None and bool(panel.last_message.actions), timeout=END)
    assert panel.versions.all == [] and panel.canvas.view.preview is None
    dict(panel.last_message.actions)["Draw one"]()
    qtbot.waitUntil(lambda: len(panel.versions.all) == 1, timeout=END)
    assert panel.controls.request().batch == 1
