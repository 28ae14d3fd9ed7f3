"""Released GLIDE checkpoints as text models of the kind a person asked for."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TypeVar

import torch

from studio.ml.diffusion.bpe import load_bpe
from studio.ml.diffusion.checkpoint import Checkpoint
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.text_model import TextModel
from studio.ml.diffusion.unet import Text2ImUNet
from studio.ml.diffusion.weights import WeightsError

M = TypeVar("M", bound=TextModel)


def text_model_of(
    checkpoint: Checkpoint,
    path: Path,
    make: type[M],
    kinds: Collection[str],
    instead: str,
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> M:
    """The checkpoint's network as `make`; GPT-2's vocabulary must lie beside it.

    path: what messages call it; kinds: the networks that `make` can use; instead: what to say of another one. Raises
    WeightsError, and what `load_bpe` raises.
    """
    network = checkpoint.network
    if network.kind not in kinds:
        raise WeightsError(f"{path.name} is {network.title}, {instead}")
    tokenizer = load_bpe(checkpoint.beside)
    net = checkpoint.load(device=device, dtype=dtype)
    assert isinstance(net, Text2ImUNet)
    if tokenizer.size != net.text.n_vocab:
        raise WeightsError(
            f"The vocabulary beside {path.name} has {tokenizer.size} tokens, not GPT-2's {net.text.n_vocab}."
        )
    schedule = Schedule.named(network.schedule)
    return make(network.title, net, tokenizer, schedule, network.image_size, sha256=checkpoint.sha256)
