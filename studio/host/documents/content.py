"""What a document holds: layers, paint hints, the mask, the versions that were drawn and the state of the panel.

Plain values without Qt: the canvas gives and takes them, the archive and the recovery copy store them. Masks are uint8,
255 = draw here, 0 = keep, in between = soft; colours are straight (not premultiplied) RGBA.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.host.imagemeta.containers import MAX_PIXELS

Pixels = NDArray[np.uint8]

MAX_SIDE = 2**15  # beyond what QPainter paints on (32,767) and what PNG readers of other programs allow
MAX_LAYERS = 256
MAX_VERSIONS = 4096
MAX_NAME = 200


@dataclass(frozen=True, eq=False)
class LayerContent:
    """One layer. `pixels` [H, W, 4] uint8, straight alpha; `opacity` in [0, 1]."""

    name: str
    pixels: Pixels
    visible: bool = True
    opacity: float = 1.0

    def __post_init__(self) -> None:
        _check_colour(f"the layer “{self.name[:40]}”", self.pixels)
        if len(self.name) > MAX_NAME:
            raise ValueError(f"the name of a layer has at most {MAX_NAME} characters, not {len(self.name)}")
        if not 0 <= self.opacity <= 1:  # False for NaN too
            raise ValueError(f"the opacity of the layer “{self.name[:40]}” is {self.opacity}, not between 0 and 1")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LayerContent):
            return NotImplemented
        plain = (self.name, self.visible, self.opacity) == (other.name, other.visible, other.opacity)
        return plain and same_pixels(self.pixels, other.pixels)


@dataclass(frozen=True, eq=False)
class VersionContent:
    """A result that was drawn for this document.

    `request` is the whole request as JSON data; `pixels` [h, w, 4] uint8 of any size, None when the result was not kept
    in the document; `kept` and `applied` say what the person did with it; `created` is an ISO time in UTC.
    """

    id: str
    request: Mapping[str, Any]
    pixels: Pixels | None
    kept: bool = False
    applied: bool = False
    created: str = ""

    def __post_init__(self) -> None:
        if not self.id or len(self.id) > MAX_NAME:
            raise ValueError(f"the id of a version has 1 to {MAX_NAME} characters")
        if self.pixels is not None:
            _check_colour(f"the version “{self.id[:40]}”", self.pixels)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VersionContent):
            return NotImplemented
        mine = (self.id, _plain(self.request), self.kept, self.applied, self.created)
        its = (other.id, _plain(other.request), other.kept, other.applied, other.created)
        return mine == its and same_pixels(self.pixels, other.pixels)


@dataclass(frozen=True, eq=False)
class DocumentContent:
    """A whole document at one moment. `layers` bottom first, each [height, width, 4]; `hints` [height, width, 4] is the
    paint layer for colour hints, `mask` [height, width]; None means empty. `request` is what the panel's form says,
    `view` what the window keeps (zoom, position, tool), both JSON data.

    Whoever makes a content hands over arrays that nobody paints on any more: they are written by another thread. An
    array that is read-only (`pixels.flags.writeable` is False) is, as the same object, taken as unchanged next time.
    """

    width: int
    height: int
    layers: tuple[LayerContent, ...] = ()
    hints: Pixels | None = None
    mask: Pixels | None = None
    versions: tuple[VersionContent, ...] = ()
    request: Mapping[str, Any] | None = None
    view: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_size(self.width, self.height)
        if len(self.layers) > MAX_LAYERS or len(self.versions) > MAX_VERSIONS:
            raise ValueError(f"a document has at most {MAX_LAYERS} layers and {MAX_VERSIONS} versions")
        size = (self.height, self.width)
        for layer in self.layers:
            _check_shape(f"the layer “{layer.name[:40]}”", layer.pixels, (*size, 4))
        if self.hints is not None:
            _check_shape("the layer of hints", self.hints, (*size, 4))
        if self.mask is not None:
            _check_shape("the mask", self.mask, size)
        if len({version.id for version in self.versions}) < len(self.versions):
            raise ValueError("two versions of the document have the same id")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DocumentContent):
            return NotImplemented
        mine = (self.width, self.height, self.layers, self.versions, _plain(self.request), _plain(self.view))
        its = (other.width, other.height, other.layers, other.versions, _plain(other.request), _plain(other.view))
        return mine == its and same_pixels(self.hints, other.hints) and same_pixels(self.mask, other.mask)


def check_size(width: int, height: int) -> None:
    """Raise ValueError unless a document may be width × height pixels large."""
    if not (0 < width < MAX_SIDE and 0 < height < MAX_SIDE and width * height <= MAX_PIXELS):
        raise ValueError(
            f"a document of {width:,} × {height:,} pixels is not possible: at least 1 × 1, at most {MAX_SIDE - 1:,} pixels "
            f"a side and {MAX_PIXELS / 1e6:.0f} million pixels in all"
        )


def same_pixels(one: Pixels | None, other: Pixels | None) -> bool:
    """Whether two pictures are both missing or equal to the bit."""
    if one is None or other is None:
        return one is other
    return one is other or np.array_equal(one, other)


def _plain(data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A dict equals a dict, whatever other kind of mapping it came as."""
    return None if data is None else dict(data)


def _check_colour(what: str, pixels: Pixels) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 4:
        raise ValueError(f"{what} is {pixels.dtype} of shape {pixels.shape}, not uint8 of shape [H, W, 4]")
    check_size(pixels.shape[1], pixels.shape[0])


def _check_shape(what: str, pixels: Pixels, shape: tuple[int, ...]) -> None:
    if pixels.dtype != np.uint8 or pixels.shape != shape:
        raise ValueError(f"{what} is {pixels.dtype} of shape {pixels.shape}, not uint8 of shape {shape}")
