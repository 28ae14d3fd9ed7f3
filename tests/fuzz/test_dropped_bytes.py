"""Any bytes with the name of a picture, dropped on the real window: something is said or restored, and the form stays usable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from studio.host.imagemeta import encode_png
from studio_plugins.generate.request import GenerateRequest
from tests.e2e.helpers import LONG, draw, drop, generate_panel, quiet
from tests.fuzz.test_requests import anything, fields_of

SUFFIXES = st.sampled_from([".png", ".PNG", ".webp", ".jpg", ".jpeg"])
STARTS = st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"RIFF\xff\xff\xff\x7fWEBPVP8X", b"\xff\xd8\xff\xe1"])
PIXELS = np.zeros((4, 4, 3), np.uint8)
INSPECTED = {"schema": 1, "kind": "inspect", "request": {"model": "emoji-base"}}

lines = st.lists(
    st.sampled_from(["Steps", "Seed", "CFG scale", "Sampler", "Size", "Model", "Negative prompt", "x"]).flatmap(
        lambda key: st.tuples(st.just(key), st.text(max_size=20) | st.integers().map(str) | st.floats().map(str))
    ),
    max_size=5,
).map(lambda pairs: "a cat\n" + ", ".join(f"{key}: {value}" for key, value in pairs))
stored = st.fixed_dictionaries(
    {"schema": st.just(1) | anything, "kind": st.sampled_from(["generate", "sweep", "inspect", "nothing", ""]) | anything},
    optional={"request": fields_of([*GenerateRequest.model_fields, "base", "axes"]) | anything, "provenance": anything},
)
pictures = st.one_of(
    st.tuples(STARTS, st.binary(max_size=200)).map(b"".join),
    lines.map(lambda text: encode_png(PIXELS, None, text)),
    stored.map(lambda data: png_with(json.dumps(data))),
    anything.map(lambda data: png_with(json.dumps(data))),
)


def png_with(text: str) -> bytes:
    """A PNG whose chunk “glassbox” holds any text."""
    import io

    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info, file = PngInfo(), io.BytesIO()
    info.add_itxt("glassbox", text)
    Image.fromarray(PIXELS).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def test_any_bytes_dropped_leave_a_window_that_draws(open_studio: Any, qtbot: QtBot, tmp_path: Path) -> None:
    studio = open_studio()
    window, panel = studio.window, generate_panel(studio)
    answered: list[int] = []

    def bars() -> list[Any]:
        return [window.bar, *(window.panels.frame(name).bar for name in window.panels.open_ids())]

    @example(data=png_with(json.dumps(INSPECTED)), suffix=".png", on_panel=False)
    @example(data=png_with(json.dumps({"schema": 1, "kind": "generate", "request": {}})), suffix=".png", on_panel=False)
    @given(data=pictures, suffix=SUFFIXES, on_panel=st.booleans())
    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    def dropped(data: bytes, suffix: str, on_panel: bool) -> None:
        window.panels.open("generate")  # what was dropped before may have opened another panel
        for bar in bars():
            bar.clear()
        path = tmp_path / f"picture{suffix}"
        path.write_bytes(data)
        panel.controls.form.set_value(GenerateRequest(prompt="a cat"))
        drop(panel if on_panel else window, path)
        answered.clear()
        window.background.run(lambda: 1, answered.append)
        qtbot.waitUntil(lambda: bool(answered), timeout=LONG)
        qtbot.waitUntil(lambda: all(window.panels.frame(name).settled for name in window.panels.open_ids()), timeout=LONG)
        quiet(qtbot, studio)
        assert any(bar.isVisible() and bar.text() for bar in bars())
        assert panel.controls.form.valid_value() is not None
        assert not [note.text for note in studio.notifications.items() if "Something went wrong" in note.text or "fault" in note.text]

    dropped()
    draw(qtbot, studio, steps=1, prompt="a cat", model="emoji-base", batch=1)
