"""Which plane of a tensor is shown: the axes of rows and columns, and where the others are cut. No Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from studio_plugins.inspector.reading import TensorInfo


@dataclass(frozen=True)
class View:
    """`rows` and `cols` are axes, -1 where the tensor has none to show that way; `index` has an entry for every axis."""

    rows: int
    cols: int
    index: tuple[int, ...]

    def with_index(self, axis: int, at: int) -> View:
        return replace(self, index=(*self.index[:axis], at, *self.index[axis + 1 :]))


def can_be_picture(info: TensorInfo) -> bool:
    """Whether the tensor may be colours: bytes with 3 or 4 channels on the last axis."""
    return info.dtype == "uint8" and len(info.shape) >= 3 and info.shape[-1] in (3, 4)


def first_view(info: TensorInfo) -> View:
    """Where to look first: a picture as it stands, else the two longest axes in their order (a kernel's 3 x 3 says little)."""
    shape = info.shape
    index = (0,) * len(shape)
    if len(shape) < 2:
        return View(-1, -1, index)
    if can_be_picture(info):
        return View(len(shape) - 3, len(shape) - 2, index)
    longest = sorted(range(len(shape)), key=lambda axis: (shape[axis], axis))[-2:]
    return View(min(longest), max(longest), index)


def fitting_view(info: TensorInfo, stored: Any) -> View:
    """A view as JSON gave it back, as far as it fits the tensor; the first view otherwise."""
    start = first_view(info)
    if not isinstance(stored, dict) or len(info.shape) < 2:
        return start
    rows, cols, index = stored.get("rows"), stored.get("cols"), stored.get("index")
    axes = range(len(info.shape))
    if not isinstance(rows, int) or not isinstance(cols, int) or rows == cols or rows not in axes or cols not in axes:
        return start
    fits = isinstance(index, list) and len(index) == len(info.shape) and all(
        isinstance(at, int) and 0 <= at < side for at, side in zip(index, info.shape, strict=True)
    )  # fmt: skip
    return View(rows, cols, tuple(index) if fits and isinstance(index, list) else start.index)


def with_rows(view: View, axis: int) -> View:
    """The view with another axis as rows; if that was the columns, the two change places."""
    return replace(view, rows=axis, cols=view.rows if axis == view.cols else view.cols)


def with_cols(view: View, axis: int) -> View:
    """The view with another axis as columns; if that was the rows, the two change places."""
    return replace(view, cols=axis, rows=view.cols if axis == view.rows else view.rows)


def place(view: View, row: int, col: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The full index of the value at (row, col) of the plane."""
    if not shape:
        return ()
    if view.cols < 0:
        return (col,)
    return tuple(row if axis == view.rows else col if axis == view.cols else at for axis, at in enumerate(view.index))
