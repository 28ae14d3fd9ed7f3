"""Messages between processes come back as they were, and nothing else is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from studio.ml.rl.worlds.wire import pack, unpack

KINDS = st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_])
ARRAYS = KINDS.flatmap(lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_side=3, min_side=0)))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4) | ARRAYS
MESSAGES = st.recursive(LEAVES, lambda m: st.lists(m, max_size=3) | st.dictionaries(st.text("abc", max_size=3), m, max_size=3), max_leaves=8)


def equal(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    return type(one) is type(other) and one == other


@given(MESSAGES)
def test_messages_come_back(message: object) -> None:
    assert equal(message, unpack(pack(message)))


@given(st.binary(max_size=40))
def test_anything_else_is_refused(data: bytes) -> None:
    try:
        unpack(data)
    except ValueError:
        return
    assert pack(unpack(data))  # It happened to be a message.


def test_cut_and_false_messages_are_refused() -> None:
    whole = pack([np.arange(4)])
    for wrong in (whole[:-1], whole + b"x", whole[:3], pack({"\0array": ["O", [1]]}), pack({"\0array": ["<f8", [-1]]})):
        with pytest.raises(ValueError):
            unpack(wrong)
