"""`.glassbox` files: back to the bit, old or new but never half, and no harm from the files of strangers."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from studio.host.atomic import FileUnwritable
from studio.host.documents import schema
from studio.host.documents.archive import is_document, read_document, write_document, writing
from studio.host.documents.content import DocumentContent, LayerContent, VersionContent
from studio.host.documents.png import encode
from studio.host.documents.schema import DocumentNewer, DocumentUnreadable
from tests.host.documents.samples import files_at_most, noise, sample

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Members = dict[str, bytes]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "picture.glassbox"
    write_document(path, sample())
    return path


def members(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(path: Path, change: Callable[[Members], None], method: int = zipfile.ZIP_STORED) -> Path:
    """The same document with some members changed by hand."""
    parts = members(path)
    change(parts)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def retold(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The same document with its description changed by hand."""

    def rewrite(parts: Members) -> None:
        data = json.loads(parts["document.json"])
        change(data)
        parts["document.json"] = json.dumps(data).encode()

    return repacked(path, rewrite)


# --- round trips ---------------------------------------------------------------------------------------------------


def test_everything_comes_back_to_the_bit_under_any_name(saved: Path) -> None:
    other = saved.rename(saved.with_name("picture.zip"))
    found = read_document(other)
    assert found == sample() and is_document(other)
    assert not found.layers[0].pixels.flags.writeable
    assert [p.name for p in saved.parent.iterdir()] == ["picture.zip"]


jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6,
)  # fmt: skip
objects = st.dictionaries(st.text(max_size=5), jsons, max_size=3)


@st.composite
def contents(draw: st.DrawFn) -> DocumentContent:
    width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    seeds = st.integers(0, 2**32)
    layers = st.builds(
        lambda name, seed, visible, opacity: LayerContent(name, noise(height, width, 4, seed=seed), visible, opacity),
        st.text(max_size=9), seeds, st.booleans(), st.floats(0, 1),
    )  # fmt: skip
    return DocumentContent(
        width, height, tuple(draw(st.lists(layers, max_size=3))),
        draw(st.none() | seeds.map(lambda seed: noise(height, width, 4, seed=seed))),
        draw(st.none() | seeds.map(lambda seed: noise(height, width, seed=seed))),
        tuple(VersionContent(f"v{i}", data, None) for i, data in enumerate(draw(st.lists(objects, max_size=2)))),
        draw(st.none() | objects), draw(objects),
    )  # fmt: skip


@FUZZ
@given(content=contents())
def test_any_document_comes_back(tmp_path: Path, content: DocumentContent) -> None:
    write_document(tmp_path / "a.glassbox", content)
    assert read_document(tmp_path / "a.glassbox") == content


def test_odd_values_never_keep_one_from_saving(tmp_path: Path) -> None:
    path = tmp_path / "a.glassbox"
    odd = replace(sample(), view={"zoom": float("nan"), "far": [float("inf")]}, request={"text": "half \ud83d", "n": np.int64(3)})
    write_document(path, replace(odd, layers=(LayerContent("x\udc80", noise(20, 30, 4)[:, ::-1]),)))
    found = read_document(path)
    assert found.view == {"zoom": None, "far": [None]} and found.request == {"text": "half ?", "n": 3}
    assert found.layers[0].name == "x?" and np.array_equal(found.layers[0].pixels, noise(20, 30, 4)[:, ::-1])
    with pytest.raises(ValueError, match="no JSON form"):
        write_document(path, replace(sample(), view={"window": object()}))
    assert read_document(path) == found


def test_other_programs_find_plain_pictures_inside(saved: Path) -> None:
    parts = members(saved)
    assert list(parts)[:2] == ["mimetype", "document.json"]
    with Image.open(io.BytesIO(parts["layers/000.png"])) as image:
        assert image.mode == "RGBA" and np.array_equal(np.asarray(image), sample().layers[0].pixels)
    with Image.open(io.BytesIO(parts["mask.png"])) as image:
        assert image.mode == "L" and np.array_equal(np.asarray(image), sample().mask)


