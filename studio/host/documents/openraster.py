"""OpenRaster (`.ora`), the layered format that Krita, GIMP and MyPaint open.

Source: OpenRaster file layout and layer stack specifications, baseline (openraster.org): a zip file whose first member is
`mimetype`, stored; `stack.xml` with the topmost layer first; layers as PNG under `data/`; `mergedimage.png`, the whole
picture; `Thumbnails/thumbnail.png`, at most 256 pixels a side.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from studio.host.atomic import replacing
from studio.host.documents.content import DocumentContent, LayerContent, Pixels
from studio.host.documents.flatten import flatten
from studio.host.documents.png import encode
from studio.host.imagemeta import thumbnail

SUFFIX = ".ora"
MIMETYPE = b"image/openraster"
VERSION = "0.0.5"
THUMBNAIL_SIDE = 256
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2 (Char)


def write_ora(path: Path, content: DocumentContent) -> None:
    """Export a document with its layers, atomically. Hints and mask become hidden layers on top, so nothing is lost.

    Raises FileUnwritable; an existing file then stays as it was.
    """
    for _ in writing_ora(path, content):
        pass


def writing_ora(path: Path, content: DocumentContent) -> Iterator[tuple[int, int]]:
    """As `write_ora`, in steps: after each picture it yields how many are written, and of how many."""
    layers = _layers(content)
    total = len(layers) + 1
    with replacing(path) as temporary:
        with zipfile.ZipFile(temporary, "x") as archive:  # stored: PNG is compressed already
            archive.writestr("mimetype", MIMETYPE)
            archive.writestr("stack.xml", stack_xml(content.width, content.height, layers), zipfile.ZIP_DEFLATED)
            for i, layer in enumerate(layers):
                archive.writestr(_source(i), encode(layer.pixels))
                yield i + 1, total
            merged = flatten(content)
            archive.writestr("mergedimage.png", encode(merged))
            archive.writestr("Thumbnails/thumbnail.png", thumbnail(merged, THUMBNAIL_SIDE))
            yield total, total


def stack_xml(width: int, height: int, layers: list[LayerContent]) -> bytes:
    """The layer stack: `layers` bottom first here, topmost first in the file."""
    image = ElementTree.Element("image", version=VERSION, w=str(width), h=str(height))
    stack = ElementTree.SubElement(image, "stack")
    for i, layer in reversed(list(enumerate(layers))):
        ElementTree.SubElement(
            stack, "layer", {
                "name": _NOT_XML.sub("\ufffd", layer.name), "src": _source(i), "x": "0", "y": "0",
                "opacity": f"{layer.opacity:.6g}", "visibility": "visible" if layer.visible else "hidden",
                "composite-op": "svg:src-over",
            },
        )  # fmt: skip
    data: bytes = ElementTree.tostring(image, encoding="UTF-8", xml_declaration=True)
    return data


def _layers(content: DocumentContent) -> list[LayerContent]:
    """All layers, bottom first. A document without any gets an empty one, since programs refuse an empty stack."""
    layers = list(content.layers)
    if content.hints is not None:
        layers.append(LayerContent("Colour hints", content.hints, visible=False))
    if content.mask is not None:
        layers.append(LayerContent("Mask", _mask_picture(content.mask), visible=False))
    return layers or [LayerContent("Empty", np.zeros((content.height, content.width, 4), np.uint8))]


def _mask_picture(mask: Pixels) -> Pixels:
    """White where something is to be drawn, as clear as the mask is soft."""
    picture = np.full((*mask.shape, 4), 255, np.uint8)
    picture[..., 3] = mask
    return picture


def _source(index: int) -> str:
    return f"data/layer{index:03}.png"
