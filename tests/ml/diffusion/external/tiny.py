"""Tiny random pipelines of every family, saved to disk as their authors save theirs; nothing is fetched.

`folder_of(family, place)` builds one. Whoever needs several makes a session-scoped fixture of `Pipelines`, as this
folder's conftest does, so that each is built once. Weights are random with a fixed seed: pictures mean
nothing, yet every part runs as in the large ones.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

LETTERS = "abcdefghijklmnopqrstuvwxyz"
START, END = "<|startoftext|>", "<|endoftext|>"
MERGES = [("r", "e"), ("re", "d</w>"), ("c", "a"), ("ca", "t</w>")]
WORDS = ["▁a", "▁red", "▁cat", "▁dog", "▁on", "▁blue"]
LATENT = 8
"""Cells a side of the latents for which the tiny networks are built; a cell is 2 pixels a side."""


class Pipelines:
    """Builds a family's folder when it is first asked for."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __call__(self, family: str) -> Path:
        folder = self.place / family
        if not (folder / "model_index.json").is_file():
            folder_of(family, folder)
        return folder


def folder_of(family: str, folder: Path, **save: Any) -> Path:
    """One of FAMILIES, saved as a diffusers folder; `save` goes to `save_pretrained` (`variant`, `max_shard_size`)."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        FAMILIES[family]().save_pretrained(folder, **save)
    return folder


def clip_vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A byte-pair vocabulary in CLIP's layout: letters, letters that end a word, four merges, the two marks."""
    pieces = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), *(a + b for a, b in MERGES), START, END]
    return {piece: i for i, piece in enumerate(pieces)}, list(MERGES)


def clip_tokenizer(length: int = 16) -> Any:
    from transformers import CLIPTokenizer

    vocabulary, merges = clip_vocabulary()
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=length)


def t5_tokenizer(length: int = 16) -> Any:
    from transformers import T5Tokenizer

    marks = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -4.0)]
    letters = [(letter, -8.0) for letter in LETTERS]
    return T5Tokenizer(
        vocab=[*marks, *((word, -2.0) for word in WORDS), *letters], extra_ids=0, model_max_length=length
    )


def clip_text(hidden: int = 8, *, act: str = "quick_gelu", projected: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    vocabulary, _ = clip_vocabulary()
    config = CLIPTextConfig(
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_attention_heads=2,
        num_hidden_layers=2,
        vocab_size=len(vocabulary),
        max_position_embeddings=16,
        projection_dim=hidden,
        hidden_act=act,
        bos_token_id=vocabulary[START],
        eos_token_id=vocabulary[END],
        pad_token_id=vocabulary[END],
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def t5_text(hidden: int = 8) -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(
        T5Config(vocab_size=48, d_model=hidden, d_kv=4, d_ff=2 * hidden, num_heads=2, num_layers=1)
    ).eval()


def vae(channels: int = 4, *, quant: bool = True) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8),
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=channels,
        layers_per_block=1,
        norm_num_groups=2,
        sample_size=2 * LATENT,
        use_quant_conv=quant,
        use_post_quant_conv=quant,
        shift_factor=None if quant else 0.1,
        scaling_factor=0.3,
    ).eval()