# --- saving --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 100, 1500, 4000, 9000])
def test_a_disk_that_fills_up_keeps_the_old_file(saved: Path, size: int) -> None:
    with files_at_most(size), pytest.raises(FileUnwritable, match="could not be written"):
        write_document(saved, sample(seed=9))
    assert read_document(saved) == sample() and [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_saving_tells_how_far_it_is_and_can_be_left(saved: Path) -> None:
    steps = writing(saved, sample(seed=9))
    assert next(steps) == (1, 5)
    steps.close()
    assert read_document(saved) == sample() and [p.name for p in saved.parent.iterdir()] == [saved.name]
    assert list(writing(saved, sample(seed=9))) == [(n, 5) for n in range(1, 6)]
    assert read_document(saved) == sample(seed=9)


# --- bad files -----------------------------------------------------------------------------------------------------


def refused(path: Path, words: str) -> None:
    with pytest.raises(DocumentUnreadable, match=words) as caught:
        read_document(path)
    assert path.name in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 99, "open it as a picture"),
        (b"a letter", "no Glassbox document, whatever"),
        (b"PK\3\4" + b"\0" * 99, "cut off or no zip"),
        (b"PK\5\6" + b"\0" * 18, "no Glassbox document"),
        (b"PK\5\6" + b"\0" * 8 + struct.pack("<II", 2**31, 0) + b"\0\0", "20,000 parts"),
    ],
)
def test_what_is_no_document(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "odd.glassbox"
    path.write_bytes(data)
    assert not is_document(path)
    refused(path, words)


def test_what_is_not_there(tmp_path: Path) -> None:
    refused(tmp_path / "gone.glassbox", "could not be read")
    refused(tmp_path, "could not be read")
    assert not is_document(tmp_path / "gone.glassbox") and not is_document(tmp_path)


def test_a_newer_version_is_named_and_what_to_do(saved: Path) -> None:
    retold(saved, lambda data: data.update(schema=7, made_by="Glassbox Studio 9.1", document={"whole": "other"}))
    with pytest.raises(DocumentNewer, match=r"Glassbox Studio 9\.1; document format 7, this one reads up to 1.*Update"):
        read_document(saved)


def test_additions_of_the_same_schema_are_ignored(saved: Path) -> None:
    retold(saved, lambda data: (data.update(colour="red"), data["document"].update(gradients=[1])))
    repacked(saved, lambda parts: parts.update({"notes/letter.txt": b"hello", "preview.png": b"not a picture"}))
    assert read_document(saved) == sample()


@pytest.mark.parametrize("name", ["../a.png", "/etc/passwd", "a/../../b", "C:/a.png", "..\\a.png", "a\nb", "layers/.."])
def test_names_that_point_outside_are_refused(saved: Path, name: str) -> None:
    refused(repacked(saved, lambda parts: parts.update({name: b"x"})), "points outside")


def test_two_members_of_one_name_are_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("mask.png", b"other")
    refused(saved, "same name")


def patched(path: Path, name: str, offset: int, value: bytes) -> Path:
    """Change bytes of one entry of the central directory (APPNOTE 4.3.12); offset counts from its signature."""
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\1\2", 0, data.rindex(name.encode()))
    data[place + offset : place + offset + len(value)] = value
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (8, b"\1\0", "encrypted"), (10, b"\x0e\0", "method that documents do not use"), (10, b"\x63\0", "method"),
        (24, struct.pack("<I", 2**31), "unpacks to 2,147,483,648 bytes"), (24, struct.pack("<I", 9), "cut off|claims"),
        (20, struct.pack("<II", 0, 5000), "claims to unpack|cut off"), (16, b"\0\0\0\0", "cut off or damaged"),
        (42, struct.pack("<I", 2**30), "cut off or damaged"),
    ],
)  # fmt: skip
def test_lies_in_the_directory(saved: Path, offset: int, value: bytes, words: str) -> None:
    refused(patched(saved, "mask.png", offset, value), words)


def test_a_description_bomb_is_refused_without_allocating(saved: Path) -> None:
    bomb = b'{"format": "' + b" " * (65 << 20) + b'"}'
    repacked(saved, lambda parts: parts.update({"document.json": bomb}), zipfile.ZIP_DEFLATED)
    del bomb
    tracemalloc.start()
    try:
        refused(saved, "unpacks to 68,157,4.. bytes")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_pixels_that_do_not_fit_into_the_memory_are_refused_before_the_first_is_read(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def huge(data: dict[str, Any]) -> None:
        version = data["document"]["versions"][0]
        version["pixels"] |= {"width": 8192, "height": 8192}
        data["document"]["versions"] = [{**version, "id": str(i)} for i in range(100)]

    retold(saved, huge)
    refused(saved, r"unpacks to 25\.0 GiB of pictures, and \d+\.\d GiB of memory can be used\. Close")
    monkeypatch.setattr(schema.psutil, "virtual_memory", lambda: SimpleNamespace(available=100))
    write_document(saved, sample())
    refused(saved, "0.0 GiB of memory can be used")


def test_too_many_members(saved: Path) -> None:
    refused(repacked(saved, lambda parts: parts.update({f"x/{i}": b"" for i in range(20_001)})), "20,0.. parts|20,000")


def cut_png(parts: Members) -> None:
    parts["layers/000.png"] = parts["layers/000.png"][:-40]


def other_size(parts: Members) -> None:
    parts["layers/000.png"] = encode(noise(20, 31, 4))


def huge_png(parts: Members) -> None:
    data = bytearray(parts["layers/000.png"])
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    parts["layers/000.png"] = bytes(data)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda parts: parts.pop("mask.png"), "its part “mask.png” is missing"),
        (lambda parts: parts.pop("document.json"), "is a zip archive, but no Glassbox document"),
        (lambda parts: parts.update({"mask.png": b"GIF89a"}), "“mask.png” is no PNG"),
        (lambda parts: parts.update({"mask.png": parts["hints.png"]}), r"another kind \(RGBA\)"),
        (cut_png, "cut off or damaged"),
        (other_size, r"is 31 × 20 pixels, not 30 × 20"),
        (huge_png, r"is 60,000 × 60,000 pixels"),
        (lambda parts: parts.update({"mask.png": parts["mask.png"] + b"\0" * 70_000}), "are the most possible"),
    ],
)
def test_members_that_are_not_what_was_said(saved: Path, change: Callable[[Members], None], words: str) -> None:
    refused(repacked(saved, change), words)


