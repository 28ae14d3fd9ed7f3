"""The two EXIF texts used for settings: UserComment (A1111's place in JPEG and WebP) and ImageDescription (ours)."""

from __future__ import annotations

import struct

USER_COMMENT = 0x9286
IMAGE_DESCRIPTION = 0x010E
_EXIF_IFD = 0x8769
_MAX_ENTRIES = 512
GLASSBOX_PREFIX = "glassbox:"


def write_exif(parameters: str, glassbox: str) -> bytes:
    """A little-endian TIFF block with `parameters` as Unicode UserComment and `glassbox` JSON as ImageDescription."""
    description = (GLASSBOX_PREFIX + glassbox).encode("utf-8") + b"\0"
    # "UNICODE\0" then UTF-16 big-endian: what piexif writes for A1111, and so what every reader expects.
    comment = b"UNICODE\0" + parameters.encode("utf-16-be", "replace")
    head = struct.pack("<2sHI", b"II", 42, 8)
    first, second = 8 + 2 + 2 * 12 + 4, 2 + 12 + 4
    sub = first + len(description) + (len(description) & 1)
    entries = struct.pack("<HHIIHHIII", IMAGE_DESCRIPTION, 2, len(description), first, _EXIF_IFD, 4, 1, sub, 0)
    padding = b"\0" * (len(description) & 1)
    inner = struct.pack("<HHHIII", 1, USER_COMMENT, 7, len(comment), sub + second, 0)
    return head + struct.pack("<H", 2) + entries + description + padding + inner + comment


def read_exif(data: bytes) -> dict[str, str]:
    """The texts {"parameters": …, "glassbox": …} of an EXIF block, as far as they are there. Accepts any bytes."""
    data = data.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return {}
    (offset,) = struct.unpack_from(f"{order}I", data, 4)
    texts: dict[str, str] = {}
    top = _entries(data, offset, order)
    description = top.get(IMAGE_DESCRIPTION, b"").rstrip(b"\0").decode("utf-8", "replace")
    if description.startswith(GLASSBOX_PREFIX):
        texts["glassbox"] = description[len(GLASSBOX_PREFIX) :]
    pointer = top.get(_EXIF_IFD, b"")
    inner = _entries(data, struct.unpack(f"{order}I", pointer[:4])[0], order) if len(pointer) >= 4 else {}
    comment = inner.get(USER_COMMENT) or top.get(USER_COMMENT)
    if comment:
        text = _user_comment(comment, order)
        if text:
            texts["parameters"] = text
    return texts


def _entries(data: bytes, offset: int, order: str) -> dict[int, bytes]:
    """Tag → raw value of one directory; entries that point outside the block are left out."""
    if offset + 2 > len(data):
        return {}
    (count,) = struct.unpack_from(f"{order}H", data, offset)
    found: dict[int, bytes] = {}
    for number in range(min(count, _MAX_ENTRIES)):
        place = offset + 2 + number * 12
        if place + 12 > len(data):
            break
        tag, kind, length = struct.unpack_from(f"{order}HHI", data, place)
        size = length * {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8}.get(kind, 0)
        start = place + 8
        if size > 4:
            (start,) = struct.unpack_from(f"{order}I", data, place + 8)
        if size and start + size <= len(data):
            found.setdefault(tag, data[start : start + size])
    return found


def _user_comment(raw: bytes, order: str) -> str:
    """Decode a UserComment by its eight-byte character code."""
    code, body = raw[:8], raw[8:]
    if code == b"UNICODE\0":
        # Nothing says the byte order: piexif always writes big-endian, others use the order of the block. Most text
        # has zero high bytes, so where the zeros stand tells which bytes are the high ones.
        if body[:2] in (b"\xfe\xff", b"\xff\xfe"):
            return body.decode("utf-16", "replace").rstrip("\0")
        big = body[0::2].count(0) >= body[1::2].count(0) if body.count(0) else order == ">"
        return body.decode("utf-16-be" if big else "utf-16-le", "replace").rstrip("\0")
    if code in (b"ASCII\0\0\0", b"\0" * 8):
        return body.decode("utf-8", "replace").rstrip("\0 ")
    return raw.decode("utf-8", "replace").rstrip("\0 ")
