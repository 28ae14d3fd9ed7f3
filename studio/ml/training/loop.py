"""The training loop: a generator that yields what happens, so that whoever runs it decides what to show and when to stop.

Exact resume: stop at any checkpoint and start again, and the weights come out bit for bit as without the stop (same device
and number of threads). Several processes (torchrun) share each batch and average their gradients (DistributedDataParallel).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from studio.ml.training import checkpoint
from studio.ml.training.distributed import World
from studio.ml.training.settings import TrainSettings
from studio.ml.training.task import TrainingTask


@dataclass(frozen=True)
class TrainStep:
    """One optimiser step done: number, total, named scalars (means over the batch), pictures per second so far."""

    step: int
    total: int
    metrics: dict[str, float]
    rate: float


@dataclass(frozen=True)
class TrainPreview:
    """A sample grid of the averaged network: [H, W, 3] uint8."""

    step: int
    picture: NDArray[np.uint8]


@dataclass(frozen=True)
class TrainSaved:
    """A checkpoint was written; from here the run can go on after any interruption."""

    step: int
    path: Path


@dataclass(frozen=True)
class TrainDone:
    """The run is complete: the averaged network, ready for export."""

    network: nn.Module = field(repr=False)
    seconds: float


TrainEvent = TrainStep | TrainPreview | TrainSaved | TrainDone


class _Share(Dataset[dict[str, Tensor]]):
    """This process's part of all batches from `first` on, in order."""

    def __init__(self, task: TrainingTask, settings: TrainSettings, world: World, first: int) -> None:
        self.task, self.first, self.world = task, first, world
        self.batch, self.steps = settings.batch, settings.steps
        self.seed = settings.seed

    def __len__(self) -> int:
        return (self.steps - self.first) * (self.batch // self.world.size)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        own = self.batch // self.world.size
        step, place = divmod(i, own)
        return self.task.sample((self.first + step) * self.batch + self.world.rank * own + place)


def train(
    task: TrainingTask,
    settings: TrainSettings,
    folder: Path,
    world: World,
    *,
    workers: int = 0,
    log_every: int = 20,
) -> Iterator[TrainEvent]:
    """Train `task` to the end, resuming from `folder/last.pt` if it is there.

    Raises ValueError if the batch cannot be divided among the processes, FloatingPointError when the loss is no number.
    """
    if settings.batch % world.size:
        raise ValueError(f"a batch of {settings.batch} cannot be divided among {world.size} processes")
    device = world.device
    torch.manual_seed(settings.seed)
    network = _channels_last(task.build().to(device))
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay
    )
    scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "float16")
    first, before = 0, 0.0
    last = folder / "last.pt"
    state = checkpoint.load(last, device)
    if state is not None:
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        scaler.load_state_dict(state["scaler"])
        first, before = state["step"], state["seconds"]
    trained: nn.Module = network if world.size == 1 else DistributedDataParallel(network)
    half = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(settings.precision)
    data = DataLoader(
        _Share(task, settings, world, first),
        batch_size=settings.batch // world.size,
        num_workers=workers,
        pin_memory=device.type == "cuda",
    )
    started = time.monotonic()
    network.train()
    for step, batch in enumerate(data, start=first):
        torch.manual_seed(settings.seed * 1_000_003 + step * world.size + world.rank)  # dropout, keyed by step
        batch = {key: value.to(device, non_blocking=True) for key, value in batch.items()}
        for group in optimiser.param_groups:
            group["lr"] = settings.rate(step)
        with torch.autocast(device.type, half) if half else nullcontext():
            loss, metrics = task.loss(trained, batch)
        optimiser.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.unscale_(optimiser)
        norm = nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        scaler.step(optimiser)
        scaler.update()
        _follow(average, network, settings.ema_decay(step))
        done = step + 1
        if done % log_every == 0 or done == settings.steps:
            values = {"loss": loss, "gradient_norm": norm, **metrics}
            numbers = {key: value.detach().item() for key, value in values.items()}
            if not np.isfinite(numbers["loss"]):
                raise FloatingPointError(f"the loss became {numbers['loss']} at step {done}; lower the learning rate and resume")
            rate = (done - first) * settings.batch / (time.monotonic() - started)
            yield TrainStep(done, settings.steps, numbers, rate)
        if world.leads and (done % settings.sample_every == 0 or done == settings.steps):
            yield TrainPreview(done, task.preview(average))
        if world.leads and (done % settings.checkpoint_every == 0 or done == settings.steps):
            seconds = before + time.monotonic() - started
            parts = {"network": network.state_dict(), "average": average.state_dict()}
            running = {"optimiser": optimiser.state_dict(), "scaler": scaler.state_dict()}
            checkpoint.save(last, {"step": done, "seconds": seconds, **parts, **running})
            yield TrainSaved(done, last)
    yield TrainDone(average, before + time.monotonic() - started)


def _channels_last(network: nn.Module) -> nn.Module:
    """Weights of convolutions laid out for the faster kernels; `Module.to` does this too, but its type stub does not know."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the averaged weights a step towards the present ones."""
    ours: list[Tensor] = list(average.parameters())
    theirs: list[Tensor] = list(network.parameters())
    torch._foreach_lerp_(ours, theirs, 1 - decay)
    for mine, new in zip(average.buffers(), network.buffers(), strict=True):
        mine.copy_(new)
