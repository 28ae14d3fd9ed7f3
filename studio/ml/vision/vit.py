"""A vision transformer (Dosovitskiy et al. 2021, arXiv 2010.11929): a picture is read like a text of patches.

Patches are flattened and mapped to tokens (eq. 1), a class token stands in front, places are added, an encoder lets all
tokens look at each other (eq. 2-3), and the class token alone is read out (eq. 4).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from studio.ml.diffusion.model_folder import BadModelFolder, parse_config, weight_files
from studio.ml.diffusion.weights import load_into, made_on, sha256_of
from studio.ml.nn.layers import TransformerConfig
from studio.ml.nn.positions import GridPositions, LearnedPositions, gaussian
from studio.ml.nn.stacks import Encoder


class VitConfig(BaseModel):
    """Shape of a vision transformer; sizes in pixels.

    positions: a vector for each patch in their row (1d), or one for its row and one for its column (2d).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_size: int = Field(ge=1)
    patch_size: int = Field(ge=1)
    classes: int = Field(ge=1)
    positions: Literal["1d", "2d"] = "1d"
    transformer: TransformerConfig

    @property
    def side(self) -> int:
        """Patches along one side. Raises ValueError when the picture cannot be cut so."""
        if self.image_size % self.patch_size:
            raise ValueError(f"{self.image_size} pixels cannot be cut into patches of {self.patch_size}")
        return self.image_size // self.patch_size


def patches(x: Tensor, size: int) -> Tensor:
    """x [B, C, H, W] -> [B, N, C * size * size]: the patches row by row, each flattened."""
    b, channels, height, width = x.shape
    cut = x.view(b, channels, height // size, size, width // size, size)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(b, -1, channels * size * size)


class VisionTransformer(nn.Module):
    """x [B, 3, H, W] in [-1, 1] -> logits [B, classes]. Raises ValueError for pictures of another size."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.config = config
        width, side = config.transformer.width, config.side
        self.to_token = nn.Linear(3 * config.patch_size**2, width)
        self.class_token = gaussian(width, std=0.02)
        one_row = config.positions == "1d"
        self.places = LearnedPositions(1 + side * side, width) if one_row else GridPositions(side, width)
        self.encoder = Encoder(config.transformer)
        self.head = nn.Linear(width, config.classes)

    def tokens(self, x: Tensor) -> Tensor:
        """What the encoder reads, [B, 1 + N, W]: the class token, then the patches, with their places added.

        The class token has no place of its own on a grid: it is learned, and so is what would be added to it.
        """
        side = self.config.image_size
        if x.shape[1:] != (3, side, side):
            raise ValueError(f"this transformer sees [B, 3, {side}, {side}] pictures, not {list(x.shape)}")
        seen: Tensor = self.to_token(patches(x, self.config.patch_size))
        first = self.class_token.expand(len(x), 1, -1)
        if isinstance(self.places, GridPositions):
            return torch.cat([first, seen + self.places()], dim=1)
        placed: Tensor = torch.cat([first, seen], dim=1) + self.places(1 + seen.shape[1])
        return placed

    def forward(self, x: Tensor) -> Tensor:
        encoded = self.encoder(self.tokens(x))
        logits: Tensor = self.head(encoded[:, 0])
        return logits


class VitModelConfig(BaseModel):
    """config.json of a vision transformer; `network` is its `VitConfig`, the rest is for people."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: Literal["vision"]
    name: str
    image_size: int
    classes: tuple[str, ...]
    network: dict[str, Any]


class VisionModel:
    """A vision transformer with the names of its classes: x [B, 3, H, W] in [-1, 1] -> logits [B, K] in float32."""

    def __init__(self, name: str, net: VisionTransformer, classes: tuple[str, ...], *, sha256: str = "") -> None:
        self.name, self.net, self.classes, self.sha256 = name, net, classes, sha256
        self.image_size = net.config.image_size

    @property
    def device(self) -> torch.device:
        return self.net.class_token.device

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(parameter.nbytes for parameter in self.net.parameters())

    def __call__(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x.to(self.net.class_token.dtype))
        return logits.float()


def load_vit(folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> VisionModel:
    """The vision transformer in `folder` (config.json, model*.safetensors), every tensor's name and shape checked.

    Raises BadModelFolder, CorruptWeights, WrongWeights or NotEnoughMemory (all WeightsError).
    """
    config = parse_config(folder, VitModelConfig)
    try:
        shape = VitConfig.model_validate(config.network)
        with made_on("meta"):
            net = VisionTransformer(shape)
    except (ValidationError, ValueError, TypeError, RuntimeError) as error:
        raise BadModelFolder(f"config.json in {folder} describes no network that can be built: {error}") from error
    if len(config.classes) != shape.classes or config.image_size != shape.image_size:
        raise BadModelFolder(
            f"config.json in {folder} names {len(config.classes)} classes and {config.image_size} pixels for a network "
            f"of {shape.classes} classes and {shape.image_size} pixels."
        )
    files = weight_files(folder)
    load_into(net, files, device=device, dtype=dtype)
    net.eval().requires_grad_(False)
    return VisionModel(config.name, net, config.classes, sha256=sha256_of(files))
