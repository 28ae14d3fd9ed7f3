"""Reading safetensors files strictly: every tensor expected, none more, each of its shape."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Shapes = dict[str, tuple[int, ...]]

_SHOWN = 5


class WeightsError(ValueError):
    """Weights that cannot be used; the message says why and what to do."""


class CorruptWeights(WeightsError):
    """A truncated, damaged or foreign file."""


class WrongWeights(WeightsError):
    """Tensor names or shapes that do not fit the network."""


class NotEnoughMemory(WeightsError):
    """Less free memory than the weights need."""


class _Uninitialised(TorchFunctionMode):
    """What `torch.nn.init` is given comes back as it is."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else given["tensor"]
        return func(*args, **given)


@contextmanager
def made_on(device: str) -> Iterator[None]:
    """Networks made inside are on that device; on "meta" they have shapes, and no numbers are drawn for them.

    Drawing on "meta" takes nothing but torch's compiler with sympy, which it imports: a second, and 130,000 objects more
    for the garbage collector to go through while the window waits.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.device(device))
        if torch.device(device).type == "meta":
            stack.enter_context(_Uninitialised())
        yield


def differences(expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Each missing, unexpected or differently shaped tensor in words; empty where the two agree."""
    lines = [f"{name} is missing" for name in expected if name not in found]
    lines += [
        f"{name} is {_shape(found[name])}, expected {_shape(shape)}"
        for name, shape in expected.items()
        if name in found and tuple(found[name]) != tuple(shape)
    ]
    return lines + [f"{name} is not expected" for name in found if name not in expected]


def shapes_in(files: Sequence[Path]) -> Shapes:
    """Names and shapes over all files, read from their headers only. Raises CorruptWeights."""
    shapes: Shapes = {}
    for file in files:
        with _opened(file) as content:
            for name in content.keys():  # noqa: SIM118  (a safetensors handle is not a mapping)
                if name in shapes:
                    raise CorruptWeights(f"{file.name} holds {name} a second time; the shards do not belong together.")
                shapes[name] = tuple(content.get_slice(name).get_shape())
    return shapes


def load_into(
    net: nn.Module, files: Sequence[Path], *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> None:
    """Fill a network, on the meta device perhaps, from safetensors files; it ends up on `device` as `dtype`.

    Raises CorruptWeights, WrongWeights (nothing is loaded then) or NotEnoughMemory.
    """
    expected = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    wrong = differences(expected, shapes_in(files))
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        names = ", ".join(file.name for file in files)
        raise WrongWeights(f"{names} does not fit this network: " + "; ".join(wrong[:_SHOWN]) + more + ".")
    if torch.device(device).type == "cpu":
        require_memory(sum(value.numel() for value in net.state_dict().values()) * dtype.itemsize, "These weights")
    state: dict[str, Tensor] = {}
    for file in files:
        with _opened(file) as content:
            for name in content.keys():  # noqa: SIM118
                state[name] = content.get_tensor(name).to(device, dtype)
    net.load_state_dict(state, assign=True)


def require_memory(needed: int, what: str) -> None:
    """Raise NotEnoughMemory unless `needed` bytes of main memory are free."""
    free = psutil.virtual_memory().available
    if needed > free:
        raise NotEnoughMemory(
            f"{what} need {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free. "
            "Close other programs, or choose half precision."
        )


def sha256_of(files: Sequence[Path]) -> str:
    """SHA-256 of one file; of several, that of their digests and names, one line each, in the order given."""
    digests = []
    for file in files:
        with file.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    lines = "".join(f"{digest}  {file.name}\n" for digest, file in zip(digests, files, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def _opened(file: Path) -> safe_open:
    try:
        return safe_open(file, framework="pt", device="cpu")
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError) as error:
        raise CorruptWeights(
            f"{file.name} is damaged or no safetensors file ({error}). Get it again from where it came."
        ) from error


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a number"
