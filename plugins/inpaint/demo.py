"""The example of the manual's pictures: the example scene with a selection on it; nothing is computed for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from studio.ml.diffusion.regions import Mask
from studio_plugins.inpaint.opening import EXAMPLE_SIDE, example

if TYPE_CHECKING:
    from studio_plugins.inpaint.panel import InpaintPanel


def show(panel: InpaintPanel) -> None:
    """The scene, the apple selected, words for what should be there."""
    panel.controls.form.set_fields({"prompt": "a cat left of a dog on a blue background", "whole": True})
    panel.filing.begin("Example", lambda: panel.document.set_picture(example(), "Example"))
    panel.document.set_mask(disc())


def disc() -> Mask:
    """A selection over the right one of the two things in the scene, [EXAMPLE_SIDE, EXAMPLE_SIDE]."""
    y, x = np.mgrid[:EXAMPLE_SIDE, :EXAMPLE_SIDE] / EXAMPLE_SIDE
    inside = (x - 0.73) ** 2 + (y - 0.5) ** 2 < 0.23**2
    return np.where(inside, np.uint8(255), np.uint8(0))