def unet(cross: int = 8, in_channels: int = 4, **more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    settings: dict[str, Any] = {
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "sample_size": LATENT,
        "in_channels": in_channels,
        "out_channels": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": cross,
        "attention_head_dim": 2,
        "norm_num_groups": 2,
    }
    return UNet2DConditionModel(**settings | more).eval()


def ddim(**more: Any) -> Any:
    from diffusers import DDIMScheduler

    settings = {
        "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False,
        "set_alpha_to_one": False, "steps_offset": 1,
    }  # fmt: skip
    return DDIMScheduler(**settings | more)


def _sd_parts(**text: Any) -> dict[str, Any]:
    return {
        "vae": vae(),
        "text_encoder": clip_text(**text),
        "tokenizer": clip_tokenizer(),
        "scheduler": ddim(),
        "safety_checker": None,
        "feature_extractor": None,
    }


def sd1() -> Any:
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline(unet=unet(), requires_safety_checker=False, **_sd_parts())


def sd1_inpaint() -> Any:
    from diffusers import StableDiffusionInpaintPipeline

    return StableDiffusionInpaintPipeline(unet=unet(in_channels=9), requires_safety_checker=False, **_sd_parts())


def sd2() -> Any:
    from diffusers import StableDiffusionPipeline

    parts = _sd_parts(act="gelu") | {"scheduler": ddim(prediction_type="v_prediction")}
    return StableDiffusionPipeline(
        unet=unet(use_linear_projection=True, attention_head_dim=(2, 4)), requires_safety_checker=False, **parts
    )


def lcm() -> Any:
    from diffusers import LatentConsistencyModelPipeline, LCMScheduler

    parts = _sd_parts() | {"scheduler": LCMScheduler(original_inference_steps=50)}
    return LatentConsistencyModelPipeline(unet=unet(time_cond_proj_dim=16), requires_safety_checker=False, **parts)


def sdxl() -> Any:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    return StableDiffusionXLPipeline(
        unet=unet(
            16,
            addition_embed_type="text_time",
            addition_time_embed_dim=4,
            projection_class_embeddings_input_dim=8 + 6 * 4,
            use_linear_projection=True,
        ),
        vae=vae(),
        text_encoder=clip_text(),
        tokenizer=clip_tokenizer(),
        text_encoder_2=clip_text(act="gelu", projected=True),
        tokenizer_2=clip_tokenizer(),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
        ),
        add_watermarker=False,
    )


def sd3() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    return StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=LATENT,
            patch_size=2,
            in_channels=16,
            out_channels=16,
            num_layers=2,
            attention_head_dim=4,
            num_attention_heads=2,
            caption_projection_dim=8,
            joint_attention_dim=16,
            pooled_projection_dim=16,
            pos_embed_max_size=2 * LATENT,
        ).eval(),
        vae=vae(16, quant=False),
        text_encoder=clip_text(projected=True),
        tokenizer=clip_tokenizer(),
        text_encoder_2=clip_text(act="gelu", projected=True),
        tokenizer_2=clip_tokenizer(),
        text_encoder_3=t5_text(16),
        tokenizer_3=t5_tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def flux(*, guidance: bool = True) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    return FluxPipeline(
        transformer=FluxTransformer2DModel(
            patch_size=1,
            in_channels=16 * 4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            pooled_projection_dim=8,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=guidance,
        ).eval(),
        vae=vae(16, quant=False),
        text_encoder=clip_text(),
        tokenizer=clip_tokenizer(),
        text_encoder_2=t5_text(16),
        tokenizer_2=t5_tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=True),
    )


def pixart() -> Any:
    from diffusers import DPMSolverMultistepScheduler, PixArtAlphaPipeline, PixArtTransformer2DModel

    return PixArtAlphaPipeline(
        transformer=PixArtTransformer2DModel(
            sample_size=LATENT,
            num_layers=2,
            patch_size=2,
            attention_head_dim=4,
            num_attention_heads=2,
            in_channels=4,
            out_channels=8,
            cross_attention_dim=8,
            caption_channels=16,
            use_additional_conditions=False,
        ).eval(),
        vae=vae(),
        text_encoder=t5_text(16),
        tokenizer=t5_tokenizer(),
        scheduler=DPMSolverMultistepScheduler(),
    )


def deepfloyd() -> Any:
    from diffusers import DDPMScheduler, IFPipeline

    return IFPipeline(
        unet=unet(
            16,
            3,
            out_channels=6,
            sample_size=2 * LATENT,
            encoder_hid_dim=16,
            encoder_hid_dim_type="text_proj",
            addition_embed_type="text",
            addition_embed_type_num_heads=2,
            act_fn="gelu",
        ),
        text_encoder=t5_text(16),
        tokenizer=t5_tokenizer(),
        scheduler=DDPMScheduler(
            variance_type="learned_range", beta_schedule="squaredcos_cap_v2", thresholding=True,
            dynamic_thresholding_ratio=0.95, sample_max_value=1.5,
        ),
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )  # fmt: skip


FAMILIES: dict[str, Callable[[], Any]] = {
    "sd1": sd1,
    "sd1-inpaint": sd1_inpaint,
    "sd2": sd2,
    "sdxl": sdxl,
    "sd3": sd3,
    "flux": flux,
    "pixart": pixart,
    "lcm": lcm,
    "deepfloyd": deepfloyd,
}
"""Name -> a new pipeline with random weights."""


def changed_json(path: Path, **changes: Any) -> None:
    """Set some entries of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")