def set_in(*way: str | int, value: object) -> Callable[[dict[str, Any]], None]:
    def change(data: Any) -> None:
        for step in way[:-1]:
            data = data[step]
        data[way[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_in("format", value="other"), "not that of a Glassbox document"),
        (set_in("schema", value="1"), "not that of a Glassbox"),
        (set_in("schema", value=0), "not that of a Glassbox"),
        (set_in("schema", value=True), "not that of a Glassbox"),
        (set_in("document", value=[]), "wrong at document"),
        (set_in("document", "width", value=31), "a layer is 30 × 20 pixels in a document of 31 × 20"),
        (set_in("document", "width", value="wide"), "wrong at width"),
        (set_in("document", "layers", 0, "opacity", value=float("nan")), "not valid JSON"),
        (set_in("document", "layers", 0, "opacity", value=2), r"wrong at layers\.0\.opacity"),
        (set_in("document", "layers", 0, "pixels", "parts", value=[]), r"pixels\.parts"),
        (set_in("document", "layers", 0, "pixels", "parts", value=["a", "b"]), "several parts"),
        (set_in("document", "layers", 0, "pixels", "parts", value=["../../etc/passwd"]), "missing"),
        (set_in("document", "layers", 0, "pixels", "channels", value=3), "channels"),
        (set_in("document", "versions", 1, "id", value="20261123-1"), "same id"),
        (set_in("document", "versions", 0, "pixels", "width", value=10**9), "wrong at versions"),
        (set_in("document", "mask", "channels", value=4), "another kind"),
    ],
)
def test_descriptions_that_are_wrong(saved: Path, change: Callable[[dict[str, Any]], None], words: str) -> None:
    refused(retold(saved, change), words)


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b"\xff\xfe", b'{"a":' * 100_000, b'{"n": ' + b"9" * 5000 + b"}", b"NaN"])
def test_descriptions_that_are_garbage(saved: Path, raw: bytes) -> None:
    refused(repacked(saved, lambda parts: parts.update({"document.json": raw})), "description|document")


def test_every_truncation_is_refused(saved: Path) -> None:
    data = saved.read_bytes()
    for length in range(0, len(data), 211):
        saved.write_bytes(data[:length])
        with pytest.raises(DocumentUnreadable):
            read_document(saved)


@FUZZ
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 12), tail=st.booleans())
def test_flipped_bytes_are_refused_or_do_not_matter(tmp_path: Path, seed: int, flips: int, tail: bool) -> None:
    path = tmp_path / "a.glassbox"
    write_document(path, sample(6, 5))
    random = np.random.default_rng(seed)
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    data[random.integers(len(data) - 600 if tail else 0, len(data), flips)] = random.integers(0, 256, flips)
    path.write_bytes(data.tobytes())
    try:
        found = read_document(path)
    except DocumentUnreadable as error:
        assert str(error)
    else:  # checksums guard what matters; zlib's own is there too
        assert found == sample(6, 5)


@FUZZ
@given(data=st.binary(max_size=300), start=st.sampled_from([b"", b"PK\3\4", b"PK\5\6", b"PK\6\6" + b"\0" * 52 + b"PK\6\7" + b"\0" * 16 + b"PK\5\6"]))
def test_any_bytes(tmp_path: Path, data: bytes, start: bytes) -> None:
    path = tmp_path / "a.glassbox"
    path.write_bytes(start + data)
    with pytest.raises(DocumentUnreadable):
        read_document(path)


def test_run_length_matching_is_still_lossless_png() -> None:
    pixels = noise(50, 40, 4)
    with Image.open(io.BytesIO(encode(pixels))) as image:
        assert np.array_equal(np.asarray(image), pixels)
    assert len(encode(np.zeros((1000, 1000), np.uint8))) < 4000
