"""Settings in pictures: what we write comes back, what others write is understood, hostile files are refused."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from studio.host.imagemeta import (
    ImageMetadata, ImageMetadataError, ImageTooLarge, encode_image, encode_png, envelope, format_parameters, load_rgb,
    read_metadata, thumbnail, write_image, write_png,
)  # fmt: skip
from studio.host.imagemeta.exif import read_exif, write_exif

PIXELS = np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)
REQUEST = {"prompt": "a cat — 猫, “red”", "steps": 20, "seed": 2**60, "guidance_scale": 3.5, "extra": [1]}
OURS = envelope("generate", REQUEST, {"model_sha256": "ab" * 32, "device": "cpu"})


def png(chunks: list[tuple[bytes, bytes]], width: int = 4, height: int = 3) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = b"".join(chunk(kind, data) for kind, data in chunks)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * (width * 3 + 1) * height)) if width * height < 100 else b""
    return b"\x89PNG\r\n\x1a\n" + head + body + pixels + chunk(b"IEND", b"")


def read(tmp_path: Path, data: bytes) -> ImageMetadata:
    path = tmp_path / "picture"
    path.write_bytes(data)
    return read_metadata(path)


def with_text(**texts: str) -> bytes:
    info = PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg", ".JPEG"])
@pytest.mark.parametrize("prompt", ["a cat", "a cat — 猫 🐈\nsecond line", ""])
def test_ours_round_trips_in_every_format(tmp_path: Path, suffix: str, prompt: str) -> None:
    path = tmp_path / f"picture{suffix}"
    text = format_parameters(prompt, "blurry", steps=20, sampler="DDIM", seed=7, guidance_scale=3.5, size=(16, 12))
    write_image(PIXELS, path, envelope("generate", {**REQUEST, "prompt": prompt}, OURS["provenance"]), text)
    found = read_metadata(path)
    assert found.source == "glassbox" and found.kind == "generate" and found.unmapped == []
    assert found.request == {**REQUEST, "prompt": prompt} and found.provenance["device"] == "cpu"
    assert (found.width, found.height, found.prompt) == (16, 12, prompt)
    assert found.mapped["seed"] == 2**60 and found.mapped["guidance_scale"] == 3.5
    assert found.texts["parameters"] == text
    difference = np.abs(load_rgb(path).astype(int) - PIXELS)
    assert difference.max() == 0 if suffix == ".png" else difference.mean() < 12


def test_other_programs_read_what_we_write(tmp_path: Path) -> None:
    text = format_parameters("a cat", steps=1, seed=2, guidance_scale=3)
    with Image.open(io.BytesIO(encode_png(PIXELS, OURS, text))) as image:
        assert image.info["parameters"] == text and json.loads(image.info["glassbox"]) == OURS
    latin = encode_png(PIXELS, None, text)
    assert b"tEXtparameters" in latin and b"iTXt" not in latin
    assert b"iTXtparameters" in encode_png(PIXELS, None, "猫")
    for format in ("webp", "jpeg"):
        with Image.open(io.BytesIO(encode_image(PIXELS, format, OURS, "猫 " + text))) as image:  # type: ignore[arg-type]
            exif = image.getexif()
            comment = exif.get_ifd(0x8769)[0x9286]
            assert comment == b"UNICODE\0" + ("猫 " + text).encode("utf-16-be")
            assert str(exif[0x010E]).startswith("glassbox:{")


def test_writing_is_atomic_and_plain_files_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_png(Image.new("RGBA", (5, 6)), path)
    found = read_metadata(path)
    assert found.source is None and found.mapped == {} and (found.width, found.height) == (5, 6)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="uint8"):
        write_png(PIXELS.astype(float), path)
    with pytest.raises(ImageMetadataError, match=".tiff"):
        write_image(PIXELS, tmp_path / "a.tiff")
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_settings_too_long_for_jpeg(tmp_path: Path) -> None:
    with pytest.raises(ImageMetadataError, match="Save as PNG or WebP"):
        write_image(PIXELS, tmp_path / "a.jpg", None, "x" * 40_000)
    write_image(PIXELS, tmp_path / "a.webp", None, "x" * 40_000)
    assert read_metadata(tmp_path / "a.webp").prompt == "x" * 40_000


def test_a1111(tmp_path: Path) -> None:
    text = (
        "a (cat:1.2), left\nof a red apple\nNegative prompt: blurry, dark\nugly\n"
        'Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7.5, Seed: 4294967295, Size: 512x768, Model hash: 6ce0161689, '
        'Model: v1-5-pruned, Lora hashes: "a: 1, b: 2", Version: v1.6.0'
    )
    found = read(tmp_path, with_text(parameters=text))
    assert found.source == "a1111" and found.request is None
    assert found.mapped == {
        "prompt": "a (cat:1.2), left\nof a red apple", "negative_prompt": "blurry, dark\nugly", "steps": 20,
        "sampler": "DPM++ 2M Karras", "guidance_scale": 7.5, "seed": 4294967295, "width": 512, "height": 768,
        "model": "v1-5-pruned",
    }  # fmt: skip
    assert found.unmapped == ["Model hash: 6ce0161689", "Lora hashes: a: 1, b: 2"]
    assert found.negative_prompt == "blurry, dark\nugly"


@pytest.mark.parametrize("order", ["little", "big"])
def test_a1111_in_exif_of_both_byte_orders(order: str) -> None:
    body = "猫 cat, Steps".encode("utf-16-le" if order == "little" else "utf-16-be")
    mark, pack = (b"II*\0", "<") if order == "little" else (b"MM\0*", ">")
    comment = b"UNICODE\0" + body
    block = struct.pack(f"{pack}IHHHIIIHHHIII", 8, 1, 0x8769, 4, 1, 26, 0, 1, 0x9286, 7, len(comment), 44, 0)
    data = mark + block + comment
    assert read_exif(data) == {"parameters": "猫 cat, Steps"}
    assert read_exif(b"Exif\0\0" + write_exif("ab", "{}")) == {"parameters": "ab", "glassbox": "{}"}


def test_invokeai(tmp_path: Path) -> None:
    data = {
        "generation_mode": "txt2img", "positive_prompt": "a cat", "negative_prompt": "", "width": 512, "height": 640,
        "seed": 1, "cfg_scale": 7.5, "steps": 30, "scheduler": "euler", "model": {"name": "sdxl", "hash": "x"},
        "loras": [{"model": {"name": "l"}, "weight": 0.5}], "clip_skip": 0, "seamless_x": False, "app_version": "5.6.0",
        "strength": 0.7,
    }  # fmt: skip
    found = read(tmp_path, with_text(invokeai_metadata=json.dumps(data), invokeai_graph="{}"))
    assert found.source == "invokeai"
    assert found.mapped == {
        "prompt": "a cat", "negative_prompt": "", "width": 512, "height": 640, "seed": 1, "guidance_scale": 7.5,
        "steps": 30, "sampler": "euler", "model": "sdxl",
    }  # fmt: skip
    assert [text.split(":")[0] for text in found.unmapped] == ["loras", "strength"]


def comfy_graph() -> dict[str, Any]:
    return {
        "3": {"class_type": "KSampler", "inputs": {
            "seed": 5, "steps": ["20", 0], "cfg": 8, "sampler_name": "euler", "scheduler": "normal", "denoise": 1,
            "model": ["10", 0], "positive": ["12", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "v1-5.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 256, "batch_size": 2}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["21", 0], "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "10": {"class_type": "LoraLoader", "inputs": {"lora_name": "x", "model": ["4", 0]}},
        "12": {"class_type": "ControlNetApply", "inputs": {"conditioning": ["6", 0]}},
        "20": {"class_type": "PrimitiveInt", "inputs": {"value": 25}},
        "21": {"class_type": "PrimitiveString", "inputs": {"value": "a cat"}},
    }  # fmt: skip


def test_comfyui(tmp_path: Path) -> None:
    found = read(tmp_path, with_text(prompt=json.dumps(comfy_graph()), workflow="{}"))
    assert found.source == "comfyui"
    assert found.mapped == {
        "seed": 5, "steps": 25, "guidance_scale": 8.0, "sampler": "euler", "prompt": "a cat",
        "negative_prompt": "blurry",
        "width": 512, "height": 256, "model": "v1-5.safetensors",
    }  # fmt: skip
    assert found.unmapped == ["batch of 2", "node LoraLoader", "node ControlNetApply"]


def test_comfyui_loops_and_oddities(tmp_path: Path) -> None:
    graph = comfy_graph()
    graph["6"]["inputs"] = {"text": ["6", 0], "clip": ["12", 0]}
    graph["4"]["inputs"]["model"] = ["10", 0]
    graph["10"]["inputs"] = {"model": ["10", 0]}
    assert "prompt" not in read(tmp_path, with_text(prompt=json.dumps(graph))).mapped
    only_text = {"1": {"class_type": "CLIPTextEncode", "inputs": {"text": "lonely"}}}
    assert read(tmp_path, with_text(prompt=json.dumps(only_text))).prompt == "lonely"
    found = read(tmp_path, with_text(workflow='{"nodes": []}'))
    assert found.source is None and "workflow" in found.unmapped[0]


def test_broken_texts_leave_a_note_and_the_next_one_is_read(tmp_path: Path) -> None:
    deep = "[" * 50_000
    found = read(tmp_path, with_text(glassbox=deep, invokeai_metadata="[1]", prompt="{}", parameters="only a prompt"))
    assert found.source == "a1111" and found.prompt == "only a prompt"
    assert len(found.unmapped) == 2 and "glassbox" in found.unmapped[0] and "invokeai" in found.unmapped[1]
    for text in ("{}", "[]", '{"request": 3, "kind": "x"}', '{"request": {}, "kind": 3}'):
        assert read(tmp_path, with_text(glassbox=text)).source is None
    odd = {"prompt": ["no text"], "seed": "7", "steps": float("nan")}
    newer = json.dumps({"schema": 9, "kind": "x", "request": odd})
    found = read(tmp_path, with_text(glassbox=newer))
    assert found.source == "glassbox" and "schema 9" in found.unmapped[0] and found.mapped == {"seed": 7}


def test_compressed_and_international_texts(tmp_path: Path) -> None:
    zipped = zlib.compress("parameters: grün".encode("latin-1"))
    long = zlib.compress("猫".encode() * 1000)
    found = read(tmp_path, png([
        (b"zTXt", b"Comment\0\0" + zipped), (b"iTXt", b"parameters\0\1\0de\0x\0" + long),
        (b"iTXt", b"bad\0\0\0\0\0\xff\xfe"), (b"zTXt", b"worse\0\0rubbish"), (b"tEXt", b"k" * 200 + b"\0x"),
        (b"tEXt", b"parameters\0second"), (b"eXIf", write_exif("exif", "")),
    ]))  # fmt: skip
    assert found.texts == {"Comment": "parameters: grün", "parameters": "猫" * 1000, "glassbox": ""}
    assert found.prompt == "猫" * 1000 and len(found.unmapped) == 3


@pytest.mark.parametrize(
    "data",
    [
        png([], 60_000, 60_000),
        png([(b"zTXt", b"parameters\0\0" + zlib.compress(b"\0" * (200 << 20), 1))]),
        png([(b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(b" " * (200 << 20), 1))]),
        png([(b"zTXt", b"a\0\0" + zlib.compress(b"x" * (3 << 20)))] * 3),
        png([(b"tEXt", b"parameters\0" + b"x" * (5 << 20))]),
        png([(b"tEXt", b"a\0b")] * 10_001),
        b"RIFF\0\0\0\0WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + b"\xff\xff\xff" * 2,
        b"\xff\xd8\xff\xc0\x00\x0b\x08" + struct.pack(">HH", 60_000, 60_000) + b"\1\1\x11\0\xff\xd9",
    ],
    ids=["png-size", "ztxt-bomb", "itxt-bomb", "three-ztxt", "long-text", "chunks", "webp-size", "jpeg-size"],
)
def test_bombs_are_refused_without_allocating(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        for reader in (read_metadata, load_rgb):
            with pytest.raises(ImageTooLarge):
                reader(path)
        assert tracemalloc.get_traced_memory()[1] < 30 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_every_truncation_is_refused_or_read(tmp_path: Path, format: Any) -> None:
    data = encode_image(PIXELS, format, OURS, "a cat")
    path = tmp_path / "cut"
    refused = 0
    for length in range(0, len(data) - 12, 3):  # the last 12 bytes of a PNG hold nothing but its end mark
        path.write_bytes(data[:length])
        try:
            assert read_metadata(path).source in ("glassbox", None)
        except ImageMetadataError as error:
            refused += 1
            assert "picture" in str(error) or "damaged" in str(error)
        with pytest.raises(ImageMetadataError):
            load_rgb(path) if format != "jpeg" or length < len(data) // 2 else read_metadata(tmp_path / "none")
    assert refused > len(data) // 12


def test_what_is_no_picture(tmp_path: Path) -> None:
    for data in (b"", b"GIF89a", b"%PDF-1.4", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xd9"):
        with pytest.raises(ImageMetadataError):
            read(tmp_path, data)
    for path in (tmp_path / "missing.png", tmp_path):
        with pytest.raises(ImageMetadataError, match="could not be read"):
            read_metadata(path)


def test_a_size_that_contradicts_the_pixels(tmp_path: Path) -> None:
    data = bytearray(encode_image(PIXELS, "webp", None, "x", lossless=True))
    place = data.index(b"VP8X") + 12
    data[place : place + 6] = b"\x05\0\0\x05\0\0"
    (tmp_path / "odd.webp").write_bytes(bytes(data))
    with pytest.raises(ImageMetadataError):
        load_rgb(tmp_path / "odd.webp")


def test_transparency_and_rotation_and_thumbnails(tmp_path: Path) -> None:
    Image.new("RGBA", (3, 2), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (load_rgb(tmp_path / "clear.png") == 255).all()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "turned.jpg", exif=exif)
    assert load_rgb(tmp_path / "turned.jpg").shape == (30, 20, 3)
    with Image.open(io.BytesIO(thumbnail(np.zeros((600, 300), np.uint8), 100))) as image:
        assert image.size == (50, 100)
    with Image.open(io.BytesIO(thumbnail(PIXELS))) as image:
        assert image.size == (16, 12)


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


STARTS = [b"", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"\xff\xd8\xff"]


@FUZZ
@given(data=st.binary(max_size=200), start=st.sampled_from(STARTS))
def test_any_bytes(tmp_path: Path, data: bytes, start: bytes) -> None:
    for reader in (lambda: read(tmp_path, start + data), lambda: load_rgb(tmp_path / "picture")):
        try:
            reader()
        except ImageMetadataError as error:
            assert str(error)


@FUZZ
@given(format=st.sampled_from(["png", "webp", "jpeg"]), seed=st.integers(0, 2**32), flips=st.integers(1, 20))
def test_flipped_bytes(tmp_path: Path, format: Any, seed: int, flips: int) -> None:
    data = np.frombuffer(encode_image(PIXELS, format, OURS, "a cat"), np.uint8).copy()
    random = np.random.default_rng(seed)
    data[random.integers(0, len(data), flips)] = random.integers(0, 256, flips)
    for reader in (lambda: read(tmp_path, data.tobytes()), lambda: load_rgb(tmp_path / "picture")):
        try:
            reader()
        except ImageMetadataError as error:
            assert str(error)


KEYS = st.sampled_from([b"parameters", b"glassbox", b"prompt", b"workflow", b"invokeai_metadata", b"x"])
JSON_TEXT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["1", "inputs", "class_type", "positive", "latent_image", "text", "model", "seed", "request", "kind"]
        )
        | st.text(max_size=5),
        inner,
        max_size=5,
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode())


TYPES = st.sampled_from([b"tEXt", b"iTXt", b"zTXt", b"eXIf"])


@FUZZ
@given(chunks=st.lists(st.tuples(TYPES, KEYS, st.binary(max_size=80) | JSON_TEXT), max_size=5))
def test_any_text_chunks(tmp_path: Path, chunks: list[tuple[bytes, bytes, bytes]]) -> None:
    between = {b"tEXt": b"\0", b"iTXt": b"\0\0\0\0\0", b"zTXt": b"\0\0", b"eXIf": b"\0"}
    found = read(tmp_path, png([(kind, key + between[kind] + text) for kind, key, text in chunks]))
    assert set(found.mapped) <= {
        "prompt", "negative_prompt", "steps", "sampler", "guidance_scale", "seed", "width", "height", "model",
    }  # fmt: skip
    assert all(isinstance(note, str) and len(note) < 300 for note in found.unmapped)
