"""Walk PNG, WebP and JPEG files for their size and their text, without decoding a pixel.

Own readers, because these files come from strangers: lengths are checked before anything is allocated, picture data
are skipped by seeking, and compressed text is inflated only up to a limit.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

from studio.host.imagemeta.exif import read_exif

MAX_PIXELS = 2**26  # 8192×8192; below the size at which Pillow begins to warn
MAX_TEXT = 4 << 20
_MAX_CHUNKS = 10_000
_PNG = b"\x89PNG\r\n\x1a\n"


class ImageMetadataError(ValueError):
    """A picture that cannot be read; the message says why, in words a person can act on."""


class ImageTooLarge(ImageMetadataError):
    """A picture (or a text in it) that would take more memory than any real one."""


@dataclass
class Container:
    """What was found: format, size in pixels (0 when the file does not say) and texts by keyword."""

    format: Literal["PNG", "WEBP", "JPEG"]
    width: int = 0
    height: int = 0
    texts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_container(path: Path) -> Container:
    """Read the size and texts of a picture file. Raises ImageMetadataError."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            head = file.read(12)
            file.seek(0)
            if head.startswith(_PNG):
                found = _png(file, size)
            elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
                found = _webp(file, size)
            elif head[:3] == b"\xff\xd8\xff":
                found = _jpeg(file)
            else:
                raise ImageMetadataError(f"“{path.name}” is not a PNG, WebP or JPEG picture.")
    except OSError as error:
        raise ImageMetadataError(f"“{path.name}” could not be read ({error.strerror or error}).") from error
    except _Truncated as error:
        raise ImageMetadataError(f"“{path.name}” is cut off or damaged. Get a complete copy of it.") from error
    if found.width <= 0 or found.height <= 0:
        raise ImageMetadataError(f"“{path.name}” is damaged: it says nothing about its size.")
    check_size(found.width, found.height, path.name)
    return found


def check_size(width: int, height: int, name: str) -> None:
    """Raise ImageTooLarge for a picture of more than MAX_PIXELS pixels."""
    if width * height > MAX_PIXELS:
        limit = f"{MAX_PIXELS / 1e6:.0f} million pixels are the most this studio opens"
        raise ImageTooLarge(f"“{name}” says it is {width:,}×{height:,} pixels large; {limit}.")


class _Truncated(Exception):
    """The file ends, or contradicts itself, before it should."""


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise _Truncated
    return data


def _png(file: BinaryIO, size: int) -> Container:
    """PNG: signature, then chunks of length, type, data, CRC (PNG specification, section 5)."""
    found = Container("PNG")
    file.seek(len(_PNG))
    budget = MAX_TEXT
    for number in range(_MAX_CHUNKS):
        length, kind = struct.unpack(">I4s", _exactly(file, 8))
        if length > size - file.tell():
            raise _Truncated
        if number == 0 and (kind != b"IHDR" or length != 13):
            raise _Truncated
        if kind == b"IHDR":
            found.width, found.height = struct.unpack(">II", _exactly(file, length)[:8])
        elif kind in (b"tEXt", b"zTXt", b"iTXt", b"eXIf"):
            if length > budget:
                raise ImageTooLarge("The text in this picture is far larger than settings can be; it was not read.")
            data = _exactly(file, length)
            before = sum(map(len, found.texts.values()))
            _png_text(kind, data, found, budget)
            budget -= max(length, sum(map(len, found.texts.values())) - before)
        elif kind == b"IEND":
            return found
        else:
            file.seek(length, 1)
        _exactly(file, 4)
    raise ImageTooLarge("This picture consists of more parts than any real one; it was not read.")


def _png_text(kind: bytes, data: bytes, found: Container, budget: int) -> None:
    """Take one text chunk into `found`. A chunk that is not well formed leaves a note: the others may be good."""
    if kind == b"eXIf":
        for name, text in read_exif(data).items():
            found.texts.setdefault(name, text)
        return
    key_bytes, _, rest = data.partition(b"\0")
    key = key_bytes.decode("latin-1")
    try:
        if kind == b"tEXt":
            text = rest.decode("latin-1")
        elif kind == b"zTXt":
            text = _inflate(rest[1:], budget).decode("latin-1")
        else:  # iTXt: compression flag, method, language\0, translated keyword\0, text
            flag, rest = rest[:1], rest[2:]
            _, _, rest = rest.partition(b"\0")
            _, _, rest = rest.partition(b"\0")
            text = (_inflate(rest, budget) if flag == b"\1" else rest).decode("utf-8")
    except (zlib.error, UnicodeDecodeError):
        found.notes.append(f"the text “{key[:79]}” is damaged")
        return
    if len(key) <= 79:
        found.texts.setdefault(key, text)


def _inflate(data: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj()
    text = inflater.decompress(data, limit)
    if inflater.unconsumed_tail:
        raise ImageTooLarge("A text in this picture unpacks to far more than settings can be; it was not read.")
    return text


def _webp(file: BinaryIO, size: int) -> Container:
    """WebP: RIFF header, then chunks of name, length, data padded to even length (RFC 9649)."""
    found = Container("WEBP")
    file.seek(12)
    for _ in range(_MAX_CHUNKS):
        head = file.read(8)
        if not head.strip(b"\0"):
            return found
        if len(head) < 8:
            raise _Truncated
        kind, length = struct.unpack("<4sI", head)
        if length > size - file.tell():
            raise _Truncated
        start = file.tell()
        if kind == b"VP8X" and length >= 10:
            data = _exactly(file, 10)
            found.width = 1 + int.from_bytes(data[4:7], "little")
            found.height = 1 + int.from_bytes(data[7:10], "little")
        elif kind == b"VP8 " and length >= 10 and not found.width:
            data = _exactly(file, 10)
            width, height = struct.unpack("<HH", data[6:10])
            found.width, found.height = width & 0x3FFF, height & 0x3FFF
        elif kind == b"VP8L" and length >= 5 and not found.width:
            bits = int.from_bytes(_exactly(file, 5)[1:5], "little")
            found.width, found.height = 1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF)
        elif kind == b"EXIF":
            if length > MAX_TEXT:
                raise ImageTooLarge("The text in this picture is far larger than settings can be; it was not read.")
            found.texts.update(read_exif(_exactly(file, length)))
        file.seek(start + length + (length & 1))
    raise ImageTooLarge("This picture consists of more parts than any real one; it was not read.")


def _jpeg(file: BinaryIO) -> Container:
    """JPEG: markers up to the start of scan (ITU T.81, annex B); the size stands in the SOFn segment."""
    found = Container("JPEG")
    file.seek(2)
    for _ in range(_MAX_CHUNKS):
        if _exactly(file, 1) != b"\xff":
            raise _Truncated
        marker = _exactly(file, 1)[0]
        if marker == 0xFF:  # fill byte
            file.seek(-1, 1)
            continue
        if marker in (0xDA, 0xD9):
            return found
        if 0xD0 <= marker <= 0xD8 or marker == 0x01:  # stand-alone markers
            continue
        (length,) = struct.unpack(">H", _exactly(file, 2))
        if length < 2:
            raise _Truncated
        data = _exactly(file, length - 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if len(data) < 5:
                raise _Truncated
            found.height, found.width = struct.unpack(">HH", data[1:5])
        elif marker == 0xE1 and data.startswith(b"Exif\0\0"):
            found.texts.update(read_exif(data[6:]))
    raise ImageTooLarge("This picture consists of more parts than any real one; it was not read.")
