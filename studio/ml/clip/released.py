"""The published noised CLIP of GLIDE (filtered): two files, one for pictures and one for text.

Source: glide-text2im's CLIP configuration and model card (arXiv 2112.10741).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from studio.ml.clip.model import ClipNetwork, NoisedClip
from studio.ml.clip.text import TextConfig, TextEncoder
from studio.ml.clip.tokenizer import MERGES, load_clip_tokenizer
from studio.ml.clip.vision import ImageEncoder, VisionConfig
from studio.ml.diffusion.checkpoint import is_safetensors, read_layout, read_state
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.weights import (
    Shapes,
    WeightsError,
    WrongWeights,
    differences,
    load_into,
    made_on,
    require_memory,
    sha256_of,
    shapes_in,
)

Half = Literal["image_encoder", "text_encoder"]

TITLE = "GLIDE (filtered) noised CLIP"
SCHEDULE = "squaredcos_cap_v2"
LOGIT_SCALE = 100.0
TOKENS = 2 * 256 + MERGES + 2
"""Tokens in use; the table of the text encoder has rows to spare."""


@dataclass(frozen=True)
class ReleasedEncoder:
    """One of the two published files: which half of a `ClipNetwork` it is, and its shape."""

    name: str
    title: str
    half: Half
    config: VisionConfig | TextConfig

    def build(self, *, device: str = "meta") -> ImageEncoder | TextEncoder:
        """The encoder without weights; on the meta device it takes no memory."""
        with made_on(device):
            return ImageEncoder(self.config) if isinstance(self.config, VisionConfig) else TextEncoder(self.config)

    def shapes(self) -> Shapes:
        """Tensor names and shapes in the checkpoint's order."""
        return {name: tuple(value.shape) for name, value in self.build().state_dict().items()}

    def nbytes(self, dtype: torch.dtype = torch.float32) -> int:
        """Memory the weights need."""
        return sum(torch.Size(shape).numel() for shape in self.shapes().values()) * dtype.itemsize


@dataclass(frozen=True)
class ReleasedClip:
    """A published pair of encoders and how many tokens their vocabulary has."""

    image: ReleasedEncoder
    text: ReleasedEncoder
    tokens: int = TOKENS

    @classmethod
    def of(cls, vision: VisionConfig, text: TextConfig, *, tokens: int = TOKENS) -> ReleasedClip:
        """A CLIP of these shapes, under the published names."""
        return cls(
            ReleasedEncoder("glide-clip-image", f"{TITLE}, pictures", "image_encoder", vision),
            ReleasedEncoder("glide-clip-text", f"{TITLE}, text", "text_encoder", text),
            tokens,
        )


def released_clip() -> ReleasedClip:
    """GLIDE's: a vision transformer over 4x4 patches of 64x64 pixels, and a text transformer over 77 tokens."""
    return ReleasedClip.of(
        VisionConfig(image_size=64, patch_size=4, width=768, heads=12, layers=12, embedding=512, timesteps=1000),
        TextConfig(vocabulary=65536, context=77, width=512, heads=8, layers=12, embedding=512),
    )


def recognise_encoder(
    shapes: Mapping[str, tuple[int, ...]], clip: ReleasedClip | None = None
) -> ReleasedEncoder | None:
    """The published encoder with exactly these tensor names and shapes, None if there is none."""
    known = clip or released_clip()
    return next((half for half in (known.image, known.text) if not differences(half.shapes(), shapes)), None)


def load_released_clip(
    image: Path,
    text: Path,
    *,
    clip: ReleasedClip | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> NoisedClip:
    """The noised CLIP from its two files (`.pt` or safetensors); CLIP's vocabulary must lie beside the text's.

    clip: the shapes they must have, the published ones by default. Raises FileNotFoundError (also its kind
    TokenizerMissing), TokenizerCorrupt, and WeightsError: UnsafeWeights, CorruptWeights, NotEnoughMemory, and
    WrongWeights for a file that is not the half it should be.
    """
    known = clip or released_clip()
    _require_half(image, known.image)
    _require_half(text, known.text)
    tokenizer = load_clip_tokenizer(text.parent)
    if tokenizer.size != known.tokens:
        raise WeightsError(f"The vocabulary beside {text.name} has {tokenizer.size} tokens, not CLIP's {known.tokens}.")
    vision, words = known.image.config, known.text.config
    assert isinstance(vision, VisionConfig) and isinstance(words, TextConfig)
    with made_on("meta"):
        net = ClipNetwork(vision, words)
    for half, file in ((net.image_encoder, image), (net.text_encoder, text)):
        _fill(half, file, device=device, dtype=dtype)
    net.eval().requires_grad_(False)
    schedule = Schedule.named(SCHEDULE, vision.timesteps)
    return NoisedClip(TITLE, net, tokenizer, schedule, logit_scale=LOGIT_SCALE, sha256=sha256_of([image, text]))


def _require_half(file: Path, wanted: ReleasedEncoder) -> None:
    """Raise WrongWeights unless the file holds this encoder. Reads no numbers."""
    if is_safetensors(file):
        found = shapes_in([file])
    else:
        found = {name: tuple(value.shape) for name, value in read_layout(file).items()}
    wrong = differences(wanted.shapes(), found)
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise WrongWeights(f"{file.name} is not {wanted.title}: {'; '.join(wrong[:3])}{more}.")


def _fill(net: nn.Module, file: Path, *, device: str, dtype: torch.dtype) -> None:
    """Give an encoder on the meta device the weights of a file that was checked."""
    if is_safetensors(file):
        load_into(net, [file], device=device, dtype=dtype)
        return
    if torch.device(device).type == "cpu":
        require_memory(sum(p.numel() for p in net.parameters()) * dtype.itemsize, "These weights")
    net.load_state_dict({name: value.to(device, dtype) for name, value in read_state(file).items()}, assign=True)
