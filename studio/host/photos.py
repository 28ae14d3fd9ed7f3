"""Photos to paint on: PNG, JPEG, WebP, TIFF, BMP and GIF as 8-bit sRGB with alpha, upright, whatever they were before.

What a file is, its bytes say and not its name. The size is judged before anything is decoded.
"""

from __future__ import annotations

import importlib
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from studio.host.documents.content import MAX_SIDE
from studio.host.imagemeta import MAX_PIXELS
from studio.host.imagemeta.colour import depth_of, to_rgba
from studio.host.imagemeta.pixels import DECODER_ERRORS

if TYPE_CHECKING:
    from PIL.Image import Transpose
    from PIL.ImageFile import ImageFile

# Scaling down takes 8.3 bytes a pixel while it lasts (measured): 2.2 GiB at this size.
MAX_DECODED = 2**28
_ORIENTATION = 0x0112
_KINDS = (  # (offset, first bytes, format of Pillow)
    (0, b"\x89PNG\r\n\x1a\n", "PNG"), (0, b"\xff\xd8\xff", "JPEG"), (8, b"WEBP", "WEBP"), (0, b"GIF8", "GIF"),
    (0, b"II*\0", "TIFF"), (0, b"MM\0*", "TIFF"), (0, b"II+\0", "TIFF"), (0, b"MM\0+", "TIFF"), (0, b"BM", "BMP"),
)  # fmt: skip
_OTHERS = (
    (4, b"ftyp", "a HEIC or AVIF picture or a film"), (0, b"%PDF", "a PDF file"), (0, b"8BPS", "a Photoshop file"),
    (0, b"<svg", "an SVG drawing"), (0, b"<?xml", "an SVG drawing or other XML"), (0, b"PK\3\4", "an archive or a document"),
    (4, b"jP  ", "a JPEG 2000 picture"), (0, b"\0\0\1\0", "an icon"), (0, b"\xff\x0a", "a JPEG XL picture"),
)  # fmt: skip
_PLUGINS = {
    "PNG": "PngImagePlugin", "JPEG": "JpegImagePlugin", "WEBP": "WebPImagePlugin", "TIFF": "TiffImagePlugin",
    "BMP": "BmpImagePlugin", "GIF": "GifImagePlugin",
}  # fmt: skip
_SUFFIXES = {
    "PNG": (".png", ".apng"), "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), "WEBP": (".webp",), "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"), "GIF": (".gif",),
}  # fmt: skip
SUFFIXES = tuple(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)


class PhotoUnreadable(Exception):
    """A picture cannot be opened. The message names it, says why and what to do."""


