"""Writing a model folder: config.json, fp16 safetensors in shards under 16 MiB, MODEL_CARD.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

SHARD_BYTES = 12 * 2**20
EMOJI_LICENCE = (
    "Weights: MIT, as the studio. The emoji artwork is Noto Color Emoji's (Google), under the SIL Open Font License "
    "1.1."
)
"""What the cards of models trained on emoji scenes say of their licence."""


def write_model(folder: Path, network: nn.Module, config: Mapping[str, Any], facts: Mapping[str, str]) -> None:
    """Write the network in half precision with its config, and a card of facts (title -> text)."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.safetensors"):
        old.unlink()
    weights = {name: _stored(value) for name, value in network.state_dict().items()}
    shards = _shards(weights)
    for i, shard in enumerate(shards, start=1):
        name = "model.safetensors" if len(shards) == 1 else f"model-{i:05d}-of-{len(shards):05d}.safetensors"
        save_file(shard, folder / name)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (folder / "MODEL_CARD.md").write_text(_card(config, network, facts), encoding="utf-8")


def _stored(value: Tensor) -> Tensor:
    """Half precision on the CPU; counters stay whole numbers."""
    dtype = torch.float16 if value.is_floating_point() else value.dtype
    return value.detach().to("cpu", dtype).contiguous()


def _shards(weights: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """Tensors in order, cut into files that stay below the limit."""
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, value in weights.items():
        if size and size + value.nbytes > SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][name] = value
        size += value.nbytes
    return shards


def _card(config: Mapping[str, Any], network: nn.Module, facts: Mapping[str, str]) -> str:
    parameters = sum(p.numel() for p in network.parameters())
    lines = [f"# {config['name']}", "", f"{parameters:,} parameters, stored as float16.", ""]
    for title, text in facts.items():
        lines += [f"## {title}", "", text, ""]
    return "\n".join(lines)
