"""The pictures inside a document: PNG, lossless, quickly written, and trusted only when they are what was announced."""

from __future__ import annotations

import io
import zlib

import numpy as np

from studio.host.documents.content import Pixels
from studio.host.documents.schema import Damage
from studio.host.imagemeta.pixels import DECODER_ERRORS, as_image

_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def encode(pixels: Pixels) -> bytes:
    """A PNG of [H, W, 4] or [H, W]: run-length matching, for photos faster and smaller than zlib's own level 1."""
    buffer = io.BytesIO()
    as_image(pixels).save(buffer, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def decode(data: bytes, shape: tuple[int, ...], name: str) -> Pixels:
    """The read-only pixels of a PNG that must be of `shape`; its own word is compared before a pixel is unpacked.

    Raises Damage, which calls the picture `name`.
    """
    from PIL import Image as pil

    if not data.startswith(_HEAD):
        raise Damage(f"its part “{name}” is no PNG picture")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if (height, width) != shape[:2]:
        raise Damage(f"its part “{name}” is {width:,} × {height:,} pixels, not {shape[1]:,} × {shape[0]:,}")
    try:
        with pil.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.mode != ("RGBA" if len(shape) == 3 else "L"):
                raise Damage(f"its part “{name}” holds pixels of another kind ({image.mode})")
            pixels: Pixels = np.array(image)
    except DECODER_ERRORS as error:
        raise Damage(f"its part “{name}” is cut off or damaged ({error})") from error
    pixels.flags.writeable = False
    return pixels
