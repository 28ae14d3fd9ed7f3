"""What becomes of Gymnasium's spaces: observations as states, vectors or pixels; actions as numbers or bounded vectors.

An encoder is chosen once, from the space alone, and then applied to every observation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl.worlds.description import ActionKind, ObservationKind
from studio.ml.rl.worlds.errors import BadSpace

MOST_STATES = 100_000
"""Combinations of numbers are counted as states up to here; beyond, they become vectors."""
MOST_NUMBERS = 100_000
"""Longer vectors are refused: a layer of a network alone would fill the memory."""
IMAGE = 32
"""Arrays of bytes at least this high and wide are pictures; smaller ones are lists of numbers."""


class Encoder(NamedTuple):
    """encode: one observation as `kind` and `shape` say; raises TypeError or ValueError for what is none. note: why."""

    kind: ObservationKind
    shape: tuple[int, ...]
    states: int | None
    encode: Callable[[Any], Any]
    note: str = ""


class Acting(NamedTuple):
    """kind: of the actions. n, start: discrete ones are start .. start + n - 1 to the world. low, high: of continuous."""

    kind: ActionKind
    n: int | None = None
    start: int = 0
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    shape: tuple[int, ...] = ()


def acting(world: str, space: Any) -> Acting:
    """How to act in an action space. Raises BadSpace."""
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        return Acting("discrete", int(space.n), int(space.start))
    if not isinstance(space, spaces.Box):
        raise BadSpace(
            f"{world} takes actions of the kind {_named(space)}, which no agent here gives. "
            "Agents give one number of several (Discrete) or a bounded vector of real numbers (Box)."
        )
    if not np.issubdtype(space.dtype, np.floating):
        raise BadSpace(f"{world} takes whole numbers ({_named(space)}) as actions; agents give real ones in a Box.")
    low, high = (np.asarray(side, dtype=np.float64).reshape(-1) for side in (space.low, space.high))
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise BadSpace(
            f"{world} takes actions without bounds ({_named(space)}); agents need a lowest and a highest value for each. "
            "Wrap the world with gymnasium.wrappers.RescaleAction, or clip them in it."
        )
    return Acting("continuous", None, 0, tuple(low.tolist()), tuple(high.tolist()), tuple(space.shape))


def encoder(world: str, space: Any, codes: Sequence[float] = (255.0,)) -> Encoder:
    """How to encode an observation space. codes: highest value in each channel of small byte arrays. Raises BadSpace."""
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        start, n = int(space.start), int(space.n)
        return Encoder("discrete", (), n, lambda o: _numbered(o, start, n))
    if isinstance(space, spaces.Box) and _is_image(space):
        from studio.ml.rl.worlds.pixels import picture

        return picture(space)
    if (sizes := _sizes(space)) and prod(n for n, _ in sizes) <= MOST_STATES:
        note = f"The {len(sizes)} numbers of an observation are counted as one of {prod(n for n, _ in sizes)} states."
        return Encoder("discrete", (), prod(n for n, _ in sizes), lambda o: _mixed(o, sizes), note)
    parts, left = _parts(world, space, tuple(codes))
    if not parts:
        raise BadSpace(f"{world} observes {_named(space)}, in which there is no number that an agent could read.")
    if (length := sum(part.length for part in parts)) > MOST_NUMBERS:
        raise BadSpace(f"{world} observes {length} numbers at once; agents here read at most {MOST_NUMBERS}.")
    notes = [f"Left out of the observation, as no agent here reads it: {', '.join(left)}."] if left else []
    if isinstance(space, spaces.Box) and len(space.shape) == 1 and space.dtype != np.uint8:
        return Encoder("vector", (length,), None, _vector(length))
    if len(parts) > 1 or parts[0].shape != (length,):
        notes.insert(0, f"The observation is laid out as one vector of {length} numbers.")
    return Encoder("vector", (length,), None, lambda o: _laid_out(o, parts), " ".join(notes))


class _Part(NamedTuple):
    """One array or number inside an observation: how to reach it, its shape there, and how it is scaled."""

    way: tuple[Any, ...]
    shape: tuple[int, ...]
    start: int = 0
    one_hot: int = 0
    scale: NDArray[np.float32] | None = None

    @property
    def length(self) -> int:
        return self.one_hot or prod(self.shape)


def _parts(world: str, space: Any, codes: tuple[float, ...], way: tuple[Any, ...] = ()) -> tuple[list[_Part], list[str]]:
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        return [_Part(way, (), int(space.start), int(space.n))], []
    if isinstance(space, spaces.Box):
        shape = tuple(space.shape)
        if space.dtype != np.uint8:
            return [_Part(way, shape)], []
        fits = shape and shape[-1] == len(codes)
        return [_Part(way, shape, scale=np.asarray(codes if fits else (255.0,), dtype=np.float32))], []
    if isinstance(space, (spaces.MultiBinary, spaces.MultiDiscrete)):
        high = None if isinstance(space, spaces.MultiBinary) else np.maximum(np.asarray(space.nvec) - 1, 1)
        return [_Part(way, tuple(space.shape), scale=None if high is None else high.astype(np.float32))], []
    if isinstance(space, (spaces.Dict, spaces.Tuple)):
        inside = space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        found = [_parts(world, part, codes, (*way, key)) for key, part in inside]
        return [p for parts, _ in found for p in parts], [name for _, left in found for name in left]
    if way and (isinstance(space, spaces.Text) or np.dtype(space.dtype).kind == "U"):
        return [], [str(way[-1])]
    raise BadSpace(
        f"{world} observes {_named(space)}, which has no fixed list of numbers; agents read states, vectors and pixels."
    )


def _sizes(space: Any) -> list[tuple[int, int]]:
    """(how many, the lowest) of each number, where an observation is nothing but whole numbers of fixed ranges."""
    from gymnasium import spaces

    if isinstance(space, spaces.MultiDiscrete) and len(space.shape) == 1:
        return [(int(n), int(s)) for n, s in zip(space.nvec, space.start, strict=True)]
    if isinstance(space, spaces.Tuple) and all(isinstance(part, spaces.Discrete) for part in space.spaces):
        return [(int(part.n), int(part.start)) for part in space.spaces if isinstance(part, spaces.Discrete)]
    return []


def _is_image(space: Any) -> bool:
    shape = space.shape
    return space.dtype == np.uint8 and len(shape) in (2, 3) and min(sorted(shape)[-2:]) >= IMAGE


def _numbered(observation: Any, start: int, n: int) -> int:
    state = _whole(observation) - start
    if not 0 <= state < n:
        raise ValueError(f"state {state + start} outside {start} to {start + n - 1}")
    return state


def _whole(value: Any) -> int:
    number = np.asarray(value)
    if number.size != 1 or number.dtype.kind not in "iub":
        raise TypeError(f"{value!r} where a whole number belongs")
    return int(number.reshape(()))


def _mixed(observation: Any, sizes: list[tuple[int, int]]) -> int:
    if len(observation) != len(sizes):
        raise ValueError(f"{len(observation)} numbers where {len(sizes)} belong")
    state = 0
    for value, (n, start) in zip(observation, sizes, strict=True):
        state = state * n + _numbered(value, start, n)
    return state


def _vector(length: int) -> Callable[[Any], NDArray[np.float32]]:
    shape, plain, array = (length,), np.dtype(np.float32), np.ndarray

    def encode(observation: Any) -> NDArray[np.float32]:
        if observation.__class__ is not array or observation.dtype is not plain or observation.shape != shape:
            observation = real(observation, shape)
        if not observation.dot(observation) < _INFINITY and not np.isfinite(observation).all():
            raise ValueError(f"{observation.tolist()}, which is not all finite numbers")
        return observation  # type: ignore[no-any-return]

    return encode


_INFINITY = float("inf")


def _laid_out(observation: Any, parts: list[_Part]) -> NDArray[np.float32]:
    laid = np.empty(sum(part.length for part in parts), dtype=np.float32)
    at = 0
    for part in parts:
        value = observation
        for key in part.way:
            value = value[key]
        if part.one_hot:
            laid[at : at + part.length] = 0.0
            laid[at + _numbered(value, part.start, part.one_hot)] = 1.0
        else:
            numbers = real(value, part.shape)
            laid[at : at + part.length] = (numbers if part.scale is None else numbers / part.scale).reshape(-1)
        at += part.length
    if not np.isfinite(laid).all():
        raise ValueError("an observation in which not all numbers are finite")
    return laid


def real(value: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """`value` as float32 of that shape. Raises TypeError, ValueError."""
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "fiub":
        raise TypeError(f"{type(value).__name__} of {numbers.dtype} where real numbers belong")
    if numbers.shape != shape:
        raise ValueError(f"an array of shape {numbers.shape} where {shape} belongs")
    return numbers.astype(np.float32)


def _named(space: Any) -> str:
    words = str(space)
    return words if len(words) < 120 else f"{type(space).__name__}{getattr(space, 'shape', '')}"
