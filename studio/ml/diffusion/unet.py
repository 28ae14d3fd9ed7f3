"""The ADM U-Net and its GLIDE descendants: text-conditional, up-sampling and inpainting.

Architecture: Dhariwal & Nichol 2021 (arXiv 2105.05233) and Nichol et al. 2021 (arXiv 2112.10741). Names and shapes of
all parameters equal those of the released checkpoints. Inputs and outputs are pictures in [-1, 1]; the networks
return the noise epsilon and, with twice the channels, the interpolation of the learned-range variance (arXiv
2102.09672, eq. 15).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from studio.ml.diffusion.blocks import (
    AttentionBlock,
    Block,
    Downsample,
    GroupNorm32,
    ResBlock,
    Upsample,
    timestep_embedding,
    zeroed,
)
from studio.ml.diffusion.text import TextTransformer


class UNetConfig(BaseModel):
    """Shape of an ADM U-Net; attention_resolutions are down-sampling factors, (2, 4) of 32 pixels: 16 and 8."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    in_channels: int = 3
    model_channels: int
    out_channels: int = 6
    num_res_blocks: int
    attention_resolutions: tuple[int, ...]
    channel_mult: tuple[float, ...]
    num_classes: int | None = None
    num_heads: int = 1
    num_head_channels: int = -1
    num_heads_upsample: int = -1
    use_scale_shift_norm: bool = True
    resblock_updown: bool = True
    use_new_attention_order: bool = False
    dropout: float = 0.0

    def heads(self, channels: int, *, up: bool = False) -> int:
        """Number of attention heads of a layer with `channels` channels."""
        if self.num_head_channels != -1:
            return channels // self.num_head_channels
        return self.num_heads_upsample if up and self.num_heads_upsample != -1 else self.num_heads


class TextConfig(BaseModel):
    """Shape of GLIDE's text transformer: context length, width, layers, heads, vocabulary size."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text_ctx: int
    xf_width: int
    xf_layers: int
    xf_heads: int
    n_vocab: int
    xf_final_ln: bool = True
    xf_padding: bool = True


class TextTokens(NamedTuple):
    """Prompts before the transformer: `ids` [B, L] integers, `mask` [B, L] True for tokens, False for padding."""

    ids: Tensor
    mask: Tensor


class TextFeatures(NamedTuple):
    """A prompt for the U-Net: `proj` [B, 4*model_channels] joins the time, `sequence` [B, W, L] the attention."""

    proj: Tensor
    sequence: Tensor


class UNet(nn.Module):
    """The ADM U-Net: (x [B, C, H, W], t [B] original steps, y [B] classes when class-conditional) -> [B, out, H, W]."""

    def __init__(self, config: UNetConfig, *, encoder_channels: int | None = None) -> None:
        super().__init__()
        self.config = config
        embed = 4 * config.model_channels
        self.time_embed = nn.Sequential(nn.Linear(config.model_channels, embed), nn.SiLU(), nn.Linear(embed, embed))
        if config.num_classes is not None:
            self.label_emb = nn.Embedding(config.num_classes, embed)

        def res(channels: int, out: int, resample: str = "") -> ResBlock:
            return ResBlock(
                channels, embed, out, dropout=config.dropout, scale_shift=config.use_scale_shift_norm, resample=resample
            )

        def attention(channels: int, *, up: bool = False) -> AttentionBlock:
            return AttentionBlock(
                channels,
                config.heads(channels, up=up),
                encoder_channels=encoder_channels,
                interleaved=not config.use_new_attention_order,
            )

        def resampler(channels: int, direction: str) -> nn.Module:
            if config.resblock_updown:
                return res(channels, channels, direction)
            return Upsample(channels, True) if direction == "up" else Downsample(channels, True)

        widths = [int(mult * config.model_channels) for mult in config.channel_mult]
        channels, factor = widths[0], 1
        first = channels
        skips = [channels]
        self.input_blocks = nn.ModuleList([Block(nn.Conv2d(config.in_channels, channels, 3, padding=1))])
        for level, width in enumerate(widths):
            for _ in range(config.num_res_blocks):
                layers: list[nn.Module] = [res(channels, width)]
                channels = width
                if factor in config.attention_resolutions:
                    layers.append(attention(channels))
                self.input_blocks.append(Block(*layers))
                skips.append(channels)
            if level < len(widths) - 1:
                self.input_blocks.append(Block(resampler(channels, "down")))
                skips.append(channels)
                factor *= 2
        self.middle_block = Block(res(channels, channels), attention(channels), res(channels, channels))
        self.output_blocks = nn.ModuleList()
        for level, width in reversed(list(enumerate(widths))):
            for i in range(config.num_res_blocks + 1):
                layers = [res(channels + skips.pop(), width)]
                channels = width
                if factor in config.attention_resolutions:
                    layers.append(attention(channels, up=True))
                if level and i == config.num_res_blocks:
                    layers.append(resampler(channels, "up"))
                    factor //= 2
                self.output_blocks.append(Block(*layers))
        last = zeroed(nn.Conv2d(first, config.out_channels, 3, padding=1))
        self.out = nn.Sequential(GroupNorm32(channels), nn.SiLU(), last)

    def attention_blocks(self) -> list[tuple[str, AttentionBlock]]:
        """Every attention block with its name, in the order of computation."""
        return [(name, m) for name, m in self.named_modules() if isinstance(m, AttentionBlock)]

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        if (y is not None) != (self.config.num_classes is not None):
            raise ValueError("class labels y are needed if, and only if, the network is class-conditional")
        emb = self._time(t, x.dtype)
        return self._run(x, emb if y is None else emb + self.label_emb(y))

    def _time(self, t: Tensor, dtype: torch.dtype) -> Tensor:
        emb: Tensor = self.time_embed(timestep_embedding(t, self.config.model_channels).to(dtype))
        return emb

    def _run(self, x: Tensor, emb: Tensor, encoder_out: Tensor | None = None) -> Tensor:
        skips = []
        for block in self.input_blocks:
            x = block(x, emb, encoder_out)
            skips.append(x)
        x = self.middle_block(x, emb, encoder_out)
        for block in self.output_blocks:
            x = block(torch.cat([x, skips.pop()], dim=1), emb, encoder_out)
        out: Tensor = self.out(x)
        return out


class Text2ImUNet(UNet):
    """GLIDE's base model: the U-Net with a text transformer whose features join every attention layer.

    To sample, call `encode_text` once per prompt and give `forward` its result at every step. To train, give `forward`
    the tokens: encoded inside, the transformer's gradients are seen by a wrapper that synchronises them.
    """

    def __init__(self, config: UNetConfig, text: TextConfig) -> None:
        super().__init__(config, encoder_channels=text.xf_width)
        self.text = text
        self.positional_embedding = nn.Parameter(0.01 * torch.randn(text.text_ctx, text.xf_width))
        if text.xf_padding:
            self.padding_embedding = nn.Parameter(0.01 * torch.randn(text.text_ctx, text.xf_width))
        self.transformer = TextTransformer(text.xf_width, text.xf_layers, text.xf_heads)
        self.final_ln: nn.Module = nn.LayerNorm(text.xf_width) if text.xf_final_ln else nn.Identity()
        self.token_embedding = nn.Embedding(text.n_vocab, text.xf_width)
        self.transformer_proj = nn.Linear(text.xf_width, 4 * config.model_channels)

    def encode_text(self, tokens: Tensor, mask: Tensor) -> TextFeatures:
        """tokens [B, text_ctx] integers, mask [B, text_ctx] True where a token stands, False where padding does."""
        x = self.token_embedding(tokens) + self.positional_embedding
        if self.text.xf_padding:
            x = torch.where(mask[..., None], x, self.padding_embedding)
        x = self.final_ln(self.transformer(x))
        return TextFeatures(self.transformer_proj(x[:, -1]), x.transpose(1, 2))

    def forward(  # type: ignore[override]
        self, x: Tensor, t: Tensor, text: TextFeatures | TextTokens | None = None
    ) -> Tensor:
        """Raises ValueError without text: a network without a prompt is given the empty one."""
        if text is None:
            raise ValueError("a text-conditional network needs text; encode the empty prompt for none")
        if isinstance(text, TextTokens):
            text = self.encode_text(*text)
        return self._run(x, self._time(t, x.dtype) + text.proj.to(x.dtype), text.sequence.to(x.dtype))


class SuperResText2ImUNet(Text2ImUNet):
    """GLIDE's up-sampler: the low-resolution picture, enlarged bilinearly, stands behind x_t's channels (6 in all)."""

    def forward(  # type: ignore[override]
        self, x: Tensor, t: Tensor, text: TextFeatures | TextTokens | None = None, low_res: Tensor | None = None
    ) -> Tensor:
        """low_res [B, 3, h, w]; raises ValueError without it."""
        return super().forward(torch.cat([x, _enlarged(low_res, x)], dim=1), t, text)


class InpaintText2ImUNet(Text2ImUNet):
    """GLIDE's inpainting model: x_t, the known pixels and the mask (1 = keep) make 7 channels."""

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        t: Tensor,
        text: TextFeatures | TextTokens | None = None,
        image: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        return super().forward(torch.cat([x, *_known(image, mask, x)], dim=1), t, text)


