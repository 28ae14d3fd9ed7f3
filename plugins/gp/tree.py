"""Edits of a kernel as a tree of blocks. A path is the index of a part, of a part of that, and so on; () is the whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from studio.ml.gp.grammar import KERNELS
from studio.ml.gp.kernel import Kernel, Product, Scale, Sum
from studio.ml.gp.processes import ChangePoint
from studio.ml.gp.stationary import RBF, Stationary

Path = tuple[int, ...]


def at(kernel: Kernel, path: Path) -> Kernel:
    """The part at a path. Raises IndexError."""
    for index in path:
        kernel = kernel.parts[index]
    return kernel


def replaced(kernel: Kernel, path: Path, part: Kernel) -> Kernel:
    """The kernel with another part at a path; sums in sums and products in products become one."""
    if not path:
        return part
    parts = list(kernel.parts)
    parts[path[0]] = replaced(parts[path[0]], path[1:], part)
    return _flat(kernel.with_parts(parts))


def without(kernel: Kernel, path: Path) -> Kernel | None:
    """The kernel with the part at a path taken away; what then has one part only becomes that part. None when nothing
    is left."""
    if not path:
        return None
    parent = at(kernel, path[:-1])
    if isinstance(parent, Scale):
        return without(kernel, path[:-1])
    rest = [part for i, part in enumerate(parent.parts) if i != path[-1]]
    left = rest[0] if len(rest) == 1 else parent.with_parts(rest)
    return replaced(kernel, path[:-1], left)


def joined(kernel: Kernel, path: Path, other: Kernel, sign: str) -> Kernel:
    """The part at a path added to (`sign` "+") or multiplied by ("*") another kernel."""
    part = at(kernel, path)
    return replaced(kernel, path, part + other if sign == "+" else part * other)


def with_value(kernel: Kernel, path: Path, name: str, value: Any) -> Kernel:
    """The kernel with one field of the part at a path changed. Raises BadKernel."""
    return replaced(kernel, path, dataclasses.replace(at(kernel, path), **{name: value}))


def scaled(kernel: Kernel, path: Path, variance: float | None) -> Kernel:
    """The part at a path multiplied by a variance, None to take the factor away. Raises BadKernel."""
    part = at(kernel, path)
    inner = part.kernel if isinstance(part, Scale) else part
    return replaced(kernel, path, inner if variance is None else Scale(variance, inner))


def as_kind(kernel: Kernel, path: Path, kind: type[Kernel]) -> Kernel:
    """The part at a path as another kind of kernel; values of the same name are kept."""
    part = at(kernel, path)
    return replaced(kernel, path, _like(part, kind))


def ruled(kernel: Kernel) -> tuple[Path, float] | None:
    """The first part with one length-scale, and its value: what the ruler on the plot shows. None where there is none."""
    for path, part in leaves(kernel):
        length = getattr(part, "length", None)
        if isinstance(part, Stationary) and isinstance(length, float | int):
            return path, float(length)
    return None


def leaves(kernel: Kernel, path: Path = ()) -> Iterator[tuple[Path, Kernel]]:
    """The kernels that are made of no others, with their paths."""
    if not kernel.parts:
        yield path, kernel
    for index, part in enumerate(kernel.parts):
        yield from leaves(part, (*path, index))


def fresh(kind: type[Kernel]) -> Kernel:
    """A kernel of a kind with its usual values."""
    return ChangePoint(RBF(), RBF()) if kind is ChangePoint else kind()


def kinds() -> dict[str, type[Kernel]]:
    """Every kind of block that can be chosen, by name."""
    return {kind.__name__: kind for kind in KERNELS}


def _like(part: Kernel, kind: type[Kernel]) -> Kernel:
    if kind is ChangePoint:
        return ChangePoint(part, part)
    known = {field.name: field for field in dataclasses.fields(kind)}
    kept = {
        name: getattr(part, name)
        for name, field in known.items()
        if hasattr(part, name) and isinstance(getattr(part, name), type(field.default))
    }
    return kind(**kept)


def _flat(kernel: Kernel) -> Kernel:
    for kind in (Sum, Product):
        if isinstance(kernel, kind) and any(isinstance(part, kind) for part in kernel.parts):
            return kind(tuple(inner for part in kernel.parts for inner in (part.parts if isinstance(part, kind) else (part,))))
    return kernel
