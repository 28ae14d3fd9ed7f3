"""Views: exactly what a network is shown of a picture that is to be changed, and where what it draws will lie.

Made of whole pictures in bytes; only the region around the selection is ever resampled, so that a view of a large
photo is quick enough to follow the brush.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from studio.ml.diffusion.regions import (
    HALF,
    Cells,
    Margins,
    Mask,
    Pixels,
    Region,
    RegionError,
    check,
    composite_mask,
    denoise_mask,
    diagonal,
    drawn_cells,
    flat,
    region_of,
    resampled,
)

_UNKNOWN = 128
"""The grey that a hole is shown as: 0 in a network's numbers from -1 to 1."""


@dataclass(frozen=True, eq=False)
class View:
    """A region at the size n of a network. drawn, ring, known: [n, n] bool.

    picture [n, n, 3]: the region, paint hints included. truth [n, n, 3]: the same without hints; known: where there is
    a truth, the picture not being transparent. drawn: cells the network draws, its hole; soft [n, n]: the same for
    networks that take soft masks. ring: cells drawn that hold nothing selected. composite [side, side]: what will be
    pasted of it, at the picture's own size.
    """

    region: Region
    picture: Pixels
    truth: Pixels
    known: Cells
    drawn: Cells
    soft: Mask
    ring: Cells
    composite: Mask

    @property
    def size(self) -> int:
        """Pixels of a side as the network sees it."""
        return len(self.drawn)

    @property
    def keep(self) -> Cells:
        """GLIDE's mask: True = keep."""
        return ~self.drawn

    @property
    def masked(self) -> Pixels:
        """The second input of an inpainting network, as a picture: what is known, and grey where it is to draw."""
        return np.where(self.drawn[..., None], np.uint8(_UNKNOWN), self.picture)

    @property
    def all_drawn(self) -> bool:
        """Whether nothing known is left to go by."""
        return bool(self.drawn.all())


def look(
    picture: Pixels,
    selection: Mask,
    size: int,
    *,
    native: int | None = None,
    margins: Margins = Margins(),
    whole: bool = False,
    hints: Pixels | None = None,
) -> View:
    """What a network of this size is shown of a picture [H, W, 3 or 4] with a selection [H, W].

    native: pixels of a side of what is drawn in the end, where a second stage enlarges it. hints [H, W, 4]: paint laid
    over the picture. The rest as `region_of`. Raises RegionError.
    """
    check(picture, selection)
    if hints is not None and hints.shape != (*selection.shape, 4):
        raise RegionError(f"The paint hints must be [{len(picture)}, {picture.shape[1]}, 4], not {list(hints.shape)}.")
    region = region_of(selection, size if native is None else native, margins, whole=whole)
    chosen, crop = region.cut(selection), region.cut(picture)
    across, factor = diagonal(selection[region.inside(selection.shape)]), region.side / size
    lengths = {name: margins.pixels(name, across, factor) for name in ("grow", "feather", "paste", "blend")}
    soft = denoise_mask(chosen, lengths["grow"], lengths["feather"])
    drawn = drawn_cells(soft, size)
    truth = resampled(flat(crop), size)
    return View(
        region=region,
        picture=truth if hints is None else resampled(flat(_painted(crop, region.cut(hints))), size),
        truth=truth,
        known=_solid(crop, size),
        drawn=drawn,
        soft=resampled(soft, size),
        ring=drawn & ~drawn_cells(_core(chosen), size),
        composite=_confined(composite_mask(chosen, lengths["paste"], lengths["blend"]), drawn),
    )


def _core(selection: Mask) -> Mask:
    return np.where(selection > 0, np.uint8(255), np.uint8(0))


def _confined(composite: Mask, drawn: Cells) -> Mask:
    """The composite mask [N, N] where something was drawn [n, n]: elsewhere a patch is but the picture resampled."""
    cell = (2 * np.arange(len(composite)) + 1) * len(drawn) // (2 * len(composite))  # that of each pixel's centre
    return np.where(drawn[np.ix_(cell, cell)], composite, np.uint8(0))


def _painted(crop: Pixels, hints: Pixels) -> Pixels:
    """The crop with paint over it."""
    under = Image.fromarray(np.ascontiguousarray(crop)).convert("RGBA")
    return np.asarray(Image.alpha_composite(under, Image.fromarray(np.ascontiguousarray(hints))))


def _solid(crop: Pixels, size: int) -> Cells:
    """Where a crop is not transparent, cell by cell."""
    if crop.shape[2] == 3:
        return np.ones((size, size), dtype=np.bool_)
    return np.asarray(resampled(crop[..., 3], size) >= HALF)
