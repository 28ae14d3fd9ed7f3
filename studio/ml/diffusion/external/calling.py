"""What was asked as the arguments of a pipeline's call, under the names this pipeline has for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image

from studio.ml.diffusion.external.asked import Asked, Pixels
from studio.ml.diffusion.external.errors import ExternalError, Offer
from studio.ml.diffusion.external.roles import keeps_latents_flat, parameters

Size = tuple[int, int]
"""(width, height) in pixels."""


def arguments(pipeline: Any, asked: Asked, size: Size) -> dict[str, Any]:
    """Keyword arguments for one picture for each seed; only those that the call takes.

    Every picture has a generator of its own on the CPU, from which its first noise and all later noise is drawn: so it
    is the same in any batch and on any device, and the same that diffusers gives for the seed.
    """
    takes, count = parameters(pipeline), len(asked.seeds)
    offered: dict[str, Any] = {
        "prompt": [asked.prompt] * count,
        "num_inference_steps": asked.steps,
        "generator": [torch.Generator("cpu").manual_seed(seed) for seed in asked.seeds],
        "width": size[0],
        "height": size[1],
        "output_type": "np",
        "use_resolution_binning": False,  # PixArt: the size asked for, not the nearest it was trained at
        "clean_caption": False,  # the prompt as it was typed; cleaning needs further packages
    }
    offered |= _guidance(pipeline, asked)
    if asked.negative:
        if not reads_negative(pipeline):
            raise ExternalError("This model does not read a negative prompt. Clear it, and say what you do want.")
        offered["negative_prompt"] = [asked.negative] * count
    if asked.image is not None:
        offered |= {"image": [_picture(asked.image, size)] * count, "strength": asked.strength}
    if asked.mask is not None:
        offered["mask_image"] = [_picture(asked.mask, size)] * count
    return {name: value for name, value in offered.items() if name in takes}


def reads_negative(pipeline: Any) -> bool:
    """Whether a negative prompt changes anything: not for networks that were distilled with their guidance."""
    return "negative_prompt" in parameters(pipeline) and not _is_distilled(pipeline)


def _guidance(pipeline: Any, asked: Asked) -> dict[str, Any]:
    """The scale under its name: a network that is told its guidance (distilled) takes it as `guidance_scale`, others of
    those families as `true_cfg_scale`, which costs a second evaluation."""
    if asked.scale is None:
        return {}
    if "true_cfg_scale" in parameters(pipeline) and not _is_distilled(pipeline):
        return {"true_cfg_scale": asked.scale}
    return {"guidance_scale": asked.scale}


def _is_distilled(pipeline: Any) -> bool:
    network = getattr(pipeline, "transformer", None)
    return network is not None and bool(network.config.get("guidance_embeds"))


def size_of(pipeline: Any, asked: Asked, native: int) -> Size:
    """The size to draw. Raises ExternalError, with an offer, for sides the network cannot divide into cells."""
    width, height = asked.width or native, asked.height or native
    fixed = "height" not in parameters(pipeline) and getattr(pipeline, "vae", None) is None
    if fixed and (width, height) != (native, native):
        raise ExternalError(
            f"In this role the model draws {native}x{native} pixels and no other size.",
            [Offer(f"Draw {native}x{native}", {"width": native, "height": native})],
        )
    step = multiple_of(pipeline)
    if width % step or height % step or min(width, height) < step:
        near = tuple(max(step, round(side / step) * step) for side in (width, height))
        raise ExternalError(
            f"{width}x{height} is not possible with this model: both sides must be multiples of {step} pixels. "
            f"The nearest size is {near[0]}x{near[1]}.",
            [Offer(f"Draw {near[0]}x{near[1]}", {"width": near[0], "height": near[1]})],
        )
    return width, height


def multiple_of(pipeline: Any) -> int:
    """Pixels a side of one cell of the network's input: of the autoencoder's latents, in patches of a transformer.

    A U-Net without autoencoder halves the picture between its blocks instead.
    """
    transformer, unet = getattr(pipeline, "transformer", None), getattr(pipeline, "unet", None)
    if getattr(pipeline, "vae", None) is None:
        return 1 if unet is None else int(2 ** (len(unet.config.block_out_channels) - 1))
    patch = 2 if keeps_latents_flat(pipeline) else transformer.config.get("patch_size", 1) if transformer else 1
    return cell_of(pipeline) * (patch if isinstance(patch, int) else max(patch))


def cell_of(pipeline: Any) -> int:
    """Pixels that one cell of the latents has a side; 1 without an autoencoder."""
    return int(getattr(pipeline, "vae_scale_factor", 1) or 1) if getattr(pipeline, "vae", None) is not None else 1


def native_size(pipeline: Any) -> int:
    """Pixels a side of the pictures the network was trained on, as its settings say."""
    network = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    cells = getattr(pipeline, "default_sample_size", None) or (network.config.get("sample_size") if network else None)
    side = cells[0] if isinstance(cells, list | tuple) else cells
    return int(side) * cell_of(pipeline) if side else 512


def _picture(pixels: Pixels, size: Size) -> Image.Image:
    """A picture or mask as PIL at the size of the run."""
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)
