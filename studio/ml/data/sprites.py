"""Pictures of the nouns: rendered once from an open colour-emoji font, then shipped as one atlas.

The font (Noto Color Emoji, SIL Open Font License 1.1) is needed only to rebuild the atlas. A sprite is cropped to what
is visible and centred in a square, so that its size in a scene is the size one sees.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from studio.ml.data.nouns import NOUNS
from studio.resources import resource

Sprite = NDArray[np.float32]
"""[size, size, 4] float32: premultiplied RGB in 0..255 and alpha in 0..1."""

FONT_FILE = "NotoColorEmoji.ttf"
FONT_PIXELS = 109  # the only bitmap size the font holds
CELL = 72
COLUMNS = 8


class FontMissing(FileNotFoundError):
    """No colour-emoji font on this machine; the message says how to get one."""


def render_from_font(font: Path, noun: str) -> Image.Image:
    """One noun as RGBA, CELL x CELL pixels. Raises ValueError when the font has no picture for it."""
    face = ImageFont.truetype(str(font), FONT_PIXELS)
    canvas = Image.new("RGBA", (2 * FONT_PIXELS, 2 * FONT_PIXELS), (0, 0, 0, 0))
    ImageDraw.Draw(canvas).text((FONT_PIXELS // 4, FONT_PIXELS // 4), NOUNS[noun], font=face, embedded_color=True)
    box = canvas.getchannel("A").getbbox()
    if box is None:
        raise ValueError(f"{font.name} has no picture for {noun!r}")
    glyph = canvas.crop(box)
    side = max(glyph.size)
    square = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    square.paste(glyph, ((side - glyph.width) // 2, (side - glyph.height) // 2))
    return square.resize((CELL, CELL), Image.Resampling.LANCZOS)


def find_font() -> Path:
    """Path of Noto Color Emoji on this machine. Raises FontMissing."""
    folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts", Path.home() / ".local/share/fonts"]
    for folder in folders:
        found = sorted(folder.rglob(FONT_FILE)) if folder.is_dir() else []
        if found:
            return found[0]
    raise FontMissing(f"{FONT_FILE} was not found; on Debian or Ubuntu: apt-get install fonts-noto-color-emoji")


def build_atlas(path: Path) -> None:
    """Render every noun from the font into the atlas picture at `path`."""
    font = find_font()
    rows = -(-len(NOUNS) // COLUMNS)
    atlas = Image.new("RGBA", (COLUMNS * CELL, rows * CELL), (0, 0, 0, 0))
    for i, noun in enumerate(NOUNS):
        atlas.paste(render_from_font(font, noun), (i % COLUMNS * CELL, i // COLUMNS * CELL))
    atlas.save(path, optimize=True)


@lru_cache(maxsize=1)
def _atlas() -> Image.Image:
    return Image.open(resource("data", "emoji-atlas.png")).convert("RGBA")


@lru_cache(maxsize=8192)
def sprite(noun: str, size: int) -> Sprite:
    """The noun at `size` x `size` pixels, from the shipped atlas. Raises KeyError for an unknown noun."""
    i = _index()[noun]
    left, top = i % COLUMNS * CELL, i // COLUMNS * CELL
    cell = np.asarray(_atlas().crop((left, top, left + CELL, top + CELL)), dtype=np.float32)
    alpha = cell[..., 3:] / 255
    # every channel is resized on its own with the alpha already multiplied in, or dark rims appear
    channels = np.moveaxis(np.concatenate([cell[..., :3] * alpha, alpha], axis=2), 2, 0)
    resized = [np.asarray(Image.fromarray(c).resize((size, size), Image.Resampling.BOX)) for c in channels]
    return np.stack(resized, axis=2)


@lru_cache(maxsize=1)
def _index() -> dict[str, int]:
    return {noun: i for i, noun in enumerate(NOUNS)}
