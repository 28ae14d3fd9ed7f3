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

from studio.ml.diffusion.blocks import AttentionBlock, Block, GroupNorm32, timestep_embedding, zeroed
from studio.ml.diffusion.encoder import EncoderConfig, Layers
from studio.ml.diffusion.text import TextTransformer


class UNetConfig(EncoderConfig):
    """Shape of an ADM U-Net: the encoder's, whose levels the decoder climbs again, and what goes in and out."""

    out_channels: int = 6
    num_classes: int | None = None
    num_heads_upsample: int = -1

    def heads_up(self, channels: int) -> int:
        """Number of attention heads of a layer with `channels` channels in the decoder."""
        own = self.num_head_channels == -1 and self.num_heads_upsample != -1
        return self.num_heads_upsample if own else self.heads(channels)


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
        layers = Layers(config, encoder_channels)
        self.time_embed = layers.time_embed()
        if config.num_classes is not None:
            self.label_emb = nn.Embedding(config.num_classes, layers.embed)
        self.input_blocks, skips = layers.input_blocks()
        first, channels = skips[0], skips[-1]
        self.middle_block = layers.middle_block(channels)
        self.output_blocks = nn.ModuleList()
        for level, width in reversed(list(enumerate(config.widths))):
            for i in range(config.num_res_blocks + 1):
                stage: list[nn.Module] = [layers.res(channels + skips.pop(), width)]
                channels = width
                if 2**level in config.attention_resolutions:
                    stage.append(layers.attention(channels, config.heads_up(channels)))
                if level and i == config.num_res_blocks:
                    stage.append(layers.resampler(channels, "up"))
                self.output_blocks.append(Block(*stage))
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
        self.positional_embedding = nn.Parameter(nn.init.normal_(torch.empty(text.text_ctx, text.xf_width), std=0.01))
        if text.xf_padding:
            self.padding_embedding = nn.Parameter(nn.init.normal_(torch.empty(text.text_ctx, text.xf_width), std=0.01))
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