class PhotoTooLarge(PhotoUnreadable):
    """A picture has more pixels than a canvas holds. `size` is what it has, `smaller` what it can be opened at instead
    with `shrink=True`; None when even decoding it would take too much memory."""

    def __init__(self, name: str, size: tuple[int, int]) -> None:
        self.size = size
        self.smaller = smaller_size(*size) if size[0] * size[1] <= MAX_DECODED else None
        if self.smaller:
            offer = f"Open it scaled down to {_by(self.smaller)} pixels instead."
        else:
            offer = "Scale it down in another program first."
        super().__init__(
            f"“{name}” has {_by(size)} pixels ({size[0] * size[1] / 1e6:,.0f} million). A canvas holds {MAX_PIXELS / 1e6:.0f} "
            f"million and {MAX_SIDE - 1:,} a side: each layer then takes {MAX_PIXELS * 4 >> 20} MiB of memory. {offer}"
        )


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture ready for the canvas: `pixels` uint8 [H, W, 4], straight alpha, sRGB; `notes` are sentences about what
    was converted or left out; `size` (width, height) is what the file has, upright."""

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...]
    size: tuple[int, int]


def open_photo(path: str | Path, *, shrink: bool = False) -> Photo:
    """Open a picture file; `shrink` scales one down that is too large for a canvas.

    Raises PhotoUnreadable, and PhotoTooLarge with the size that `shrink` would give.
    """
    target = Path(path)
    try:
        with target.open("rb") as file:
            return _opened(file, target.name, target.suffix.lower(), shrink)
    except OSError as error:
        raise PhotoUnreadable(f"“{target.name}” could not be read ({error.strerror or error}).") from error


def photo_of_bytes(data: bytes, name: str = "The picture", *, shrink: bool = False) -> Photo:
    """As `open_photo`, of the bytes of a picture file (from the clipboard, for example)."""
    return _opened(io.BytesIO(data), name, "", shrink)


def smaller_size(width: int, height: int) -> tuple[int, int]:
    """The largest size of the same shape that a canvas holds; the size itself when it fits."""
    factor = min(1.0, math.sqrt(MAX_PIXELS / (width * height)), (MAX_SIDE - 1) / max(width, height))
    return (width, height) if factor == 1 else (max(1, int(width * factor)), max(1, int(height * factor)))


def _opened(file: BinaryIO, name: str, suffix: str, shrink: bool) -> Photo:
    from PIL.Image import DecompressionBombError

    kind = _kind(file, name)
    notes: list[str] = []
    if suffix and suffix not in _SUFFIXES[kind]:
        notes.append(f"Its name ends in {suffix}, but it is a {kind} picture and was opened as that.")
    try:
        with _picture(file, kind) as image:
            return _decoded(image, name, notes, shrink)
    except PhotoUnreadable:
        raise
    except DecompressionBombError as error:
        raise PhotoUnreadable(f"“{name}” has more pixels than can be opened. Scale it down in another program.") from error
    except MemoryError as error:
        raise PhotoUnreadable(f"“{name}” needs more memory than is free. Close other programs.") from error
    except DECODER_ERRORS as error:
        raise PhotoUnreadable(f"“{name}” is cut off or damaged ({error}). Get a complete copy of it.") from error


def _kind(file: BinaryIO, name: str) -> str:
    head = file.read(16)
    file.seek(0)
    if not head:
        raise PhotoUnreadable(f"“{name}” is empty (0 bytes). Get a complete copy of it.")
    for offset, start, kind in _KINDS:
        if head.startswith(start, offset):
            return kind
    other = next((words for offset, start, words in _OTHERS if head.startswith(start, offset)), "")
    what = f"is {other}, not" if other else "is not"
    raise PhotoUnreadable(f"“{name}” {what} a PNG, JPEG, WebP, TIFF, BMP or GIF picture. Save it as one of these first.")


def _picture(file: BinaryIO, kind: str) -> ImageFile:
    """Pillow's reader of this format. Not by `Image.open`, which warns of large pictures: `_decoded` judges them."""
    from PIL import Image as pil

    importlib.import_module(f"PIL.{_PLUGINS[kind]}")
    return pil.OPEN[kind][0](file, "")


def _decoded(image: ImageFile, name: str, notes: list[str], shrink: bool) -> Photo:
    from PIL.Image import Resampling

    width, height = image.size
    target = smaller_size(width, height)
    if target != (width, height) and not (shrink and width * height <= MAX_DECODED):
        raise PhotoTooLarge(name, (width, height))
    if getattr(image, "is_animated", False):
        pages = image.format in ("TIFF", "MPO")
        notes.append(f"It {'holds several pictures' if pages else 'is an animation'}; the first picture was taken.")
    if depth_of(image) == 16 and not image.mode.startswith("I"):
        notes.append("16 bits a channel were reduced to 8.")
    if target != image.size:
        image.draft(image.mode, target)  # a JPEG decoder leaves out what will not be seen; other formats have no such thing
    orientation = _orientation(image)
    image.load()
    upright = to_rgba(image, notes)
    size = (width, height)
    if orientation != 1:
        notes.append("It was turned upright, as the camera noted.")
        if image.format != "TIFF":  # Pillow turns TIFF pictures as it loads them, and states their upright size before
            upright = upright.transpose(_turn(orientation))
            size = (height, width) if orientation >= 5 else size
    target = smaller_size(*size)
    if target != size:
        upright = upright.resize(target, Resampling.LANCZOS, reducing_gap=2.0)
        notes.append(f"It was scaled down from {_by(size)} to {_by(target)} pixels.")
    return Photo(np.array(upright), tuple(notes), size)


def _orientation(image: ImageFile) -> int:
    """How the camera was held, 1 to 8 (EXIF, tag 274); 1 = upright, also where it says nothing that makes sense."""
    try:
        stated = image.getexif().get(_ORIENTATION)
    except DECODER_ERRORS:  # damaged settings are no reason to refuse a picture
        return 1
    return stated if isinstance(stated, int) and 2 <= stated <= 8 else 1


def _turn(orientation: int) -> Transpose:
    """What brings a picture of orientation 2 to 8 upright."""
    from PIL.Image import Transpose

    turns = (
        Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM, Transpose.TRANSPOSE, Transpose.ROTATE_270,
        Transpose.TRANSVERSE, Transpose.ROTATE_90,
    )  # fmt: skip
    return turns[orientation - 2]


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]:,} × {size[1]:,}"
