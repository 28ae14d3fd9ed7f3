"""Pixels in and out: arrays to PIL images, safe loading, thumbnails."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.host.imagemeta.containers import ImageMetadataError, read_container

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image


# What Pillow's decoders let out for damaged files (struct.error and zlib.error derive from Exception alone).
DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, ArithmeticError, LookupError, TypeError, AttributeError, struct.error, zlib.error,
    Warning,
)  # fmt: skip


def as_image(image: Any) -> Image:
    """A PIL image of a PIL image or a uint8 array HxW, HxWx1, HxWx3 or HxWx4. Raises ValueError for anything else."""
    from PIL import Image as pil

    if isinstance(image, pil.Image):
        return image
    array = np.asarray(image)
    if array.dtype != np.uint8 or 0 in array.shape:
        raise ValueError(f"a picture is a non-empty uint8 array, not {array.dtype} of shape {array.shape}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in (3, 4)):
        raise ValueError(f"a picture has the shape HxW, HxWx3 or HxWx4, not {array.shape}")
    return pil.fromarray(np.ascontiguousarray(array))


def load_rgb(path: str | Path) -> NDArray[np.uint8]:
    """The pixels of a PNG, WebP or JPEG file as uint8 HxWx3, upright, transparency over white.

    The size is checked before anything is decoded. Raises ImageMetadataError.
    """
    from PIL import Image as pil
    from PIL import ImageOps

    target = Path(path)
    found = read_container(target)
    try:
        with pil.open(target, formats=[found.format]) as image:
            if image.size != (found.width, found.height):
                raise ImageMetadataError(f"“{target.name}” contradicts itself about its size; it was not opened.")
            upright = ImageOps.exif_transpose(image)
            if upright.has_transparency_data:
                white = pil.new("RGBA", upright.size, "white")
                upright = pil.alpha_composite(white, upright.convert("RGBA"))
            return np.array(upright.convert("RGB"))
    except ImageMetadataError:
        raise
    except DECODER_ERRORS as error:
        raise ImageMetadataError(f"“{target.name}” is cut off or damaged ({error}). Get a complete copy.") from error


def thumbnail(image: Any, side: int = 256) -> bytes:
    """A PNG of at most `side` pixels a side; small pictures stay as they are. `image` as for `as_image`."""
    from PIL import Image as pil

    picture = as_image(image).copy()
    picture.thumbnail((side, side), pil.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
