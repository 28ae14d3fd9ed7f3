"""Listening to a pipeline: what its scheduler is given in each step, and how often its network is evaluated.

Every pipeline that denoises calls `scheduler.step(model_output, t, x_t)` once per evaluation of the network, whichever
callbacks it has or has not, so there is the place to look, to change x and to stop.
"""

from __future__ import annotations

import inspect
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

from studio.ml.diffusion.external.schedulers import is_flow

NETWORKS = ("unet", "transformer", "transformer_2", "prior", "prior_prior", "decoder", "prior_transformer")
"""Components that predict noise, velocity or pictures; the others read text or code pictures."""
PREDICTION = ("pred_original_sample", "denoised")
"""How schedulers that predict the picture call it."""

FIRST_INPUT = ("hidden_states", "sample", "x")
"""What networks call the latents they are given."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One step of a scheduler: index of total, from x (t) to previous, and x0, the picture predicted, where known."""

    index: int
    total: int
    t: float
    x: Tensor
    previous: Tensor
    x0: Tensor | None


@contextmanager
def watched(scheduler: Any, look: Callable[[Seen], Tensor]) -> Iterator[None]:
    """While inside, every step of the scheduler passes through `look`, which returns x for the next one."""
    step = scheduler.step
    signature = inspect.signature(step)
    count = _Count(scheduler)

    @wraps(step)
    def looked(*arguments: Any, **named: Any) -> Any:
        bound = signature.bind(*arguments, **named)
        as_object = bound.arguments.get("return_dict", True)
        output, t, x = (bound.arguments[name] for name in ("model_output", "timestep", "sample"))
        bound.arguments["return_dict"] = True
        result: Any = step(*bound.args, **bound.kwargs)
        told = next((name for name in PREDICTION if result.get(name) is not None), None)
        x0 = predicted(scheduler, output, t, x) if told is None else result[told]
        seen = Seen(*count.next(t), float(t), x, result.prev_sample, x0)
        result.prev_sample = look(seen)
        if told == "denoised" and seen.index + 1 == seen.total:
            result.denoised = result.prev_sample  # of consistency models, whose pipelines decode this one
        return result if as_object else result.to_tuple()

    scheduler.step = looked
    try:
        yield
    finally:
        del scheduler.step  # the instance's; that of its class is seen again


def predicted(scheduler: Any, output: Tensor, t: Tensor | float, x: Tensor) -> Tensor | None:
    """x0 at time t from what the network said; None where the scheduler's kind is not known.

    Flow matching, x = (1 - s) x0 + s eps with velocity eps - x0 (Lipman et al. 2023): x0 = x - s v, s = t / T.
    Variance preserving, x = sqrt(a) x0 + sqrt(1 - a) eps with a = abar_t (Ho et al. 2020, eq. 4; Salimans & Ho 2022
    for v).
    """
    config = scheduler.config
    output = output[:, : x.shape[1]]  # a learned variance comes behind
    if is_flow(scheduler):
        return x - float(t) / float(config.num_train_timesteps) * output
    abar = getattr(scheduler, "alphas_cumprod", None)
    if abar is None or not math.isclose(float(getattr(scheduler, "init_noise_sigma", 1)), 1):
        return None
    a = float(abar[int(t)])
    match config.prediction_type:
        case "epsilon":
            return (x - math.sqrt(1 - a) * output) / math.sqrt(a)
        case "v_prediction":
            return math.sqrt(a) * x - math.sqrt(1 - a) * output
        case "sample":
            return output
    return None


class _Count:
    """Numbers the steps of a run: those that are left of the scheduler's timesteps from the first one seen."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._index, self._total = -1, 0

    def next(self, t: Tensor | float) -> tuple[int, int]:
        """(index, total) of the step at t."""
        if self._index + 1 >= self._total:
            times = [float(time) for time in self._scheduler.timesteps]
            self._total = len(times) - (times.index(float(t)) if float(t) in times else 0)
            self._index = -1
        self._index += 1
        return self._index, self._total


class Evaluations:
    """Counts, while it is open, the evaluations of networks by this thread, in rows of the batch."""

    def __init__(self, networks: list[nn.Module]) -> None:
        self._networks = networks
        self._rows = 0

    @contextmanager
    def counted(self) -> Iterator[Evaluations]:
        """While inside, counts what the thread that opened it evaluates; other runs of the same model do not matter."""
        mine = threading.get_ident()

        def count(_: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            if threading.get_ident() == mine:
                self._rows += _rows(arguments, named)

        handles = [network.register_forward_pre_hook(count, with_kwargs=True) for network in self._networks]
        try:
            yield self
        finally:
            for handle in handles:
                handle.remove()

    def taken(self) -> int:
        """Rows since the last time this was asked."""
        rows, self._rows = self._rows, 0
        return rows


def networks_of(pipeline: Any) -> list[nn.Module]:
    """The networks that draw."""
    return [part for name, part in pipeline.components.items() if name in NETWORKS and isinstance(part, nn.Module)]


def schedulers_of(pipeline: Any) -> dict[str, Any]:
    """Name -> scheduler, of all that the pipeline itself steps with."""
    from diffusers import SchedulerMixin

    return {name: part for name, part in vars(pipeline).items() if isinstance(part, SchedulerMixin)}


def _rows(arguments: tuple[Any, ...], named: dict[str, Any]) -> int:
    """How many pictures a call of a network is about: the length of its first input, a tensor or a list of them."""
    first = arguments[0] if arguments else next((named[key] for key in FIRST_INPUT if key in named), None)
    return len(first) if isinstance(first, Tensor | list) else 1


def not_finite(value: Tensor) -> bool:
    """Whether a tensor holds NaN or infinity."""
    return value.is_floating_point() and not bool(torch.isfinite(value).all())
