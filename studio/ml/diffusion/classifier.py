"""Noise-aware classifiers p(y | x_t, t): the descending half of the ADM U-Net, read out by attention.

Dhariwal & Nichol 2021 (arXiv 2105.05233, section 4); names and shapes of all parameters equal those of the released
checkpoints. Their gradient of log p(y | x_t) guides a diffusion model (`studio.ml.diffusion.gradients`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn

from studio.ml.diffusion.blocks import GroupNorm32, timestep_embedding
from studio.ml.diffusion.encoder import EncoderConfig, Layers
from studio.ml.diffusion.model_folder import BadModelFolder, parse_config, weight_files
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.weights import load_into, made_on, sha256_of


class ClassifierConfig(EncoderConfig):
    """Shape of a classifier: the encoder's, side of the pictures in pixels, number of classes.

    num_head_channels is needed: the pooling divides its channels by it.
    """

    image_size: int
    out_channels: int
    num_head_channels: int


class AttentionPool(nn.Module):
    """Reads a picture out by one attention query, its mean (the pooling of CLIP, Radford et al. 2021).

    [B, C, S, S] -> [B, out]. The mean stands in front of the pixels as one more token; the query is its own.
    """

    def __init__(self, side: int, channels: int, head_channels: int, out: int) -> None:
        super().__init__()
        if head_channels < 1 or channels % head_channels:
            raise ValueError(f"{channels} channels cannot be divided into attention heads of {head_channels}")
        self.heads = channels // head_channels
        self.positional_embedding = nn.Parameter(nn.init.normal_(torch.empty(channels, side**2 + 1), std=channels**-0.5))
        self.qkv_proj = nn.Conv1d(channels, 3 * channels, 1)
        self.c_proj = nn.Conv1d(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        b, c = x.shape[:2]
        tokens = x.reshape(b, c, -1)
        tokens = torch.cat([tokens.mean(dim=-1, keepdim=True), tokens], dim=-1)
        tokens = tokens + self.positional_embedding.to(tokens.dtype)
        q, k, v = self.qkv_proj(tokens).view(b, 3, self.heads, c // self.heads, -1).transpose(3, 4).unbind(1)
        pooled = F.scaled_dot_product_attention(q[:, :, :1], k.contiguous(), v.contiguous())
        out: Tensor = self.c_proj(pooled.reshape(b, c, 1))
        return out[:, :, 0]


class EncoderUNet(nn.Module):
    """(x [B, C, H, W] in [-1, 1], t [B] original steps) -> logits [B, out_channels]."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        layers = Layers(config)
        self.time_embed = layers.time_embed()
        self.input_blocks, widths = layers.input_blocks()
        channels = widths[-1]
        self.middle_block = layers.middle_block(channels)
        side = config.image_size // 2 ** (len(config.widths) - 1)
        pool = AttentionPool(side, channels, config.num_head_channels, config.out_channels)
        self.out = nn.Sequential(GroupNorm32(channels), nn.SiLU(), pool)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.time_embed(timestep_embedding(t, self.config.model_channels).to(x.dtype))
        for block in self.input_blocks:
            x = block(x, emb)
        logits: Tensor = self.out(self.middle_block(x, emb))
        return logits


class ClassifierModelConfig(BaseModel):
    """config.json of a classifier; `network` is its `ClassifierConfig`, the rest is for people."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: Literal["classifier"]
    name: str
    image_size: int
    schedule: str
    steps: int = 1000
    classes: tuple[str, ...]
    network: dict[str, Any]


class UnknownClass(ValueError):
    """A class the classifier was not trained on."""


class NoisyClassifier:
    """A classifier with the names of its classes and the schedule it was trained on: (x_t, t) -> logits [B, K]."""

    def __init__(
        self,
        name: str,
        net: EncoderUNet,
        classes: tuple[str, ...],
        schedule: Schedule,
        image_size: int,
        *,
        sha256: str = "",
    ) -> None:
        self.name, self.net, self.sha256 = name, net, sha256
        self.classes, self.schedule, self.image_size = classes, schedule, image_size

    @property
    def device(self) -> torch.device:
        return next(self.net.parameters()).device

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(parameter.nbytes for parameter in self.net.parameters())

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """x [B, C, H, W] in [-1, 1], t [B] original steps -> logits [B, K] in float32, differentiable in x."""
        logits: Tensor = self.net(x.to(next(self.net.parameters()).dtype), t)
        return logits.float()

    def index(self, name: str) -> int:
        """The class of this name. Raises UnknownClass."""
        try:
            return self.classes.index(name)
        except ValueError:
            known = ", ".join(self.classes)
            raise UnknownClass(f"{self.name} knows no “{name}”; its classes are {known}.") from None


def load_classifier(folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> NoisyClassifier:
    """The classifier in `folder` (config.json, model*.safetensors), every tensor's name and shape checked.

    Raises BadModelFolder, CorruptWeights, WrongWeights or NotEnoughMemory (all WeightsError).
    """
    config = parse_config(folder, ClassifierModelConfig)
    try:
        shape = ClassifierConfig.model_validate(config.network)
        schedule = Schedule.named(config.schedule, config.steps)
        with made_on("meta"):
            net = EncoderUNet(shape)
    except (ValidationError, ValueError, TypeError, RuntimeError) as error:
        raise BadModelFolder(f"config.json in {folder} describes no network that can be built: {error}") from error
    if len(config.classes) != shape.out_channels or config.image_size != shape.image_size:
        raise BadModelFolder(
            f"config.json in {folder} names {len(config.classes)} classes and {config.image_size} pixels for a network "
            f"of {shape.out_channels} classes and {shape.image_size} pixels."
        )
    files = weight_files(folder)
    load_into(net, files, device=device, dtype=dtype)
    net.eval().requires_grad_(False)
    # The faster layout for convolutions; torch's stubs lack this overload.
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return NoisyClassifier(config.name, net, config.classes, schedule, config.image_size, sha256=sha256_of(files))
