"""`.glassbox` files: a zip archive of a description (JSON) and of every picture as PNG, lossless to the bit.

Members: `mimetype` (first, stored, so that the kind of file can be told from its first bytes), `document.json`,
`layers/*.png`, `hints.png`, `mask.png`, `versions/*.png`. Members nobody knows are ignored.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from studio.host.atomic import replacing
from studio.host.documents.container import opened, read_member
from studio.host.documents.content import DocumentContent, Pixels
from studio.host.documents.png import decode, encode
from studio.host.documents.schema import (
    MAX_DESCRIPTION, Damage, DocumentUnreadable, Raster, check_memory, described, parse, rebuilt, to_json,
)  # fmt: skip

SUFFIX = ".glassbox"
MIMETYPE = b"application/x-glassbox-document"
DESCRIPTION = "document.json"


def write_document(path: Path, content: DocumentContent) -> None:
    """Save a document atomically: `path` holds the old one or the new one, never half of it.

    Raises FileUnwritable (the old file then stays as it was) and ValueError for a request that is no JSON.
    """
    for _ in writing(path, content):
        pass


def writing(path: Path, content: DocumentContent) -> Iterator[tuple[int, int]]:
    """As `write_document`, in steps: after each picture it yields how many are written, and of how many.

    The file is in place when the iterator ends; one that is closed earlier leaves nothing behind.
    """
    total = _count(content)
    waiting: list[tuple[str, Pixels]] = []

    def note(name: str, pixels: Pixels) -> tuple[str, ...]:
        waiting.append((f"{name}.png", pixels))
        return (waiting[-1][0],)

    description = to_json(described(content, note))
    with replacing(path) as temporary:
        with zipfile.ZipFile(temporary, "x") as archive:
            archive.writestr(_member("mimetype"), MIMETYPE)
            archive.writestr(_member(DESCRIPTION), description, zipfile.ZIP_DEFLATED)
            for done, (name, pixels) in enumerate(waiting, 1):
                archive.writestr(_member(name), encode(pixels))
                yield done, total


def read_document(path: Path) -> DocumentContent:
    """Open a document, whatever its file name ends in. The arrays are read-only.

    Raises DocumentUnreadable: no document, damaged, made by a newer version, too large for this machine.
    """
    path = Path(path)
    try:
        with opened(path) as archive:
            if DESCRIPTION not in archive.namelist():
                raise DocumentUnreadable(f"“{path.name}” is a zip archive, but no Glassbox document.")
            description, _ = parse(read_member(archive, DESCRIPTION, MAX_DESCRIPTION), path.name)
            check_memory(description, path.name)
            return rebuilt(description, lambda raster: _read_raster(archive, raster))
    except OSError as error:
        raise DocumentUnreadable(f"“{path.name}” could not be read ({error.strerror or error}).") from error
    except MemoryError as error:
        raise DocumentUnreadable(f"“{path.name}” needs more memory than is free. Close other programs.") from error
    except Damage as damage:
        raise DocumentUnreadable(_refusal(path, damage)) from damage


def is_document(path: Path) -> bool:
    """Whether the first bytes of a file are those of a document of ours; False for what cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(30 + len("mimetype") + len(MIMETYPE))
    except OSError:
        return False
    return head.startswith(b"PK\3\4") and head.endswith(b"mimetype" + MIMETYPE)


def _read_raster(archive: zipfile.ZipFile, raster: Raster) -> Pixels:
    if len(raster.parts) != 1:
        raise Damage("a picture in it consists of several parts")
    # A PNG stream never grows by more than a byte a row and the blocks of incompressible data: 5 bytes in 16 KiB.
    limit = raster.nbytes + raster.nbytes // 1024 + raster.height + (64 << 10)
    return decode(read_member(archive, raster.parts[0], limit), raster.shape, raster.parts[0])


def _refusal(path: Path, damage: Damage) -> str:
    """The sentence for a person; a picture or another document with the wrong name is named as what it is."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError:
        head = b""
    if head and not head.startswith(b"PK"):
        return f"“{path.name}” is no Glassbox document, whatever its name says. If it is a picture, open it as a picture."
    return f"“{path.name}” could not be opened: {damage}. Get a complete copy, or open an earlier one."


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, time.localtime()[:6])
    info.external_attr = 0o644 << 16
    return info


def _count(content: DocumentContent) -> int:
    pictures = sum(version.pixels is not None for version in content.versions)
    return len(content.layers) + pictures + (content.hints is not None) + (content.mask is not None)
