"""Families of models that draw: what they are called, how large their pictures are, what they can do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from studio.models.library.holding import INPAINTING, PICTURE_TO_PICTURE, TEXT_TO_PICTURE

ALL_THREE = (TEXT_TO_PICTURE, PICTURE_TO_PICTURE, INPAINTING)
DECODER_MAPS = 3
"""Maps at full size that are alive at once while an AutoencoderKL decodes: input, output and skip of a block."""
DECODER_CHANNELS = 256
"""Channels of such a map in the published decoders: the last level takes in those of the level before."""


class Family(NamedTuple):
    """title; size: pixels a side of its pictures; prompt_width: numbers per word its network takes, 0: not by that."""

    title: str
    size: int
    prompt_width: int = 0


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "sd1": Family("Stable Diffusion 1.x", 512, 768),
        "sd2": Family("Stable Diffusion 2.x", 768, 1024),
        "sdxl": Family("Stable Diffusion XL", 1024, 2048),
        "sdxl-refiner": Family("Stable Diffusion XL refiner", 1024, 1280),
        "sd3": Family("Stable Diffusion 3.x", 1024),
        "flux": Family("Flux", 1024),
        "pixart": Family("PixArt", 1024),
    }
)
"""Families that are told apart; any other pipeline with a prompt has the family "other"."""

_BY_CLASS = (
    ("StableDiffusionXL", "sdxl"),
    ("StableDiffusion3", "sd3"),
    ("StableDiffusion", "sd1"),
    ("Flux2", "other"),
    ("Flux", "flux"),
    ("PixArt", "pixart"),
)


def family_of_class(name: str) -> str:
    """The family of a diffusers pipeline class by its name; "other" for one of none."""
    return next((family for start, family in _BY_CLASS if name.startswith(start)), "other")


def family_of_width(width: int) -> str:
    """The family whose U-Net takes prompts of this width; "" for none."""
    return next((name for name, family in FAMILIES.items() if width and family.prompt_width == width), "")


def title_of(family: str) -> str:
    """What a family is called."""
    return FAMILIES[family].title if family in FAMILIES else family


def unet_abilities(family: str, channels: int, latent: int = 4) -> tuple[str, ...]:
    """What a U-Net of this many input channels can do: more than the latent's are a mask and a masked picture, or a
    picture to change."""
    if channels == 2 * latent + 1:
        return (INPAINTING,)
    if channels == 2 * latent or family == "sdxl-refiner":
        return (PICTURE_TO_PICTURE,)
    return ALL_THREE if channels == latent else ()


def flux_abilities(channels: int, latent: int = 16) -> tuple[str, ...]:
    """As `unet_abilities` for Flux, whose input channels are 2×2 cells of the latent; its Fill variant takes the masked
    picture's cells and a mask of every pixel besides."""
    if channels == 4 * latent:
        return ALL_THREE
    return (INPAINTING,) if channels > 8 * latent else ()


def decoder_peak(size: int, channels: int = DECODER_CHANNELS) -> int:
    """Numbers alive at once, at most, while a picture of `size` pixels a side is decoded.

    Every family's network needs less than its decoder does, attention being fused (counted on the published
    configurations: 0.13 GiB of Stable Diffusion 1's U-Net against 0.38 GiB of its decoder, in half precision).
    """
    return DECODER_MAPS * channels * size * size
