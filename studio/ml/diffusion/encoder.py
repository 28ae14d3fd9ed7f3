"""The descending half of the ADM U-Net (Dhariwal & Nichol 2021, arXiv 2105.05233), shared by U-Nets and classifiers.

`Layers` makes every layer that a configuration describes, so that all networks of the family agree on them. Names of
sub-modules are those of the released checkpoints.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from torch import nn

from studio.ml.diffusion.blocks import AttentionBlock, Block, Downsample, ResBlock, Upsample


class EncoderConfig(BaseModel):
    """Shape of the descending half; attention_resolutions are down-sampling factors, (2, 4) of 32 pixels: 16 and 8."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    in_channels: int = 3
    model_channels: int
    num_res_blocks: int
    attention_resolutions: tuple[int, ...]
    channel_mult: tuple[float, ...]
    num_heads: int = 1
    num_head_channels: int = -1
    use_scale_shift_norm: bool = True
    resblock_updown: bool = True
    use_new_attention_order: bool = False
    dropout: float = 0.0

    @property
    def widths(self) -> list[int]:
        """Channels of each level, the finest first."""
        return [int(mult * self.model_channels) for mult in self.channel_mult]

    def heads(self, channels: int) -> int:
        """Number of attention heads of a layer with `channels` channels."""
        return self.num_heads if self.num_head_channels == -1 else channels // self.num_head_channels


class Layers:
    """Makes the layers of one network; `encoder_channels` is the width of the text its attention sees, if any."""

    def __init__(self, config: EncoderConfig, encoder_channels: int | None = None) -> None:
        self.config, self.encoder_channels = config, encoder_channels
        self.embed = 4 * config.model_channels

    def time_embed(self) -> nn.Sequential:
        """From the sinusoidal embedding [B, model_channels] to the one that conditions every block, [B, embed]."""
        return nn.Sequential(
            nn.Linear(self.config.model_channels, self.embed), nn.SiLU(), nn.Linear(self.embed, self.embed)
        )

    def res(self, channels: int, out: int, resample: str = "") -> ResBlock:
        """A residual block; `resample` is "up", "down" or ""."""
        config = self.config
        return ResBlock(
            channels,
            self.embed,
            out,
            dropout=config.dropout,
            scale_shift=config.use_scale_shift_norm,
            resample=resample,
        )

    def attention(self, channels: int, heads: int | None = None) -> AttentionBlock:
        """Self-attention with the configured number of heads, or with `heads`."""
        return AttentionBlock(
            channels,
            self.config.heads(channels) if heads is None else heads,
            encoder_channels=self.encoder_channels,
            interleaved=not self.config.use_new_attention_order,
        )

    def resampler(self, channels: int, direction: str) -> nn.Module:
        """Halves ("down") or doubles ("up") the picture."""
        if self.config.resblock_updown:
            return self.res(channels, channels, direction)
        return Upsample(channels, True) if direction == "up" else Downsample(channels, True)

    def input_blocks(self) -> tuple[nn.ModuleList, list[int]]:
        """The descending blocks, and how many channels each of them returns."""
        config = self.config
        channels, factor = config.widths[0], 1
        blocks = nn.ModuleList([Block(nn.Conv2d(config.in_channels, channels, 3, padding=1))])
        returned = [channels]
        for level, width in enumerate(config.widths):
            for _ in range(config.num_res_blocks):
                layers: list[nn.Module] = [self.res(channels, width)]
                channels = width
                if factor in config.attention_resolutions:
                    layers.append(self.attention(channels))
                blocks.append(Block(*layers))
                returned.append(channels)
            if level < len(config.widths) - 1:
                blocks.append(Block(self.resampler(channels, "down")))
                returned.append(channels)
                factor *= 2
        return blocks, returned

    def middle_block(self, channels: int) -> Block:
        """The blocks at the coarsest level."""
        return Block(self.res(channels, channels), self.attention(channels), self.res(channels, channels))
