"""NumPy's .npz format: a zip of .npy files. Stored members are read in place, compressed ones are unpacked first."""

from __future__ import annotations

import struct
import tempfile
import zipfile
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from studio_plugins.inspector.block import ReadingError, Source, Tensor
from studio_plugins.inspector.npy import Header, check_length, members, read_header, stored
from studio_plugins.inspector.reading import MAX_TENSORS, Listing, TensorInfo

MAGIC = b"PK"
LOCAL_HEADER = struct.Struct("<4s5H3I2H")
PIECE = 4 << 20
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error, ValueError)


class NpzFile:
    """The members of a .npz file; each is one array or the fields of one record array."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.source = Source(file)
        self.path = path
        self._members: dict[str, tuple[str, zipfile.ZipInfo, Header]] = {}
        self._unpacked: dict[str, Source] = {}
        try:
            self.zip = zipfile.ZipFile(path)
        except DAMAGE as error:
            raise ReadingError(f"“{path.name}” is cut off or damaged ({error}). Get a complete copy of it.") from error
        entries = [entry for entry in self.zip.infolist() if entry.filename.endswith(".npy")]
        if not entries or len(entries) > MAX_TENSORS:
            self.zip.close()
            if len(entries) > MAX_TENSORS:
                raise ReadingError(f"“{path.name}” lists {len(entries):,} arrays; that cannot be right.")
            raise ReadingError(f"“{path.name}” is a zip file without NumPy arrays in it.")
        found = tuple(info for entry in entries for info in self._list(entry))
        packed = sum(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        notes = (("compressed", f"{packed} of {len(entries)} arrays"),)
        self.listing = Listing(path, "NumPy archive", size, found, notes)

    def _list(self, entry: zipfile.ZipInfo) -> Iterator[TensorInfo]:
        name = entry.filename.removesuffix(".npy")
        try:
            with self.zip.open(entry) as member:
                header = read_header(cast(BinaryIO, member), name)
            check_length(header, entry.file_size, name)
        except ReadingError as error:
            yield TensorInfo(name, (), "", entry.file_size, str(error))
            return
        except DAMAGE as error:
            yield TensorInfo(name, (), "", entry.file_size, f"“{name}” is damaged or encrypted ({error}).")
            return
        for info in members(header, name):
            self._members[info.name] = (name, entry, header)
            yield info

    held_bytes = 0

    def _member(self, name: str) -> tuple[str, zipfile.ZipInfo, Header]:
        found = self._members.get(name)
        if found is None:
            info = self.listing.find(name)
            raise ReadingError(info.problem if info else f"There is no array “{name}” in {self.path.name}.")
        return found

    def prepare(self, name: str) -> Generator[float, None, None]:
        """Unpack a compressed member into a temporary file of its own. Raises ReadingError."""
        base, entry, header = self._member(name)
        if entry.compress_type == zipfile.ZIP_STORED or base in self._unpacked:
            return
        target = tempfile.TemporaryFile(buffering=0)
        try:
            with self.zip.open(entry) as member:
                done, total = 0, header.offset + header.nbytes
                while done < total:
                    piece = member.read(min(PIECE, total - done))
                    if not piece:
                        raise ReadingError(f"“{name}” is cut off inside {self.path.name}. Get a complete copy of it.")
                    target.write(piece)
                    done += len(piece)
                    yield done / total
        except DAMAGE as error:
            target.close()
            raise ReadingError(f"“{name}” is damaged inside {self.path.name} ({error}). Get a complete copy of it.") from error
        except OSError as error:
            target.close()
            raise ReadingError(f"“{name}” could not be unpacked ({error.strerror or error}). Free some space for temporary files.") from error
        except BaseException:
            target.close()
            raise
        self._unpacked[base] = Source(cast(BinaryIO, target))

    def tensor(self, name: str) -> Tensor:
        base, entry, header = self._member(name)
        if base in self._unpacked:
            return stored(self._unpacked[base], 0, header, name, base)
        return stored(self.source, self._begin(entry), header, name, base)

    def _begin(self, entry: zipfile.ZipInfo) -> int:
        """Where a stored member's bytes begin: the local header's own name and extra field come first."""
        raw = self.source.read(entry.header_offset, LOCAL_HEADER.size)
        if raw[:4] != b"PK\x03\x04":
            raise ReadingError(f"“{self.path.name}” is damaged: a member is not where its index says. Get a complete copy of it.")
        name_length, extra_length = (int(length) for length in LOCAL_HEADER.unpack(raw)[-2:])
        return entry.header_offset + LOCAL_HEADER.size + name_length + extra_length

    def close(self) -> None:
        for source in (self.source, *self._unpacked.values()):
            source.close()
        self.zip.close()
