"""Observation and action spaces of saved agents, as the words in their JSON tell them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.ml.rl.errors import BadCheckpoint

_CLASS = re.compile(r"<class '([\w.]+)'>")


@dataclass(frozen=True, eq=False)
class Space:
    """A space as its words in the JSON tell it. kind: "Box" or "Discrete". low, high: [*shape] where finite."""

    kind: str
    shape: tuple[int, ...]
    n: int = 0
    dtype: str = ""
    low: Any = None
    high: Any = None

    @classmethod
    def of(cls, data: Mapping[str, Any], name: str) -> Space:
        """Reads `data[name]`. Raises BadCheckpoint."""
        told = data.get(name)
        found = class_name(str(told.get(":type:", ""))) if isinstance(told, dict) else ""
        if not found or not isinstance(told, dict):
            words = name.replace("_", " ")
            raise BadCheckpoint(f"The saved agent does not tell its {words}. Save it with a newer Stable-Baselines3.")
        kind = found.rsplit(".", 1)[-1]
        if kind == "Discrete":
            return cls(kind, (), int(number(told.get("n"))))
        if kind != "Box":
            raise BadCheckpoint(
                f"Its {name.replace('_', ' ')} is a {kind}; only Box and Discrete spaces can be rebuilt without "
                "running code."
            )
        shape = tuple(int(n) for n in told.get("_shape") or ())
        low, high = (_numbers(told.get(end), shape) for end in ("low", "high"))
        return cls(kind, shape, 0, str(told.get("dtype", "")), low, high)

    @property
    def pixels(self) -> bool:
        """Whether Stable-Baselines3 takes it for pictures and divides them by 255."""
        if self.kind != "Box" or len(self.shape) != 3 or not self.dtype.endswith("uint8"):
            return False
        return self.shape[int(np.argmin(self.shape))] in (1, 3, 4)


def class_name(told: str) -> str:
    """The full name in "<class 'a.b.C'>", or nothing."""
    found = _CLASS.fullmatch(told.strip())
    return "" if found is None else found[1]


def number(told: Any) -> float:
    """A number that may be written as text; 0 where it is none."""
    try:
        value = float(told if told is not None else 0)
    except (TypeError, ValueError):
        return 0.0
    return value if np.isfinite(value) else 0.0


def _numbers(told: Any, shape: tuple[int, ...]) -> Any:
    """float32 [*shape] out of an array as NumPy prints it, or None where it is shortened or not finite."""
    text = str(told)
    if "..." in text or "inf" in text:
        return None
    found = re.findall(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?", text)
    return np.array(found, np.float32).reshape(shape) if len(found) == int(np.prod(shape)) else None
