"""What, besides a request, decides every bit of a result."""

from __future__ import annotations

from typing import Any, Protocol

from studio import __version__
from studio.engine import JobContext


class Weights(Protocol):
    """The part of a model that provenance speaks of; `net` is its torch module."""

    name: str
    sha256: str
    net: Any


def provenance_of(model: Weights, ctx: JobContext) -> dict[str, Any]:
    """Model, device, number format, threads and versions of a run, as plain JSON."""
    import torch

    from studio.ml.diffusion.noise import NOISE_VERSION

    return {
        "model": model.name,
        "model_sha256": model.sha256,
        "device": ctx.device,
        "dtype": str(next(model.net.parameters()).dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "noise": NOISE_VERSION,
        "studio": __version__,
    }
