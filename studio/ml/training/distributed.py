"""One process or several: what torchrun says, and how to join."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class World:
    """This process among its peers. rank 0 writes files; `device` is where this process computes."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """True for the one process that writes files and reports."""
        return self.rank == 0


@contextmanager
def joined(device: str = "auto") -> Iterator[World]:
    """Join the process group that torchrun announced in the environment; a world of one without it."""
    size, rank, local = (int(os.environ.get(key, default)) for key, default in _VARIABLES.items())
    if device == "auto":
        device = f"cuda:{local}" if torch.cuda.is_available() else "cpu"
    if size == 1:
        yield World(0, 1, torch.device(device))
        return
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield World(rank, size, torch.device(device))
    finally:
        dist.destroy_process_group()


_VARIABLES = {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}
