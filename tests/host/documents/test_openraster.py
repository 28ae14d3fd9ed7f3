"""OpenRaster files are laid out as the specification says, and show what the document shows."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from studio.host.atomic import FileUnwritable
from studio.host.documents.content import DocumentContent, LayerContent, Pixels
from studio.host.documents.flatten import flatten
from studio.host.documents.openraster import write_ora
from tests.host.documents.samples import files_at_most, noise, sample


def picture(archive: zipfile.ZipFile, name: str) -> Pixels:
    with Image.open(io.BytesIO(archive.read(name))) as image:
        assert image.format == "PNG" and image.mode == "RGBA" and not image.info.get("interlace")
        return np.asarray(image)


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    path = tmp_path / "a.ora"
    write_ora(path, sample(600, 300))
    return path


def test_the_layout_is_that_of_the_specification(exported: Path) -> None:
    raw = exported.read_bytes()
    # File layout: the first member is called mimetype, is stored, and holds the type without a line break; so that
    # the type stands at byte 38 of the file there is no extra field either.
    assert raw[:4] == b"PK\3\4" and raw[8:10] == b"\0\0" and raw[26:30] == b"\x08\0\0\0"
    assert raw[30:54] == b"mimetypeimage/openraster"
    with zipfile.ZipFile(exported) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert set(names) == {
            "mimetype", "stack.xml", "mergedimage.png", "Thumbnails/thumbnail.png", *(f"data/layer00{i}.png" for i in range(4)),
        }  # fmt: skip
        assert {info.compress_type for info in archive.infolist()} <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
        assert picture(archive, "mergedimage.png").shape == (300, 600, 4)
        small = picture(archive, "Thumbnails/thumbnail.png")
        assert small.shape == (128, 256, 4)  # as large as fits into 256 × 256, same shape


def test_the_stack_is_topmost_first_and_names_every_layer(exported: Path) -> None:
    content = sample(600, 300)
    with zipfile.ZipFile(exported) as archive:
        text = archive.read("stack.xml")
        root = ElementTree.fromstring(text)
        assert text.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
        assert root.tag == "image" and (root.get("w"), root.get("h")) == ("600", "300") and root.get("version")
        (stack,) = root
        assert stack.tag == "stack" and {layer.tag for layer in stack} == {"layer"}
        assert [layer.get("name") for layer in stack] == ["Mask", "Colour hints", "", "Photo — 猫"]
        assert [layer.get("visibility") for layer in stack] == ["hidden", "hidden", "hidden", "visible"]
        assert [layer.get("opacity") for layer in stack] == ["1", "1", "0.3", "1"]
        assert {(layer.get("x"), layer.get("y"), layer.get("composite-op")) for layer in stack} == {("0", "0", "svg:src-over")}
        mask, hints, upper, lower = (picture(archive, str(layer.get("src"))) for layer in stack)
    assert np.array_equal(lower, content.layers[0].pixels) and np.array_equal(upper, content.layers[1].pixels)
    assert content.hints is not None and np.array_equal(hints, content.hints)
    assert np.array_equal(mask[..., 3], content.mask) and (mask[..., :3] == 255).all()


def test_names_that_xml_cannot_hold_and_documents_without_layers(tmp_path: Path) -> None:
    names = ['<&"\'>\n', "bell\a and half \ud800", "\ufffe"]
    layers = tuple(LayerContent(name, noise(2, 3, 4)) for name in names)
    for content in (DocumentContent(3, 2, layers), DocumentContent(3, 2)):
        write_ora(tmp_path / "a.ora", content)
        with zipfile.ZipFile(tmp_path / "a.ora") as archive:
            found = [layer.get("name") for layer in ElementTree.fromstring(archive.read("stack.xml"))[0]]
        assert found == (["\ufffd", "bell\ufffd and half \ufffd", names[0]] if content.layers else ["Empty"])


def test_a_failure_keeps_the_old_file(exported: Path) -> None:
    before = exported.read_bytes()
    with files_at_most(5000), pytest.raises(FileUnwritable):
        write_ora(exported, sample(600, 300, seed=4))
    assert exported.read_bytes() == before and [path.name for path in exported.parent.iterdir()] == ["a.ora"]


# --- flattening ------------------------------------------------------------------------------------------------------


def over(layers: list[LayerContent]) -> np.ndarray:
    """The definition, in float64: α = α₁ + α₀ (1 − α₁), c = (c₁ α₁ + c₀ α₀ (1 − α₁)) / α."""
    colour, alpha = np.zeros((*layers[0].pixels.shape[:2], 3)), np.zeros((*layers[0].pixels.shape[:2], 1))
    for layer in layers:
        top = layer.pixels[..., 3:] / 255 * layer.opacity
        total = top + alpha * (1 - top)
        colour = (layer.pixels[..., :3] * top + colour * alpha * (1 - top)) / np.maximum(total, 1e-12)
        alpha = total
    return np.dstack([colour, alpha * 255])


def test_flattening_is_the_definition_to_a_level_or_two() -> None:
    layers = [LayerContent(str(i), noise(150, 30, 4, seed=i), opacity=opacity) for i, opacity in enumerate((1.0, 0.5, 0.85))]
    hidden = [replace(layers[1], visible=False), replace(layers[2], opacity=0.0)]
    found = flatten(DocumentContent(30, 150, (layers[0], *hidden, *layers[1:])))
    expected = over(layers)
    assert np.abs(found[..., 3] - expected[..., 3]).max() <= 1.5
    seen = expected[..., 3] > 64  # where little is to be seen, a level of alpha is many of colour
    assert np.abs(found[..., :3] - expected[..., :3])[seen].max() <= 3


def test_what_nothing_covers_stays_to_the_bit() -> None:
    photo = noise(150, 30, 4)
    photo[..., 3] = 255
    patch = np.zeros_like(photo)
    patch[10:20, 5:9] = noise(10, 4, 4, seed=1)
    patch[10:20, 5:9, 3] = 255
    found = flatten(DocumentContent(30, 150, (LayerContent("photo", photo), LayerContent("patch", patch))))
    expected = photo.copy()
    expected[10:20, 5:9] = patch[10:20, 5:9]
    assert np.array_equal(found, expected)
    assert np.array_equal(flatten(sample()), sample().layers[0].pixels)
    assert not flatten(DocumentContent(3, 2)).any()
