"""Which family a pipeline belongs to and what it can probably do, told from its folder alone.

What a loaded model can do for certain is in `ExternalModel.capabilities`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from studio.ml.diffusion.external.asked import Role
from studio.ml.diffusion.external.folder import Folder

ROLES: tuple[Role, ...] = ("text2im", "image2image", "inpaint")
BY_CLASS: tuple[tuple[str, str, tuple[Role, ...]], ...] = (
    ("StableDiffusionXL", "Stable Diffusion XL", ROLES),
    ("StableDiffusion3", "Stable Diffusion 3.x", ROLES),
    ("LatentConsistency", "Latent consistency model", ROLES),
    ("FluxFill", "Flux", ("inpaint",)),
    ("Flux2", "Flux 2", ("text2im", "image2image")),
    ("Flux", "Flux", ROLES),
    ("PixArt", "PixArt", ("text2im", "inpaint")),
    ("IF", "DeepFloyd IF", ROLES),
    ("Kandinsky", "Kandinsky", ROLES),
)
"""Beginning of the pipeline's class -> family and abilities; the first that fits counts."""


def family_of(folder: Folder) -> str:
    """The family in words; that of an unknown pipeline is its class's name in words: "Aura Flow"."""
    for start, family, _ in BY_CLASS:
        if folder.class_name.startswith(start):
            return family
    if folder.class_name.startswith("StableDiffusion"):
        return f"Stable Diffusion {_generation(folder.config('text_encoder'), folder.config('unet'))}.x"
    return " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*", folder.class_name.removesuffix("Pipeline")))


def abilities_of(folder: Folder) -> tuple[Role, ...]:
    """What models of this kind can do."""
    if is_inpaint_network(folder.config("unet")):
        return ("inpaint",)
    for start, _, abilities in BY_CLASS:
        if folder.class_name.startswith(start):
            return abilities
    return ROLES if folder.class_name.startswith("StableDiffusion") else ("text2im",)


def is_inpaint_network(unet: Mapping[str, Any]) -> bool:
    """Whether a U-Net sees, beside its latents, those of the masked picture and the mask: 4 + 4 + 1 channels."""
    inputs, outputs = unet.get("in_channels"), unet.get("out_channels")
    return isinstance(inputs, int) and isinstance(outputs, int) and inputs == 2 * outputs + 1


def _generation(text: Mapping[str, Any], unet: Mapping[str, Any]) -> int:
    """1 or 2: the first reads text with OpenAI's CLIP (its quick GELU, width 768), the second with OpenCLIP (1024)."""
    return 2 if text.get("hidden_act") == "gelu" or unet.get("cross_attention_dim") == 1024 else 1
