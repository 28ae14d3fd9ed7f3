"""Pictures coming onto the canvas: files, what is on the clipboard, an example scene. Jobs for the quick lane."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.photos import Photo, PhotoTooLarge, open_photo, photo_of_bytes
from studio.host.pictures import Pixels

NETWORK_SIDE, EXAMPLE_SIDE = 32, 128
Running = Generator[Event | Offload, Any, "Opened"]


@dataclass(frozen=True)
class FileOrder:
    """A picture file; `shrink` scales one down that is too large for a canvas."""

    path: Path
    shrink: bool = False


@dataclass(frozen=True, eq=False)
class Pasted:
    """The bytes of a picture file."""

    data: bytes
    name: str = "Pasted picture"


@dataclass(frozen=True, eq=False)
class Opened:
    """A picture for the canvas, [H, W, 4]; `smaller` is what a file too large can be opened at instead of `pixels`."""

    name: str
    pixels: Pixels | None
    notes: tuple[str, ...] = ()
    path: Path | None = None
    smaller: tuple[int, int] | None = None


def open_file(order: FileOrder, ctx: JobContext) -> Running:
    """A picture file. One that is too large comes back without pixels, with a note. Raises PhotoUnreadable."""
    yield Progress(0, 1, f"opening {order.path.name}")
    opened: Opened = yield Offload(_open, order)
    return opened


def open_pasted(pasted: Pasted, ctx: JobContext) -> Running:
    """What was on the clipboard. Raises PhotoUnreadable."""
    yield Progress(0, 1, "opening the clipboard's picture")
    photo: Photo = yield Offload(photo_of_bytes, pasted.data, pasted.name)
    return Opened(pasted.name, photo.pixels, photo.notes)


def open_example(_request: None, ctx: JobContext) -> Running:
    """An emoji scene, as the bundled models know them."""
    yield Progress(0, 1, "drawing an example")
    pixels: Pixels = yield Offload(example)
    return Opened("Example", pixels)


def example() -> Pixels:
    """A cat left of an apple, [128, 128, 4]: what the bundled models know, its edges on their 32 × 32 pixels."""
    from studio.ml.data.scenes import Placed, Scene, on_grid, render

    cat, apple = Placed("cat", 0.27, 0.5, 0.42), Placed("red apple", 0.73, 0.5, 0.42)
    scene = render(on_grid(Scene("relation", (cat, apple), "blue", relation="left of"), NETWORK_SIDE), EXAMPLE_SIDE)
    return np.dstack([scene, np.full(scene.shape[:2], 255, np.uint8)])


def _open(order: FileOrder) -> Opened:
    try:
        photo = open_photo(order.path, shrink=order.shrink)
    except PhotoTooLarge as error:
        return Opened(order.path.stem, None, (str(error),), order.path, error.smaller)
    return Opened(order.path.stem, photo.pixels, photo.notes, order.path)
