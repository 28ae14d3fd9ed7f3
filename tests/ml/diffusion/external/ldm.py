"""A tiny Stable Diffusion in the names of the authors' own code, as single-file checkpoints have them."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
ENDS = {
    "conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip
CODER = {"to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out", "group_norm": "norm"}


def single_file_state(pipeline: Any) -> dict[str, Tensor]:
    """All weights of a Stable Diffusion 1 pipeline under the names of the original code."""
    state = {f"model.diffusion_model.{unet_name(name)}": value for name, value in pipeline.unet.state_dict().items()}
    for name, value in pipeline.vae.state_dict().items():
        told = coder_name(name, len(pipeline.vae.config.block_out_channels))
        as_convolution = value.ndim == 2 and ".attn_1." in told
        state[f"first_stage_model.{told}"] = value[:, :, None, None] if as_convolution else value
    for name, value in pipeline.text_encoder.state_dict().items():
        state[f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}"] = value
    return {name: value.contiguous().clone() for name, value in state.items()}


def unet_name(name: str, per_level: int = 1) -> str:
    """Of a U-Net with `per_level` blocks a level: input_blocks count all blocks and samplers in a row."""
    for ours, theirs in ENDS.items():
        if name.startswith(f"{ours}."):
            return theirs + name.removeprefix(ours)
    kind, level, part, index, rest = re.fullmatch(r"(\w+?)_blocks?(?:\.(\d+))?\.(\w+)\.(\d+)\.(.*)", name).groups()
    rest = re.sub("|".join(RESNET), lambda found: RESNET[found[0]], rest) if part == "resnets" else rest
    if kind == "mid":
        return f"middle_block.{2 * int(index) if part == 'resnets' else 1}.{rest}"
    level, index = int(level), int(index)
    if part == "downsamplers":
        return f"input_blocks.{(per_level + 1) * (level + 1)}.0.{rest.replace('conv', 'op')}"
    if part == "upsamplers":
        place = (per_level + 1) * level + per_level
        return f"output_blocks.{place}.{2 if level == 0 else 1}.{rest}"  # behind the attention of the first level
    place = (per_level + 1) * level + index + (kind == "down")
    return f"{'input' if kind == 'down' else 'output'}_blocks.{place}.{int(part == 'attentions')}.{rest}"


def coder_name(name: str, levels: int) -> str:
    """Of the autoencoder, whose decoder counts its levels from the last one."""
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = name.replace("mid_block.resnets.0", "mid.block_1").replace("mid_block.resnets.1", "mid.block_2")
    if "mid_block.attentions.0" in name:
        name = name.replace("mid_block.attentions.0", "mid.attn_1")
        return re.sub("|".join(map(re.escape, CODER)), lambda found: CODER[found[0]], name)
    name = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", name)
    name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"up.{levels - 1 - int(m[1])}.block.{m[2]}", name)
    return re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample", name)
