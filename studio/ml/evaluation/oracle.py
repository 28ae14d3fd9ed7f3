"""An independent judge of emoji scenes: says which objects are where, how large, and on which background.

Trained only on rendered scenes, never on generated pictures, so that it can mark the image models. A small convolutional network
finds objects as peaks of one heat map per noun ("Objects as Points", Zhou et al. 2019, arXiv 1904.07850).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors.torch import load_file
from torch import Tensor, nn

STRIDE = 2
THRESHOLD = 0.3
APART = 0.2
"""Two peaks nearer than this share of the side are one object; the surer one counts."""


class OracleConfig(BaseModel):
    """Picture side in pixels, what the oracle can name, and its width in channels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixels: int
    nouns: tuple[str, ...]
    backgrounds: tuple[str, ...]
    width: int = 32


class OracleOutput(NamedTuple):
    """heat [B, nouns, H/2, W/2] logits, side [B, 1, H/2, W/2] share of the picture, background [B, n] logits, features [B, F]."""

    heat: Tensor
    side: Tensor
    background: Tensor
    features: Tensor


@dataclass(frozen=True)
class Seen:
    """One object found: centre and side as shares of the picture, and how sure."""

    noun: str
    x: float
    y: float
    side: float
    probability: float


@dataclass(frozen=True)
class Reading:
    """What the oracle says of one picture."""

    objects: tuple[Seen, ...]
    background: str


class _Residual(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(out)
        self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.skip = nn.Conv2d(channels, out, 1, stride) if stride != 1 or channels != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.norm1(self.first(x)))
        return F.relu(self.norm2(self.second(h)) + self.skip(x))


class Oracle(nn.Module):
    """Pictures [B, 3, H, W] in [-1, 1] -> OracleOutput."""

    def __init__(self, config: OracleConfig) -> None:
        super().__init__()
        self.config = config
        w = config.width
        self.stem = nn.Sequential(nn.Conv2d(3, w, 3, 1, 1, bias=False), nn.BatchNorm2d(w), nn.ReLU(), _Residual(w, 2 * w, STRIDE))
        self.down = nn.Sequential(_Residual(2 * w, 4 * w, 2), _Residual(4 * w, 4 * w, 2))
        self.up = nn.Conv2d(4 * w, 2 * w, 1)
        self.merge = _Residual(2 * w, 2 * w, 1)
        self.heat = nn.Conv2d(2 * w, len(config.nouns), 1)
        self.side = nn.Conv2d(2 * w, 1, 1)
        self.background = nn.Linear(4 * w, len(config.backgrounds))
        nn.init.constant_(self.heat.bias, -4.0)  # type: ignore[arg-type]  # objects are rare: start by seeing none

    def forward(self, x: Tensor) -> OracleOutput:
        fine = self.stem(x)
        coarse = self.down(fine)
        features = coarse.mean(dim=(2, 3))
        merged = self.merge(fine + F.interpolate(self.up(coarse), fine.shape[2:], mode="bilinear"))
        return OracleOutput(self.heat(merged), self.side(merged), self.background(features), features)

    @torch.no_grad()
    def read(self, x: Tensor) -> list[Reading]:
        """What each picture shows."""
        out = self(x)
        heat = out.heat.sigmoid()
        peaks = (heat == F.max_pool2d(heat, 3, 1, 1)) & (heat > THRESHOLD)
        names = [self.config.backgrounds[i] for i in out.background.argmax(1).tolist()]
        cells = heat.shape[-1]
        found: list[list[Seen]] = [[] for _ in range(len(x))]
        for b, noun, row, column in peaks.nonzero().tolist():
            place = (column + 0.5) / cells, (row + 0.5) / cells
            side, sure = out.side[b, 0, row, column].item(), heat[b, noun, row, column].item()
            found[b].append(Seen(self.config.nouns[noun], *place, side, sure))
        return [Reading(_surest(seen), name) for seen, name in zip(found, names, strict=True)]


def _surest(seen: list[Seen]) -> tuple[Seen, ...]:
    """Drop peaks that lie on a surer one."""
    kept: list[Seen] = []
    for candidate in sorted(seen, key=lambda s: -s.probability):
        if all(max(abs(candidate.x - s.x), abs(candidate.y - s.y)) >= APART for s in kept):
            kept.append(candidate)
    return tuple(kept)


def load_oracle(folder: Path) -> Oracle:
    """The oracle kept in a model folder (config.json, model.safetensors), ready to read."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    oracle = Oracle(OracleConfig.model_validate(config["network"]))
    weights = {name: value.float() if value.is_floating_point() else value for name, value in load_file(folder / "model.safetensors").items()}
    oracle.load_state_dict(weights)
    return oracle.eval()


def as_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """[B, H, W, 3] uint8 -> [B, 3, H, W] float32 in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float() / 127.5 - 1


def as_pixels(x: Tensor) -> NDArray[np.uint8]:
    """[B, 3, H, W] in [-1, 1] -> [B, H, W, 3] uint8, the inverse of `as_tensor`."""
    pixels = ((x.clamp(-1, 1) + 1) * 127.5).round().byte()
    return pixels.permute(0, 2, 3, 1).cpu().numpy()


@torch.no_grad()
def features_of(oracle: Oracle, pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the oracle's last layer makes of pictures [B, H, W, 3] -> [B, F], for distances between sets of them."""
    return torch.cat([oracle(part).features for part in as_tensor(pictures).split(256)]).double().numpy()
