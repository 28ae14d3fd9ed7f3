"""Pictures let go over the window and over the Generate panel: truncated, hostile, and from other tools."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from studio.host.imagemeta import encode_png, envelope
from studio.models.fields import MAX_SEED
from studio_plugins.generate.request import GenerateRequest
from tests.e2e.helpers import draw, drop, generate_panel, quiet, said

Target = Callable[[Any], tuple[QWidget, Any]]
A1111 = (
    "a red apple\nNegative prompt: blurry\n"
    "Steps: 12, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 123, Size: 512x768, Model: sd15, Clip skip: 2"
)
INVOKEAI = {
    "generation_mode": "txt2img", "positive_prompt": "a red apple", "negative_prompt": "blurry", "width": 512, "height": 768,
    "seed": 123, "cfg_scale": 6.5, "steps": 12, "scheduler": "ddim", "model": {"name": "sd15"}, "loras": [{"weight": 0.5}],
}  # fmt: skip
COMFYUI = {
    "1": {"class_type": "KSampler", "inputs": {
        "seed": 123, "steps": 12, "cfg": 6.5, "sampler_name": "ddim", "denoise": 1,
        "model": ["2", 0], "positive": ["3", 0], "negative": ["4", 0], "latent_image": ["5", 0]}},
    "2": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15.safetensors"}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red apple", "clip": ["2", 1]}},
    "4": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["2", 1]}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768, "batch_size": 4}},
}  # fmt: skip


def on_window(studio: Any) -> tuple[QWidget, Any]:
    return studio.window, studio.window.bar


def on_panel(studio: Any) -> tuple[QWidget, Any]:
    return generate_panel(studio), studio.window.panels.frame("generate").bar


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def hostile() -> dict[str, bytes]:
    """Small files that promise, or unpack to, far more than any memory; and files that are something else."""
    header = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    small = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    side = struct.pack("<I", 59_999)[:3]
    return {
        "bomb.png": header + body,
        "bomb.webp": b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + side * 2,
        "bomb.jpg": b"\xff\xd8\xff\xc0\x00\x0b\x08" + struct.pack(">HH", 60_000, 60_000) + b"\1\1\x11\0\xff\xd9",
        "text-bomb.png": small + chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"x" * (64 << 20))) + body,
        "empty.png": b"",
        "page.jpeg": b"<!doctype html><title>Not found</title>",
        "archive.webp": b"PK\x03\x04" + b"\0" * 100,
        "other.png": b"GIF89a" + b"\0" * 100,
    }


@pytest.mark.parametrize("target", [on_window, on_panel])
def test_hostile_and_foreign_files_are_refused_in_words(open_studio: Any, qtbot: QtBot, tmp_path: Path, target: Target) -> None:
    studio = open_studio()
    widget, bar = target(studio)
    form = generate_panel(studio).controls.form.value()
    (tmp_path / "folder.png").mkdir()
    for name, data in hostile().items():
        (tmp_path / name).write_bytes(data)
    for name in [*hostile(), "folder.png", "gone.png"]:
        bar.clear()
        drop(widget, tmp_path / name)
        text = said(qtbot, bar)
        assert bar.level() == "error" and len(text) > 30, (name, text)
    assert generate_panel(studio).controls.form.value() == form
    draw(qtbot, studio, steps=1)


@pytest.mark.parametrize("target", [on_window, on_panel])
def test_a_picture_of_ours_cut_short_restores_nothing_and_the_whole_one_everything(
    open_studio: Any, qtbot: QtBot, tmp_path: Path, target: Target
) -> None:
    studio = open_studio()
    widget, bar = target(studio)
    panel = draw(qtbot, studio, steps=2, seed=77, prompt="a dog")
    whole = panel.shown.file_of(0).read_bytes()
    made = panel.shown.request
    panel.controls.form.set_fields({"seed": 5, "prompt": "a cat", "steps": 3})
    for place, share in enumerate((0.05, 0.3, 0.7, 0.98)):
        (tmp_path / f"cut-{place}.png").write_bytes(whole[: int(len(whole) * share)])
        bar.clear()
        drop(widget, tmp_path / f"cut-{place}.png")
        said(qtbot, bar)
        assert bar.level() == "error" and panel.controls.form.value().seed == 5
    drop(widget, panel.shown.file_of(0))
    qtbot.waitUntil(lambda: panel.controls.form.value() == made)
    quiet(qtbot, studio)


@pytest.mark.parametrize("target", [on_window, on_panel])
def test_a_picture_of_another_tool_restores_what_fits_and_names_the_rest(
    open_studio: Any, qtbot: QtBot, tmp_path: Path, target: Target
) -> None:
    studio = open_studio()
    widget, bar = target(studio)
    panel, frame_bar = generate_panel(studio), studio.window.panels.frame("generate").bar
    for key, text, tool, lost in (
        ("parameters", A1111, "AUTOMATIC1111", "Clip skip"),
        ("invokeai_metadata", json.dumps(INVOKEAI), "InvokeAI", "loras"),
        ("prompt", json.dumps(COMFYUI), "ComfyUI", "batch of 4"),
    ):
        panel.controls.form.set_value(GenerateRequest())
        panel.controls.seed.set_fixed(False)
        for one in (bar, frame_bar):
            one.clear()
        info = PngInfo()
        info.add_text(key, text)
        Image.new("RGB", (8, 8)).save(tmp_path / "foreign.png", pnginfo=info)
        drop(widget, tmp_path / "foreign.png")
        said(qtbot, bar, tool, lost)
        said(qtbot, frame_bar, "blurry", "sd15", "512×768")
        form = panel.controls.form.value()
        assert (form.prompt, form.steps, form.guidance_scale, form.seed) == ("a red apple", 12, 6.5, 123)
        assert form.sampler == ("dpmpp_2m" if key == "parameters" else "ddim") and form.model == "emoji-base"
        assert panel.controls.seed.fixed


def test_settings_in_exif_are_taken_from_jpeg_and_webp_too(open_studio: Any, qtbot: QtBot, tmp_path: Path) -> None:
    studio = open_studio()
    for suffix, seed in ((".jpg", 5), (".webp", 6)):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + A1111.replace("123", str(seed)).encode("utf-16-be")
        Image.new("RGB", (8, 8)).save(tmp_path / f"a{suffix}", exif=exif)
        studio.window.bar.clear()
        drop(studio.window, tmp_path / f"a{suffix}")
        said(qtbot, studio.window.bar, "AUTOMATIC1111", f"a{suffix}")
        form = generate_panel(studio).controls.form.value()
        assert (form.prompt, form.seed) == ("a red apple", seed)


@pytest.mark.parametrize("target", [on_window, on_panel])
def test_a_seed_out_of_range_in_a_picture_is_named_and_the_rest_restored(
    open_studio: Any, qtbot: QtBot, tmp_path: Path, target: Target
) -> None:
    studio = open_studio()
    widget, _bar = target(studio)
    panel, bar = generate_panel(studio), studio.window.panels.frame("generate").bar
    pixels, path = np.zeros((8, 8, 3), np.uint8), tmp_path / "picture.png"
    for seed in (-1, MAX_SEED + 1, 10**30, "many", 1.5):
        ours = {**GenerateRequest().to_dict(), "prompt": "a dog", "seed": seed}
        data = [encode_png(pixels, envelope("generate", ours, {}), "")]
        if isinstance(seed, int):
            data.append(encode_png(pixels, None, A1111.replace("red apple", "dog").replace("Seed: 123", f"Seed: {seed}")))
        for content in data:
            panel.controls.form.set_value(GenerateRequest(prompt="a cat"))
            bar.clear()
            path.write_bytes(content)
            drop(widget, path)
            said(qtbot, bar, "Seed")
            form = panel.controls.form.value()
            assert form.prompt == "a dog" and 0 <= form.seed <= MAX_SEED
        quiet(qtbot, studio)


def test_of_several_files_the_first_picture_is_taken_and_no_other_kind(open_studio: Any, qtbot: QtBot, tmp_path: Path) -> None:
    from PySide6.QtCore import QMimeData, QUrl

    from studio.ui.drop import dropped_pictures

    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "a.exe")), QUrl("https://example.org/a.png"), QUrl.fromLocalFile(str(tmp_path / "B.PNG"))])
    assert dropped_pictures(data) == [tmp_path / "B.PNG"]
