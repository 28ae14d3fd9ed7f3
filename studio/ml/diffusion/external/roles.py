"""One pipeline in its roles: diffusers has a class for each (draw, change a picture, fill a hole) of the same parts."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from studio.ml.diffusion.external.asked import Role
from studio.ml.diffusion.external.errors import ExternalError
from studio.ml.diffusion.external.family import is_inpaint_network
from studio.ml.diffusion.external.preview import can_fit


def roles_of(pipeline: Any) -> dict[Role, Any]:
    """Role -> pipeline, all sharing the parts of the one given, which is among them.

    Raises ExternalError for a pipeline that takes no prompt or makes no pictures.
    """
    own = own_role(pipeline)
    found: dict[Role, Any] = {own: pipeline}
    if own == "inpaint" and _is_native_inpaint(pipeline):
        return found  # its network cannot do without mask and picture
    for role, counterpart in _counterparts().items():
        if role not in found:
            try:
                found[role] = counterpart.from_pipe(pipeline)
            except ValueError:
                continue  # diffusers has no class for this role of the family
    return found


def own_role(pipeline: Any) -> Role:
    """What the pipeline's class does. Raises ExternalError for one that takes no prompt or makes no pictures."""
    from diffusers.pipelines import auto_pipeline

    known: dict[Role, Mapping[str, type]] = {
        "text2im": auto_pipeline.AUTO_TEXT2IMAGE_PIPELINES_MAPPING,
        "image2image": auto_pipeline.AUTO_IMAGE2IMAGE_PIPELINES_MAPPING,
        "inpaint": auto_pipeline.AUTO_INPAINT_PIPELINES_MAPPING,
    }
    for role, kinds in known.items():
        if type(pipeline) in kinds.values():
            return role
    return _role_by_parameters(type(pipeline).__name__, parameters(pipeline))


def _role_by_parameters(name: str, takes: Mapping[str, Any]) -> Role:
    if "prompt" not in takes:
        raise ExternalError(f"A {name} takes no prompt. Choose a model that draws from text.")
    if "num_frames" in takes or "audio_length_in_s" in takes or "audio_end_in_s" in takes:
        raise ExternalError(f"A {name} makes films or sound. Choose a model that draws pictures.")
    if "mask_image" in takes:
        return "inpaint"
    return "image2image" if "image" in takes and "strength" in takes else "text2im"


def parameters(pipeline: Any) -> Mapping[str, inspect.Parameter]:
    """What the pipeline's call takes, by name."""
    return inspect.signature(type(pipeline).__call__).parameters


def keeps_latents_flat(pipeline: Any) -> bool:
    """Whether x is [B, cells, C] (patches in a row, as Flux packs them) rather than [B, C, h, w]."""
    return hasattr(pipeline, "_pack_latents")


def can_hold_latents(pipeline: Any) -> bool:
    """Whether known parts of a picture can be put back into x after each step (`known_region`)."""
    return can_fit(getattr(pipeline, "vae", None)) and not keeps_latents_flat(pipeline) and not is_composite(pipeline)


def is_composite(pipeline: Any) -> bool:
    """Whether the pipeline runs others one after the other."""
    from diffusers import DiffusionPipeline

    return any(isinstance(part, DiffusionPipeline) for part in vars(pipeline).values())


def _is_native_inpaint(pipeline: Any) -> bool:
    unet = getattr(pipeline, "unet", None)
    return unet is not None and is_inpaint_network(unet.config)


def _counterparts() -> dict[Role, Any]:
    from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting, AutoPipelineForText2Image

    return {
        "text2im": AutoPipelineForText2Image,
        "image2image": AutoPipelineForImage2Image,
        "inpaint": AutoPipelineForInpainting,
    }
