"""How much memory a network needs besides its weights, found without computing anything.

The network runs once on torch's meta device, where tensors have a size and no content, and every tensor that is alive
is counted.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of what is computed inside: `live` now, `peak` at most; `known` tensors do not count."""

    def __init__(self, known: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live: int = 0
        self.peak: int = 0
        self._storages = {tensor.untyped_storage()._cdata for tensor in known}

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._count(leaf)
        return out

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata in self._storages:
            return  # a view, or the result of work in place
        size = storage.nbytes()
        self._storages.add(storage._cdata)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._freed, storage._cdata, size)

    def _freed(self, key: int, size: int) -> None:
        self._storages.discard(key)
        self.live -= size


def activation_bytes(net: nn.Module, evaluate: Callable[[], Tensor], *, gradient_of: Tensor | None = None) -> int:
    """Most bytes alive at once while `evaluate()` runs, weights not counted; `net` and its inputs are on "meta".

    gradient_of: an input whose gradient is computed too, as guidance does; then activations stay until it is. Fused
    attention kernels need less than this, since here the attention matrix is written out; the scratch space of
    convolutions comes on top.
    """
    with LiveBytes(net.parameters()) as counted:
        if gradient_of is None:
            with torch.no_grad():
                evaluate()
        else:
            torch.autograd.grad(evaluate().sum(), gradient_of)
    peak: int = counted.peak
    return peak
