"""Number formats: how the bytes of a file become numpy values, including formats numpy does not know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Format:
    """A number format: its name, the numpy type of its raw bits, and `decode(raw) -> values` (None = the bits are the values)."""

    name: str
    storage: np.dtype[Any]
    decode: Callable[[Array], Array] | None = None

    @property
    def itemsize(self) -> int:
        return self.storage.itemsize

    def values(self, raw: Array) -> Array:
        """Numbers in native byte order; bfloat16 and the 8-bit floats as float32, bool as it is."""
        if self.decode is not None:
            return self.decode(raw)
        return raw if raw.dtype.isnative else raw.astype(raw.dtype.newbyteorder("="))


def bfloat16(raw: Array) -> Array:
    """bfloat16 is the upper half of a float32."""
    return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)


def float8_table(exponent_bits: int, mantissa_bits: int, bias: int, *, ieee: bool) -> Array:
    """The 256 values of an 8-bit float (Micikevicius et al. 2022, "FP8 Formats for Deep Learning", table 1).

    With `ieee` the top exponent means infinity and NaN (E5M2); without it only the all-ones pattern is NaN (E4M3).
    """
    codes = np.arange(256)
    sign = np.where(codes >> 7, -1.0, 1.0)
    exponent = (codes >> mantissa_bits) & ((1 << exponent_bits) - 1)
    mantissa = codes & ((1 << mantissa_bits) - 1)
    fraction = mantissa / (1 << mantissa_bits)
    values = np.where(exponent == 0, fraction * 2.0 ** (1 - bias), (1 + fraction) * 2.0 ** (exponent - bias))
    top = exponent == (1 << exponent_bits) - 1
    if ieee:
        values = np.where(top, np.where(mantissa == 0, np.inf, np.nan), values)
    else:
        values = np.where(top & (mantissa == (1 << mantissa_bits) - 1), np.nan, values)
    return (sign * values).astype(np.float32)


def float8_e4m3fn(raw: Array) -> Array:
    return float8_table(4, 3, 7, ieee=False)[raw]


def float8_e5m2(raw: Array) -> Array:
    return float8_table(5, 2, 15, ieee=True)[raw]


def float8_e8m0(raw: Array) -> Array:
    """A power of two, 2^(code - 127); code 255 is NaN (OCP Microscaling Formats 1.0)."""
    table = np.ldexp(1.0, np.arange(256) - 127)
    table[255] = np.nan
    return table[raw]


def _numpy(name: str) -> Format:
    return Format(name, np.dtype(name).newbyteorder("<"))


SAFETENSORS: Mapping[str, Format] = MappingProxyType({
    **{code: _numpy(name) for code, name in {
        "F64": "float64", "F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
        "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool", "C64": "complex64",
    }.items()},
    "BF16": Format("bfloat16", np.dtype("<u2"), bfloat16),
    "F8_E4M3": Format("float8_e4m3fn", np.dtype("u1"), float8_e4m3fn),
    "F8_E5M2": Format("float8_e5m2", np.dtype("u1"), float8_e5m2),
    "F8_E8M0": Format("float8_e8m0fnu", np.dtype("u1"), float8_e8m0),
})  # fmt: skip
"""Format by the name a safetensors header uses."""


def of_numpy(dtype: np.dtype[Any]) -> Format | None:
    """The format of a numpy type, or None when it holds no numbers (text, dates, Python objects, records)."""
    return Format(dtype.name, dtype) if dtype.kind in "biufc" else None
