"""Pictures: decoded as a whole, every channel as the file has it."""

from __future__ import annotations

import struct
import threading
import warnings
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from studio.host.imagemeta import MAX_PIXELS
from studio_plugins.inspector.block import Held, ReadingError, Source, Tensor
from studio_plugins.inspector.reading import Listing, TensorInfo

NAME = "pixels"
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
# What Pillow's decoders let out for damaged files (struct.error and zlib.error derive from Exception alone).
DAMAGE = (OSError, ValueError, SyntaxError, ArithmeticError, LookupError, TypeError, AttributeError, struct.error, zlib.error, Warning)
LAYOUT = {"1": ((), "uint8"), "L": ((), "uint8"), "LA": ((2,), "uint8"), "RGB": ((3,), "uint8"), "RGBA": ((4,), "uint8"),
          "CMYK": ((4,), "uint8"), "YCbCr": ((3,), "uint8"), "I": ((), "int32"), "F": ((), "float32"), "I;16": ((), "uint16"),
          "I;16B": ((), "uint16")}  # fmt: skip
CHANNELS = {"LA": "grey, alpha", "RGB": "red, green, blue", "RGBA": "red, green, blue, alpha", "CMYK": "cyan, magenta, yellow, black"}


class PictureFile:
    """One tensor, H x W or H x W x channels. Only the size is read until `prepare`."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.source = Source(file)
        self.path = path
        self._lock = threading.Lock()
        self._held: Held | None = None
        file.seek(0)
        from PIL import Image, UnidentifiedImageError

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                self.image = Image.open(file, formats=FORMATS)
        except UnidentifiedImageError as error:
            raise ReadingError(f"“{path.name}” is neither a picture nor a NumPy or safetensors file this studio knows, or it is damaged.") from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ReadingError(f"“{path.name}” says it is larger than {MAX_PIXELS / 1e6:.0f} million pixels, the most this studio opens.") from error
        except DAMAGE as error:
            raise ReadingError(f"“{path.name}” is cut off or damaged ({error}). Get a complete copy of it.") from error
        width, height = self.image.size
        if width * height > MAX_PIXELS:
            raise ReadingError(f"“{path.name}” is {width:,}×{height:,} pixels large; {MAX_PIXELS / 1e6:.0f} million are the most this studio opens.")
        self.mode = self._target()
        if self.mode not in LAYOUT:
            raise ReadingError(f"“{path.name}” has a pixel format ({self.mode}) that is not known here.")
        channels, dtype = LAYOUT[self.mode]
        shape = (height, width, *channels)
        notes = [("format", f"{self.image.format} {self.image.mode}")]
        if self.mode in CHANNELS:
            notes.append(("channels", CHANNELS[self.mode]))
        if getattr(self.image, "n_frames", 1) > 1:
            notes.append(("frames", f"the first of {self.image.n_frames}"))  # type: ignore[attr-defined]
        info = TensorInfo(NAME, shape, dtype, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        self.listing = Listing(path, "picture", size, (info,), tuple(notes))

    def _target(self) -> str:
        """The mode to decode to: palettes become colours, everything else stays as it is."""
        if self.image.mode in ("P", "PA"):
            return "RGBA" if self.image.has_transparency_data else "RGB"
        return {"1": "L"}.get(self.image.mode, self.image.mode)

    def prepare(self, name: str) -> Generator[float, None, None]:
        """Decode, once. Raises ReadingError."""
        with self._lock:
            if self._held is None:
                self._held = Held(self._decode())
        yield 1.0

    def _decode(self) -> np.ndarray[Any, Any]:
        try:
            image = self.image if self.image.mode == self.mode else self.image.convert(self.mode)
            array: np.ndarray[Any, Any] = np.asarray(image)
        except DAMAGE as error:
            raise ReadingError(f"“{self.path.name}” is cut off or damaged ({error}). Get a complete copy of it.") from error
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))

    @property
    def held_bytes(self) -> int:
        return self.listing.tensors[0].nbytes

    def tensor(self, name: str) -> Tensor:
        if self._held is None:
            for _ in self.prepare(name):
                continue
        assert self._held is not None
        return self._held

    def close(self) -> None:
        self.image.close()
        self.source.close()
