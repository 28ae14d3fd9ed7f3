"""The pixels a run works on: picture, selection and paint hints, of the canvas, of files, or of an older result."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studio.host.pictures import Pixels
from studio.host.results import ResultsStore
from studio.ml.diffusion.regions import Mask
from studio_plugins.inpaint.reading import read_mask, read_picture
from studio_plugins.inpaint.request import PIXELS_OF, InpaintRequest

FILE_OF = {"picture": "input.png", "mask": "mask.png", "hints": "hints.png"}
_LOOKED_THROUGH = 50


class InputsMissing(ValueError):
    """A run whose picture or selection is not here; the message says which and what to do."""


@dataclass(frozen=True, eq=False)
class InpaintInputs:
    """picture [H, W, 3 or 4], straight alpha; mask [H, W], 255 = draw here; hints [H, W, 4] or None; all uint8."""

    picture: Pixels
    mask: Mask
    hints: Pixels | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "picture", without_idle_alpha(self.picture))
        if self.hints is not None and self.hints.ndim == 3 and not self.hints[..., -1].any():
            object.__setattr__(self, "hints", None)

    def digests(self) -> dict[str, str]:
        """The request's digest fields of these pixels."""
        arrays = {"picture": self.picture, "mask": self.mask, "hints": self.hints}
        return {PIXELS_OF[name]: "" if pixels is None else pixels_sha256(pixels) for name, pixels in arrays.items()}

    def selection(self, mode: str) -> Mask:
        """What a mode draws [H, W]: the mask; besides it, paint hints to be refined, or transparent parts to extend."""
        if mode == "refine" and self.hints is not None:
            return np.maximum(self.mask, self.hints[..., 3])
        if mode == "extend" and self.picture.shape[2] == 4:
            return np.maximum(self.mask, 255 - self.picture[..., 3])
        return self.mask

    def shown_hints(self, mode: str) -> Pixels | None:
        """Paint that the network sees: only refining begins with what is there."""
        return self.hints if mode == "refine" else None


def pixels_sha256(pixels: Pixels) -> str:
    """SHA-256 of an array of bytes and its shape: the same for the same pixels in any file format."""
    digest = hashlib.sha256(f"uint8 {list(pixels.shape)}\n".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def find_inputs(request: InpaintRequest, store: ResultsStore | None) -> tuple[InpaintInputs, list[str]]:
    """The pixels a request names, and a sentence for each file whose pixels are not those it was made with.

    A file that is where the request says and holds the pixels it means comes first; then a stored result of the same
    pixels; then the file as it is now. Raises InputsMissing, PhotoUnreadable.
    """
    notes: list[str] = []
    picture = _find(request, "picture", store, notes)
    mask = _find(request, "mask", store, notes)
    if picture is None:
        raise InputsMissing("There is no picture to change. Name its file in “picture”, or open one in the panel.")
    if mask is None:
        if request.mode != "extend":
            raise InputsMissing("Nothing is selected: name the file of a mask in “mask”, white where to draw.")
        mask = np.zeros(picture.shape[:2], np.uint8)
    return InpaintInputs(picture, mask, _find(request, "hints", store, notes)), notes


def _find(request: InpaintRequest, name: str, store: ResultsStore | None, notes: list[str]) -> Pixels | None:
    place, digest = getattr(request, name), getattr(request, PIXELS_OF[name])
    found = _read(name, Path(place)) if place and Path(place).is_file() else None
    if found is not None and (not digest or pixels_sha256(found) == digest):
        return found
    kept = _stored(name, digest, store) if digest else None
    if kept is not None:
        return kept
    if found is not None:
        notes.append(f"“{place}” is not the {name} these settings were made with: what comes of it will differ.")
        return found
    if place or digest:
        where = f"“{place}” is not there" if place else f"no result on this machine holds it ({digest[:12]}…)"
        raise InputsMissing(f"The {name} of this run cannot be found: {where}. Put it back, or choose another one.")
    return None


def _stored(name: str, digest: str, store: ResultsStore | None) -> Pixels | None:
    """The input of an older result with these pixels."""
    for record in store.records(digest, limit=_LOOKED_THROUGH) if store is not None else ():
        path = record.files.get(FILE_OF[name])
        if path is not None and path.is_file():
            pixels = _read(name, path)
            if pixels_sha256(pixels) == digest:
                return pixels
    return None


def _read(name: str, path: Path) -> Pixels:
    if name == "mask":
        return read_mask(path)
    return read_picture(path) if name == "hints" else without_idle_alpha(read_picture(path))


def without_idle_alpha(picture: Pixels) -> Pixels:
    """A picture [H, W, 4] that is opaque everywhere as [H, W, 3]: the same picture has the same digest."""
    idle = picture.ndim == 3 and picture.shape[2] == 4 and (picture[..., 3] == 255).all()
    return np.ascontiguousarray(picture[..., :3]) if idle else picture
