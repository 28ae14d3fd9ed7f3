"""What the training loop needs to know of a model, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

Batch = Mapping[str, Tensor]


class TrainingTask(Protocol):
    """A model to be trained. Samples are keyed by index alone, so a run is the same however it is divided or resumed."""

    name: str

    def build(self) -> nn.Module:
        """A new network with random weights."""
        ...

    def sample(self, index: int) -> dict[str, Tensor]:
        """The index-th training example, tensors without a batch dimension, random draws included."""
        ...

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean loss over the batch and named scalars to plot. `network` is called, never inspected (it may be wrapped)."""
        ...

    def preview(self, network: nn.Module) -> NDArray[np.uint8]:
        """A picture of how well the averaged network does: [H, W, 3]."""
        ...

    def export(self, network: nn.Module, folder: Path, facts: Mapping[str, str]) -> None:
        """Write the model folder that the studio loads: config, fp16 weights, model card."""
        ...