class SuperResInpaintText2ImUNet(Text2ImUNet):
    """GLIDE's inpainting up-sampler: x_t, known pixels, mask (1 = keep), enlarged low-resolution picture."""

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        t: Tensor,
        text: TextFeatures | TextTokens | None = None,
        image: Tensor | None = None,
        mask: Tensor | None = None,
        low_res: Tensor | None = None,
    ) -> Tensor:
        return super().forward(torch.cat([x, *_known(image, mask, x), _enlarged(low_res, x)], dim=1), t, text)


NETWORKS: dict[str, type[Text2ImUNet]] = {
    "text2im": Text2ImUNet,
    "upsample": SuperResText2ImUNet,
    "inpaint": InpaintText2ImUNet,
    "upsample-inpaint": SuperResInpaintText2ImUNet,
}


def split_config(config: dict[str, Any]) -> tuple[UNetConfig, TextConfig]:
    """One flat dictionary, as in config.json, into the two configurations. Raises pydantic.ValidationError."""
    text = {key: value for key, value in config.items() if key in TextConfig.model_fields}
    return UNetConfig(**{k: v for k, v in config.items() if k not in text}), TextConfig(**text)


def _known(image: Tensor | None, mask: Tensor | None, x: Tensor) -> Sequence[Tensor]:
    """Masked picture and mask; zeros when nothing is known, which makes the model a plain text-to-image one."""
    if image is None or mask is None:
        return torch.zeros_like(x), torch.zeros_like(x[:, :1])
    mask = mask.to(x.dtype)
    return image.to(x.dtype) * mask, mask


def _enlarged(low_res: Tensor | None, x: Tensor) -> Tensor:
    if low_res is None:
        raise ValueError("the up-sampling network needs the low-resolution picture `low_res`")
    return F.interpolate(low_res.to(x.dtype), x.shape[2:], mode="bilinear")
