"""Event files, read again by protobuf from TensorFlow's definitions; checksums by published vectors."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from studio.ml.rl.record import EMPTY, Curve
from studio.ml.rl.tensorboard import crc32c, framed, masked, scalar_event, write

F = descriptor_pb2.FieldDescriptorProto


def event_class() -> Any:
    """`Event` as event.proto and summary.proto of TensorFlow declare it, as far as scalars go."""
    file = descriptor_pb2.FileDescriptorProto(name="event.proto", package="t", syntax="proto3")
    fields = {
        "Value": [("tag", 1, F.TYPE_STRING, ""), ("simple_value", 2, F.TYPE_FLOAT, "")],
        "Summary": [("value", 1, F.TYPE_MESSAGE, ".t.Value")],
        "Event": [
            ("wall_time", 1, F.TYPE_DOUBLE, ""), ("step", 2, F.TYPE_INT64, ""), ("file_version", 3, F.TYPE_STRING, ""),
            ("summary", 5, F.TYPE_MESSAGE, ".t.Summary"),
        ],
    }  # fmt: skip
    for name, rows in fields.items():
        message = file.message_type.add(name=name)
        for field, number, kind, of in rows:
            many = F.LABEL_REPEATED if field == "value" else F.LABEL_OPTIONAL
            message.field.add(name=field, number=number, type=kind, type_name=of or None, label=many)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Event"))


def slow_crc(data: bytes) -> int:
    """CRC-32C bit by bit as a division of polynomials, the bits reflected."""
    crc = 0xFFFFFFFF
    for byte in data:
        for bit in range(8):
            carry = (crc ^ byte >> bit) & 1
            crc = crc >> 1 ^ 0x82F63B78 * carry
    return crc ^ 0xFFFFFFFF


def read(path: Path) -> Iterator[Any]:
    data, kind, place = path.read_bytes(), event_class(), 0
    while place < len(data):
        length, length_crc = struct.unpack_from("<QI", data, place)
        record = data[place + 12 : place + 12 + length]
        (record_crc,) = struct.unpack_from("<I", data, place + 12 + length)
        for part, told in ((data[place : place + 8], length_crc), (record, record_crc)):
            crc = slow_crc(part)
            assert told == (((crc >> 15) | (crc << 17 & 0xFFFFFFFF)) + 0xA282EAD8) & 0xFFFFFFFF
        place += 16 + length
        yield kind.FromString(record)


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_checksums_of_rfc_3720(data: bytes, crc: int) -> None:
    assert crc32c(data) == slow_crc(data) == crc


def test_an_empty_record_is_framed_as_tensorflow_does() -> None:
    assert masked(b"") == 0xA282EAD8
    assert framed(b"")[:8] == bytes(8) and len(framed(b"abc")) == 19


def test_a_run_is_read_again(tmp_path: Path) -> None:
    steps = np.array([0, 127, 128, 3_000_000_000])
    returns = Curve(steps, np.arange(4), np.array([0.0, 0.5, 1.0, 7.25]), np.array([-1.5, 0.1, np.nan, 1e300]))
    loss = Curve(np.array([5]), np.array([1]), np.array([2.0]), np.array([0.25]))
    paths = write(tmp_path, {"return": (returns, returns), "td_error ε": (loss, EMPTY)}, (3, 4), 1_700_000_000.0)
    assert [path.parent.name for path in paths] == ["seed 3", "seed 4"] and "tfevents" in paths[0].name
    first, *events = read(paths[0])
    assert first.file_version == "brain.Event:2" and first.wall_time == 1_700_000_000.0
    assert [e.step for e in events] == [0, 127, 128, 3_000_000_000, 5]
    assert [e.wall_time - first.wall_time for e in events] == [0, 0.5, 1, 7.25, 2]
    assert [e.summary.value[0].tag for e in events] == ["train/return"] * 4 + ["train/td_error ε"]
    values = [e.summary.value[0].simple_value for e in events]
    np.testing.assert_array_equal(values, np.array([-1.5, 0.1, np.nan, np.inf, 0.25], dtype=np.float32))
    assert len(list(read(paths[1]))) == 5
    assert len(write(tmp_path, {"return": (returns, returns)}, (3, 4), 1_700_000_000.0)) == 2
    assert len(list(read(paths[0]))) == 5


def test_large_values_keep_their_sign() -> None:
    event = event_class().FromString(scalar_event(0.0, -1, "x", -1e300))
    assert event.summary.value[0].simple_value == -np.inf and event.step == -1
