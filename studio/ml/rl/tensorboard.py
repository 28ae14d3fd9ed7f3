"""TensorBoard event files, written by hand: scalars only, without tensorboard, tensorflow or protobuf.

A file is a row of TFRecords: length (8 bytes), its checksum, the record, its checksum. A record is an `Event` of
TensorFlow's `event.proto`: wall_time = 1 (double), step = 2 (int64), file_version = 3 (string), summary = 5, which
holds values = 1, each a tag = 1 (string) and simple_value = 2 (float). Checksums are CRC-32C (RFC 3720), masked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from struct import pack

from studio.ml.rl.record import Curve

_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8


@cache
def _table() -> tuple[int, ...]:
    def entry(byte: int) -> int:
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        return byte

    return tuple(map(entry, range(256)))


def crc32c(data: bytes) -> int:
    """CRC with the Castagnoli polynomial."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    """The checksum as TFRecords carry it: turned right by 15 bits, plus a constant."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def framed(record: bytes) -> bytes:
    """A record with its length and checksums."""
    length = pack("<Q", len(record))
    return length + pack("<I", masked(length)) + record + pack("<I", masked(record))


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers as 64 bits."""
    number &= 0xFFFFFFFFFFFFFFFF
    told = bytearray()
    while number > 0x7F:
        told.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*told, number])


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def version_event(wall_time: float) -> bytes:
    """The first event of every file."""
    return b"\x09" + pack("<d", wall_time) + _bytes(3, b"brain.Event:2")


def scalar_event(wall_time: float, step: int, tag: str, value: float) -> bytes:
    """wall_time: seconds since 1970. A value beyond single precision becomes infinite."""
    try:
        number = pack("<f", value)
    except OverflowError:
        number = pack("<f", float("inf") if value > 0 else float("-inf"))
    summary = _bytes(1, _bytes(1, tag.encode()) + b"\x15" + number)
    return b"\x09" + pack("<d", wall_time) + b"\x10" + _varint(step) + _bytes(5, summary)


def records(curves: Mapping[str, Curve], began: float) -> Iterator[bytes]:
    """The framed records of a file; points lie at `began` (seconds since 1970) and their seconds of computing."""
    yield framed(version_event(began))
    for tag, curve in curves.items():
        rows = zip(curve.steps.tolist(), curve.seconds.tolist(), curve.values.tolist(), strict=True)
        for step, seconds, value in rows:
            yield framed(scalar_event(began + seconds, step, tag, value))


def write(folder: Path, curves: Mapping[str, Sequence[Curve]], seeds: Iterable[int], began: float) -> list[Path]:
    """One event file a seed in `folder`/seed N, as TensorBoard tells runs apart; the files written. Raises OSError.

    curves: by measure, one for each of `seeds`, as `RunView.curves`. An older file of the same beginning is replaced.
    """
    written = []
    for place, seed in enumerate(seeds):
        own = {f"train/{measure}": told[place] for measure, told in curves.items() if len(told[place])}
        path = folder / f"seed {seed}" / f"events.out.tfevents.{int(began)}.glassbox"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(records(own, began)))
        written.append(path)
    return written
