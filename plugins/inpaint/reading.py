"""Pictures and masks from files that a request names, or that an older result holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from studio.host.photos import open_photo
from studio.host.pictures import Pixels
from studio.ml.diffusion.regions import Mask


def read_picture(path: Path) -> Pixels:
    """A picture [H, W, 4] as the canvas opens it. Raises PhotoUnreadable."""
    return open_photo(path).pixels


def read_mask(path: Path) -> Mask:
    """A mask [H, W] by its brightness, white = draw here; what is transparent is black. Raises PhotoUnreadable."""
    image = Image.fromarray(open_photo(path).pixels)
    return np.array(Image.alpha_composite(Image.new("RGBA", image.size, "black"), image).convert("L"))
