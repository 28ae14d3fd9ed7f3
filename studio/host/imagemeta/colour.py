"""Any picture that Pillow decodes as 8-bit sRGB, with words for what had to be converted.

Profiles go through LittleCMS with relative colorimetric intent and black-point compensation, as browsers and paint
programs do. Numbers of 16 bits are divided by 257 and rounded (65,535 = 255 · 257), so that 0 and white stay what they are.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.host.imagemeta.pixels import DECODER_ERRORS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}  # Pillow's mode -> colour space in the profile
_ALIKE = 1  # levels by which a profile may differ from sRGB and still be called the same


def to_rgba(image: Image, notes: list[str]) -> Image:
    """A loaded picture as RGBA, straight alpha, 8-bit sRGB; what changed its numbers is appended to `notes`.

    Raises what Pillow's decoders raise (`DECODER_ERRORS`).
    """
    colours, alpha = _separated(image, notes)
    colours = _to_srgb(colours, image.info.get("icc_profile"), notes)
    if colours.mode != "RGB":  # converting to the same mode would be a copy, and pictures are large
        colours = colours.convert("RGB")
    colours.putalpha(255 if alpha is None else alpha)  # turns RGB into RGBA in place
    return colours


def depth_of(image: Image) -> int:
    """Bits a channel as stored, 8 or 16, of a picture that is not loaded yet (loading forgets it)."""
    stated = [tile.args if isinstance(tile.args, str) else tile.args[:1] for tile in getattr(image, "tile", ()) if tile.args]
    return 16 if any(";16" in str(args) for args in stated) else 8


def _separated(image: Image, notes: list[str]) -> tuple[Image, Image | None]:
    """Colours in one of the modes of `_SPACES`, and alpha where there is any."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _from_numbers(image, notes)
    if image.has_transparency_data:
        full = image.convert("RGBA")
        return full.convert("RGB"), full.getchannel("A")
    if image.mode in _SPACES:
        return image, None
    return image.convert("L" if image.mode == "1" else "RGB"), None


def _from_numbers(image: Image, notes: list[str]) -> tuple[Image, Image | None]:
    """Grey of 16 or 32 bits or of floats as L; a colour that stands for transparency as alpha."""
    from PIL import Image as pil

    values = np.asarray(image)
    clear = image.info.get("transparency")
    alpha = pil.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)) if isinstance(clear, int) else None
    if image.mode.startswith("I;16"):
        notes.append("16 bits a pixel were reduced to 8.")
        return pil.fromarray(from_16_bits(values)), alpha
    finite = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    white = _white(image.mode, float(finite.max()))
    notes.append(f"Its numbers were scaled: 0 became black and {white:,g} white.")
    return pil.fromarray(np.clip(finite * (255 / white) + 0.5, 0, 255).astype(np.uint8)), alpha


def from_16_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """round(v / 257) of uint16."""
    rounded: NDArray[np.uint8] = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return rounded


def _white(mode: str, top: float) -> float:
    """Which number stands for white: the end of the smallest usual range that holds the largest number."""
    ranges = (1.0, 255.0, 65_535.0) if mode == "F" else (255.0, 65_535.0)
    return next((end for end in ranges if top <= end), top)


def _to_srgb(colours: Image, profile: object, notes: list[str]) -> Image:
    """Colours in sRGB: by the profile that came along, or by a plain conversion that says so."""
    from PIL import ImageCms

    if isinstance(profile, bytes) and profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            space = source.profile.xcolor_space.strip()
            if (colours.mode, space) == ("L", "RGB"):  # cameras put their profile into grey pictures as well
                colours = colours.convert("RGB")
            if space == _SPACES[colours.mode]:
                return _through(colours, source, notes)
        except (ImageCms.PyCMSError, *DECODER_ERRORS):
            notes.append("Its colour profile is damaged and was left out, so colours may be a little off.")
        else:
            notes.append("Its colour profile belongs to another kind of picture and was left out.")
    if colours.mode == "LAB":
        return _through(colours, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), notes)
    if colours.mode == "CMYK":
        notes.append("Print colours (CMYK) without a profile became RGB, so colours are approximate.")
    return colours


def _through(colours: Image, source: Any, notes: list[str]) -> Image:
    """Transform by a profile; colours that are sRGB already, within a level, stay as they are to the bit."""
    from PIL import ImageCms

    transform = ImageCms.buildTransform(
        source, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")), colours.mode, "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )  # fmt: skip
    if colours.mode in ("L", "RGB") and _is_identity(transform, colours.mode):
        return colours
    changed = ImageCms.applyTransform(colours, transform)
    assert changed is not None  # it is None only when the transform works in place
    name = ImageCms.getProfileDescription(source).strip()[:80] or "a profile without a name"
    notes.append(f"Its colours were converted from “{name}” to sRGB.")
    return changed


def _is_identity(transform: Any, mode: str) -> bool:
    """Try the transform on a cube of colours (or a ramp of greys)."""
    from PIL import Image as pil
    from PIL import ImageCms

    steps = np.linspace(0, 255, 17).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(17, -1, 3)
    probe = pil.fromarray(cube) if mode == "RGB" else pil.fromarray(np.arange(256, dtype=np.uint8)[None])
    changed = ImageCms.applyTransform(probe, transform)
    assert changed is not None
    return int(np.abs(np.asarray(changed, np.int16) - np.asarray(probe.convert("RGB"), np.int16)).max()) <= _ALIKE
