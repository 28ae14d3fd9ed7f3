"""How long one real layer takes on this machine: real tensors of the real shapes, drawn at random.

The values do not matter for the time; the layer is the library's own module with the attention it would use.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.ml.anatomy.errors import TooLarge, Untraceable
from studio.ml.anatomy.memory import bytes_words, moment_bytes
from studio.ml.anatomy.shape import BlockShape
from studio.ml.anatomy.tracing import arguments

if TYPE_CHECKING:
    import torch
    from torch import nn

MOST_SECONDS = 15.0
"""Of one run; a longer one is refused."""
BUDGET = 3.0
"""Seconds of measured runs, after which no other begins."""
MOST_RUNS = 30
_SHARE = 0.5
"""Of the free memory that a measurement may take."""
PROBE = 1024
"""Sides of the matrices whose product tells how fast this machine can be."""


@dataclass(frozen=True)
class Timing:
    """seconds: of every run, the first (which warms up) left out. flops: of one run, by the counter. probe: what a
    plain matrix product of PROBE×PROBE reaches here, in operations a second.
    """

    seconds: tuple[float, ...]
    flops: int
    probe: float
    device: str
    dtype: str
    attention: str

    @property
    def typical(self) -> float:
        """The median, in seconds."""
        ordered = sorted(self.seconds)
        middle = len(ordered) // 2
        return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2

    @property
    def rate(self) -> float:
        """Operations a second reached."""
        return self.flops / self.typical


def probe(device: str, dtype: str) -> float:
    """Operations a second of a matrix product of PROBE×PROBE on this device, the best of a few."""
    import torch

    a = torch.randn(PROBE, PROBE, device=device).to(getattr(torch, dtype))
    best = float("inf")
    for _ in range(6):
        begin = time.perf_counter()
        a @ a
        _wait(device)
        best = min(best, time.perf_counter() - begin)
    return 2 * PROBE**3 / best


def check(
    block: BlockShape, flops: int, rate: float, *,
    tokens: int, batch: int, source: int, dtype: str, device: str, fused: bool,
) -> int:  # fmt: skip
    """Bytes that a measurement will take. Raises TooLarge, in words, where memory or time would not do."""
    size = 4 if dtype == "float32" else 2
    needed = block.parameters * size + 2 * moment_bytes(block, tokens, batch, size, fused=fused, source=source)
    free = _free(device)
    if needed > _SHARE * free:
        raise TooLarge(
            f"One layer with {tokens:,} tokens and {batch} sequences needs about {bytes_words(needed)}; half of the "
            f"{bytes_words(free)} that are free here may be used. Take fewer tokens or sequences, or a smaller model."
        )
    if flops / rate > MOST_SECONDS:
        raise TooLarge(
            f"One run of one layer would take about {flops / rate:,.0f} s here ({flops / 1e9:,.0f} GFLOP at "
            f"{rate / 1e9:,.0f} GFLOP/s); {MOST_SECONDS:.0f} s are the most. Take fewer tokens or sequences."
        )
    return needed


def runs(
    model: nn.Module, given: Mapping[str, Any], path: str, *, device: str, dtype: str, fused: bool, seed: int = 0
) -> Iterator[float]:
    """Seconds of each run of the layer at `path` of a model on the meta device, the first warms up; ends by itself.

    fused: with torch's scaled_dot_product_attention, and no mask where that skips it, as the library does by itself.
    The layer of the model is given memory on `device`; do not use the model for anything else afterwards. Raises
    Untraceable.
    """
    import torch

    kind = getattr(torch, dtype)
    args, kwargs = arguments(model, given, path)
    if fused:
        _fuse(model)
        args, kwargs = tuple(map(_unmasked, args)), {name: _unmasked(value) for name, value in kwargs.items()}
    generator = torch.Generator().manual_seed(seed)
    block = model.get_submodule(path).to_empty(device=device).to(kind).eval()
    with torch.no_grad():
        for tensor in (*block.parameters(), *block.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.02)
            else:
                tensor.fill_(1)
    real_args = tuple(_real(value, device, kind, generator) for value in args)
    real_kwargs = {name: _real(value, device, kind, generator) for name, value in kwargs.items()}
    spent = 0.0
    with torch.inference_mode():
        for _ in range(MOST_RUNS + 1):
            begin = time.perf_counter()
            block(*real_args, **real_kwargs)
            _wait(device)
            took = time.perf_counter() - begin
            yield took
            spent += took
            if spent > BUDGET:
                return


def _fuse(model: nn.Module) -> None:
    try:
        model.set_attn_implementation("sdpa")  # type: ignore[operator]
    except (ValueError, ImportError, AttributeError) as error:
        raise Untraceable(
            f"{type(model).__name__} has no fused attention here. Measure it with plain attention."
        ) from error


def _unmasked(value: Any) -> Any:
    """Nothing in the place of a mask that is added to scores: it hides nothing but what comes later, which fused
    attention knows without it."""
    import torch

    return None if isinstance(value, torch.Tensor) and value.is_floating_point() and value.dim() == 4 else value


def _real(value: Any, device: str, dtype: torch.dtype, generator: torch.Generator) -> Any:
    """A tensor with memory in the place of one without: floats at random, masks that hide nothing, ids of 0."""
    import torch

    if isinstance(value, (list, tuple)):
        return type(value)(_real(item, device, dtype, generator) for item in value)
    if not isinstance(value, torch.Tensor):
        return value
    if value.is_floating_point() and value.dim() == 4:
        return torch.zeros(value.shape, device=device, dtype=dtype)  # a mask that is added to the scores
    if value.is_floating_point():
        return (torch.randn(value.shape, generator=generator)).to(device=device, dtype=dtype)
    full = torch.ones if value.dtype == torch.bool else torch.zeros
    return full(value.shape, device=device, dtype=value.dtype)


def _wait(device: str) -> None:
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize()
    elif device.startswith("mps"):
        torch.mps.synchronize()


def _free(device: str) -> int:
    import psutil
    import torch

    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available)
