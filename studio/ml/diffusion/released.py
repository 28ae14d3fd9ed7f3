"""The published GLIDE and ADM U-Nets as a table of configurations, and which of them a set of tensor shapes is.

Sources: glide-text2im's model card and default options (arXiv 2112.10741), guided-diffusion's sampling flags (arXiv
2105.05233).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from studio.ml.diffusion.unet import NETWORKS, TextConfig, UNet, UNetConfig
from studio.ml.diffusion.weights import Shapes, differences, made_on

Kind = Literal["text2im", "upsample", "inpaint", "upsample-inpaint", "adm"]

N_VOCAB = 50257
GLIDE_TEXT = TextConfig(text_ctx=128, xf_width=512, xf_layers=16, xf_heads=8, n_vocab=N_VOCAB)


@dataclass(frozen=True)
class ReleasedNetwork:
    """One published network: its purpose, its shape, its schedule and the picture's side in pixels."""

    name: str
    title: str
    kind: Kind
    image_size: int
    schedule: str
    config: UNetConfig
    text: TextConfig | None = None

    def build(self, *, device: str = "meta") -> UNet:
        """The network without weights; on the meta device it takes no memory."""
        with made_on(device):
            return UNet(self.config) if self.text is None else NETWORKS[self.kind](self.config, self.text)

    def shapes(self) -> Shapes:
        """Tensor names and shapes in the checkpoint's order."""
        return {name: tuple(value.shape) for name, value in self.build().state_dict().items()}


class UnknownCheckpoint(ValueError):
    """Tensors that are none of the published networks; the message lists the first differences to the closest one."""


def released_networks() -> dict[str, ReleasedNetwork]:
    """Every network this studio opens, by name."""
    networks = [
        _glide("glide-base", "GLIDE (filtered) 64x64", "text2im", 3),
        _glide("glide-base-inpaint", "GLIDE (filtered) 64x64 inpainting", "inpaint", 7),
        _glide("glide-upsample", "GLIDE (filtered) 64 to 256", "upsample", 6),
        _glide("glide-upsample-inpaint", "GLIDE (filtered) 64 to 256 inpainting", "upsample-inpaint", 10),
        ReleasedNetwork(
            "adm-64", "ADM ImageNet 64x64", "adm", 64, "squaredcos_cap_v2",
            UNetConfig(
                model_channels=192, num_res_blocks=3, attention_resolutions=(2, 4, 8), channel_mult=(1, 2, 3, 4),
                num_classes=1000, num_head_channels=64, use_new_attention_order=True, dropout=0.1,
            ),
        ),
        ReleasedNetwork(
            "adm-128", "ADM ImageNet 128x128", "adm", 128, "linear",
            UNetConfig(
                model_channels=256, num_res_blocks=2, attention_resolutions=(4, 8, 16), channel_mult=(1, 1, 2, 3, 4),
                num_classes=1000, num_heads=4,
            ),
        ),
        _adm("adm-256", "ADM ImageNet 256x256", 256, (8, 16, 32), (1, 1, 2, 2, 4, 4), 1000),
        _adm("adm-256-uncond", "ADM 256x256 without classes", 256, (8, 16, 32), (1, 1, 2, 2, 4, 4), None),
        _adm("adm-512", "ADM ImageNet 512x512", 512, (16, 32, 64), (0.5, 1, 1, 2, 2, 4, 4), 1000),
    ]  # fmt: skip
    return {network.name: network for network in networks}


def recognise(shapes: Mapping[str, tuple[int, ...]]) -> ReleasedNetwork:
    """The published network with exactly these tensor names and shapes. Raises UnknownCheckpoint."""
    best: tuple[int, ReleasedNetwork, list[str]] | None = None
    for network in released_networks().values():
        found = differences(network.shapes(), shapes)
        if not found:
            return network
        if best is None or len(found) < best[0]:
            best = len(found), network, found[:5]
    assert best is not None
    count, network, first = best
    raise UnknownCheckpoint(
        "This file is none of the GLIDE or ADM networks this studio opens. "
        f"Closest is {network.title}, with {count} differences: "
        + "; ".join(first)
        + (" ..." if count > len(first) else "")
    )


def _glide(name: str, title: str, kind: Kind, in_channels: int) -> ReleasedNetwork:
    up = kind.startswith("upsample")
    config = UNetConfig(
        in_channels=in_channels,
        model_channels=192,
        num_res_blocks=2 if up else 3,
        attention_resolutions=(8, 16, 32) if up else (2, 4, 8),
        channel_mult=(1, 1, 2, 2, 4, 4) if up else (1, 2, 3, 4),
        num_head_channels=64,
        dropout=0.1,
    )
    return ReleasedNetwork(
        name, title, kind, 256 if up else 64, "linear" if up else "squaredcos_cap_v2", config, GLIDE_TEXT
    )


def _adm(
    name: str, title: str, size: int, attention: tuple[int, ...], mult: tuple[float, ...], classes: int | None
) -> ReleasedNetwork:
    config = UNetConfig(
        model_channels=256,
        num_res_blocks=2,
        attention_resolutions=attention,
        channel_mult=mult,
        num_classes=classes,
        num_head_channels=64,
    )
    return ReleasedNetwork(name, title, "adm", size, "linear", config)
