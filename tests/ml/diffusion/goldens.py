"""The golden numbers of the reference implementations (tests/golden), and their deterministic weights."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

GOLDEN = Path(__file__).parents[2] / "golden"


def description(name: str) -> dict[str, Any]:
    """Configuration, parameter list and fill tag of one golden network."""
    found: dict[str, Any] = json.loads((GOLDEN / "golden.json").read_text())[name]
    return found


def arrays(name: str) -> dict[str, torch.Tensor]:
    with np.load(GOLDEN / f"{name}.npz") as data:
        return {key: torch.from_numpy(data[key]) for key in data.files}


def checkpoint_keys() -> dict[str, Any]:
    """Tensor names and shapes of the released checkpoints."""
    found: dict[str, Any] = json.loads(gzip.decompress((GOLDEN / "checkpoint_keys.json.gz").read_bytes()))
    return found


def golden_fill(net: nn.Module, tag: str) -> nn.Module:
    """Fill every parameter from its name, as golden.json's `weights` says."""
    state = {}
    for name, tensor in net.state_dict().items():
        r = np.random.default_rng(zlib.crc32(f"20261123:{tag}:{name}".encode()))
        v = r.standard_normal(tuple(tensor.shape)).astype(np.float32)
        if v.ndim > 1:
            v /= np.sqrt(np.prod(v.shape[1:]))
        else:
            v = (0.1 * v + (1 if name.endswith(("weight", ".g")) else 0)).astype(np.float32)
        state[name] = torch.from_numpy(v)
    net.load_state_dict(state)
    return net.eval()


def relative_error(ours: torch.Tensor, reference: torch.Tensor) -> float:
    """Largest difference over the reference's largest value."""
    return float((ours - reference).abs().max() / reference.abs().max())
