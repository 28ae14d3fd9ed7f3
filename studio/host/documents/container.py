"""Opening zip files of strangers: every length, name and method is judged before anything is unpacked or allocated.

Source of the layout: APPNOTE.TXT of PKWARE, sections 4.3 to 4.5.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from studio.host.documents.schema import Damage

MAX_MEMBERS = 20_000
_MAX_DIRECTORY = MAX_MEMBERS * 512  # bytes; an entry of ours takes about 70
_DEFLATE_LIMIT = 1032  # bytes that one byte of a deflate stream can unpack to at most (zlib's technical details)
_RATIO_SLACK = 4096
_END, _END_64, _LOCATOR_64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"
_END_SIZE, _END_64_SIZE, _LOCATOR_SIZE = 22, 56, 20
_MAX_COMMENT = 65_535
_OUTSIDE = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|[\x00-\x1f\\]|^$")
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip file at `path` after its directory was checked. Raises Damage, OSError."""
    with path.open("rb") as file:
        if _directory_size(file) > _MAX_DIRECTORY:
            raise Damage(f"it has more than {MAX_MEMBERS:,} parts, which no document has")
        try:
            archive = zipfile.ZipFile(file)
        except ZIP_ERRORS as error:
            raise Damage("it is cut off or damaged") from error
        with archive:
            _check_directory(archive)
            yield archive


def read_member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Unpack one member of at most `limit` bytes, its checksum compared. Raises Damage."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise Damage(f"its part “{name[:80]}” is missing") from None
    if info.flag_bits & 0x41:
        raise Damage(f"its part “{name}” is encrypted, which no document is")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Damage(f"its part “{name}” is compressed by a method that documents do not use")
    if info.file_size > limit:
        raise Damage(f"its part “{name}” unpacks to {info.file_size:,} bytes, where {limit:,} are the most possible")
    if info.file_size > info.compress_size * _DEFLATE_LIMIT + _RATIO_SLACK:
        raise Damage(f"its part “{name}” claims to unpack to more than it possibly can")
    try:
        with archive.open(info) as member:
            data = member.read(limit + 1)
    except ZIP_ERRORS as error:
        raise Damage(f"its part “{name}” is cut off or damaged") from error
    if len(data) != info.file_size:
        raise Damage(f"its part “{name}” has {len(data):,} bytes, not the {info.file_size:,} it claims")
    return data


def _directory_size(file: BinaryIO) -> int:
    """Bytes of the central directory as the end record says, which is all that the standard library reads at once."""
    size = file.seek(0, 2)
    if size == 0:
        raise Damage("it is empty (0 bytes)")
    file.seek(max(0, size - _END_SIZE - _MAX_COMMENT - _LOCATOR_SIZE - _END_64_SIZE))
    tail = file.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_SIZE:
        raise Damage("it is cut off or no zip archive")
    stated = int(struct.unpack_from("<I", tail, place + 12)[0])
    record = place - _LOCATOR_SIZE - _END_64_SIZE
    if record >= 0 and tail.startswith(_LOCATOR_64, place - _LOCATOR_SIZE) and tail.startswith(_END_64, record):
        stated = max(stated if stated < 0xFFFFFFFF else 0, int(struct.unpack_from("<Q", tail, record + 40)[0]))
    return stated


def _check_directory(archive: zipfile.ZipFile) -> None:
    names = [info.orig_filename for info in archive.infolist()]
    if len(names) > MAX_MEMBERS:
        raise Damage(f"it has {len(names):,} parts; {MAX_MEMBERS:,} are the most a document can have")
    for name in names:
        if _OUTSIDE.search(name):
            raise Damage(f"a part is named “{name[:80]}”, which points outside of it; it may be a forgery")
    if len(set(names)) < len(names):
        raise Damage("two of its parts have the same name; it may be a forgery")
