"""Tiny networks and closed forms to test on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from studio.ml.diffusion.denoiser import Prediction
from studio.ml.diffusion.guidance import Gradient, GradientFn
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.unet import Text2ImUNet, split_config
from tests.ml.diffusion.goldens import golden_fill

WORDS = ["a", "red", "cat", "dog", "on", "blue"]
NETWORK: dict[str, Any] = {
    "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": [2], "channel_mult": [1, 1],
    "num_head_channels": 16,
    "text_ctx": 8, "xf_width": 32, "xf_layers": 2, "xf_heads": 2, "n_vocab": len(WORDS) + 1,
}  # fmt: skip


def tiny_net() -> Text2ImUNet:
    net = Text2ImUNet(*split_config(NETWORK))
    golden_fill(net, "tiny")
    return net


def model_folder(folder: Path, *, shards: int = 1, net: Text2ImUNet | None = None, **changes: Any) -> Path:
    """A model folder as the studio ships them; `net` is the tiny text-to-image network unless given."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.half() for name, value in (net or tiny_net()).state_dict().items()}
    names = list(state)
    size = -(-len(names) // shards)
    for i in range(shards):
        part = {name: state[name] for name in names[i * size : (i + 1) * size]}
        save_file(
            part, folder / ("model.safetensors" if shards == 1 else f"model-{i + 1:05d}-of-{shards:05d}.safetensors")
        )
    config = {
        "kind": "text2im", "name": "tiny", "image_size": 16, "schedule": "squaredcos_cap_v2", "steps": 1000,
        "network": NETWORK,
        "tokenizer": {"type": "words", "words": WORDS, "phrases": {"kitten": "cat"}},
        "vocabulary": {"nouns": ["cat", "dog"]},
    } | changes  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def given(gradient: Callable[[Tensor, Tensor], Tensor]) -> GradientFn:
    """A gradient in closed form as samplers take it."""
    return lambda x, t: [Gradient("given", gradient(x, t), torch.ones(len(x)), torch.zeros(len(x)))]


class Gaussian:
    """The exact eps of data N(mu, s^2), the same for every pixel: eps = sqrt(1-a) (x - sqrt(a) mu) / (a s^2 + 1 -
    a).
    """

    def __init__(self, schedule: Schedule, mu: float, s: float) -> None:
        self.abar = torch.as_tensor(schedule.alphas_cumprod)
        self.mu, self.s = mu, s

    def __call__(self, x: Tensor, t: Tensor) -> Prediction:
        a = self.abar[t][:, None, None, None]
        return Prediction((1 - a).sqrt() * (x - a.sqrt() * self.mu) / (a * self.s**2 + 1 - a))

    def flow(self, x: Tensor, a: float, to: float) -> Tensor:
        """The probability-flow ODE solved exactly from abar = a to abar = to: (x - sqrt(a) mu) / sqrt(a s^2 + 1 - a)
        stays.
        """
        z = (x - a**0.5 * self.mu) / (a * self.s**2 + 1 - a) ** 0.5
        return to**0.5 * self.mu + (to * self.s**2 + 1 - to) ** 0.5 * z
