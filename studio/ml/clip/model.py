"""GLIDE's noised CLIP: one space for prompts and for pictures at every noise level."""

from __future__ import annotations

from torch import Tensor, nn

from studio.ml.clip.blocks import unit
from studio.ml.clip.text import TextConfig, TextEncoder
from studio.ml.clip.vision import ImageEncoder, VisionConfig


class ClipNetwork(nn.Module):
    """Both encoders as one module, for training and storing."""

    def __init__(self, vision: VisionConfig, text: TextConfig) -> None:
        super().__init__()
        if vision.embedding != text.embedding:
            raise ValueError(f"pictures are embedded in {vision.embedding} dimensions, text in {text.embedding}")
        self.image_encoder = ImageEncoder(vision)
        self.text_encoder = TextEncoder(text)

    def embed_images(self, x: Tensor, t: Tensor) -> Tensor:
        """x_t [B, 3, H, W] in [-1, 1] at steps t [B] -> unit vectors [B, E]."""
        return unit(self.image_encoder(x, t))

    def embed_texts(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """tokens [B, L], lengths [B] -> unit vectors [B, E]."""
        return unit(self.text_encoder(tokens, lengths))
