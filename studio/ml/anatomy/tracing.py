"""What happens in one layer, in the order it really happens: modules, the products between them, what flows where.

The model runs on the meta device while every operation of torch is watched. Operations inside a module belong to it;
products of two streams, softmax, sums and gates outside of modules become parts of their own; views and scalings are
passed through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from studio.ml.anatomy.counting import part_of_parameter
from studio.ml.anatomy.errors import Untraceable
from studio.ml.anatomy.stacks import ATTENTION, CROSS

if TYPE_CHECKING:
    from torch import nn

PartKind = Literal[
    "input", "linear", "norm", "activation", "embedding", "scale", "scores", "mix", "softmax", "sum", "gate", "output",
    "module",
]  # fmt: skip
Shape = tuple[int, ...]
_PRODUCTS = ("bmm", "mm", "addmm", "baddbmm", "matmul", "einsum")
_SUMS, _GATES = ("add", "add_"), ("mul", "mul_")
_NONLINEAR = ("tanh", "gelu", "relu", "silu", "sigmoid")
_SILENT = ("Dropout", "Identity", "DropPath")
_FAILURES = (RuntimeError, NotImplementedError, TypeError, ValueError, AttributeError, IndexError, KeyError)


@dataclass(frozen=True)
class Part:
    """path: of the module in the layer, "" for an operation between modules. inputs, output: shapes. weights: name ->
    shape. flops: of the whole batch. place: "attention", "cross-attention", "feed-forward" or "".
    """

    name: str
    kind: PartKind
    module: str
    path: str
    inputs: tuple[Shape, ...]
    output: Shape
    weights: tuple[tuple[str, Shape], ...]
    parameters: int
    flops: int
    place: str


@dataclass(frozen=True)
class Diagram:
    """The parts of a layer in order, and what feeds what (indices of parts). path: of the layer in the model."""

    path: str
    kind: str
    parts: tuple[Part, ...]
    edges: tuple[tuple[int, int], ...]

    @property
    def flops(self) -> int:
        return sum(part.flops for part in self.parts)


class _Reached(Exception):
    """The layer has been passed: the rest of the model need not run."""


def trace(model: nn.Module, given: Mapping[str, Any], path: str) -> Diagram:
    """Follow the layer at `path` while the model runs. Raises Untraceable."""
    import torch

    block = model.get_submodule(path)
    watcher = _Watcher(block)
    handles = [
        block.register_forward_pre_hook(watcher.enter, with_kwargs=True),
        block.register_forward_hook(watcher.leave),
        *watcher.hook_modules(),
    ]
    try:
        with torch.no_grad(), watcher.mode():
            model(**given)
    except _Reached:
        return watcher.diagram(path)
    except _FAILURES as error:
        raise Untraceable(f"This model's layers cannot be followed without real numbers: {str(error)[:200]}") from error
    finally:
        for handle in handles:
            handle.remove()
    raise Untraceable(f"The layer “{path}” is not used when this model runs, so there is nothing to follow.")


def arguments(model: nn.Module, given: Mapping[str, Any], path: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What the layer at `path` is called with. Raises Untraceable."""
    import torch

    caught: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def catch(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        caught.append((args, dict(kwargs)))
        raise _Reached

    handle = model.get_submodule(path).register_forward_pre_hook(catch, with_kwargs=True)
    try:
        with torch.no_grad():
            model(**given)
    except _Reached:
        return caught[0]
    except _FAILURES as error:
        raise Untraceable(f"This model's layers cannot be reached without real numbers: {str(error)[:200]}") from error
    finally:
        handle.remove()
    raise Untraceable(f"The layer “{path}” is not used when this model runs.")


class _Draft:
    """A part while it is being watched."""

    def __init__(self, name: str, kind: PartKind, module: str = "", path: str = "", place: str = "") -> None:
        self.name, self.kind, self.module, self.path, self.place = name, kind, module, path, place
        self.inputs: list[Shape] = []
        self.output: Shape = ()
        self.weights: tuple[tuple[str, Shape], ...] = ()
        self.parameters = self.flops = 0

    def part(self) -> Part:
        return Part(
            self.name, self.kind, self.module, self.path, tuple(self.inputs), self.output, self.weights,
            self.parameters, self.flops, self.place,
        )  # fmt: skip


class _Watcher:
    """Collects the parts of one layer. A tensor's sources are the parts that it comes from without another between."""

    def __init__(self, block: nn.Module) -> None:
        self._block = block
        self._paths = {id(module): path for path, module in block.named_modules()}
        self._drafts: list[_Draft] = []
        self._edges: dict[tuple[int, int], None] = {}
        self._sources: dict[int, tuple[Any, frozenset[int]]] = {}  # the tensor too: its id must not be given away
        self._inside: list[int] = []
        self._watching = False
        self._width = 0
        self._softmaxed: set[int] = set()
        self._active: list[str] = []

    # --- the layer and its modules ---

    def enter(self, _module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._watching = True
        streams = [(f"{i}", value) for i, value in enumerate(args)] + list(kwargs.items())
        for name, value in streams:
            if not _is_stream(value):
                continue
            first = not self._drafts
            if first:
                self._width = value.shape[-1]
            elif value.shape[-1] != self._width or "encoder" not in name and not name.isdigit():
                continue
            at = self._add(_Draft("x, from the layer before" if first else "states of the encoder", "input"), [])
            self._drafts[at].output = tuple(value.shape)
            self._remember(value, frozenset({at}))

    def leave(self, _module: Any, _args: Any, output: Any) -> None:
        found = output[0] if isinstance(output, (tuple, list)) else output
        at = self._add(_Draft("to the next layer", "output"), [found])
        self._drafts[at].output = tuple(found.shape)
        raise _Reached

    def hook_modules(self) -> list[Any]:
        """Watch every module that has none in it and does something."""
        handles = []
        for path, module in self._block.named_modules():
            if path and next(module.children(), None) is None and not type(module).__name__.endswith(_SILENT):
                handles.append(module.register_forward_pre_hook(self._begin, with_kwargs=True))
                handles.append(module.register_forward_hook(self._end))
            elif path:
                handles.append(module.register_forward_pre_hook(self._go_in))
                handles.append(module.register_forward_hook(self._go_out))
        return handles

    def _go_in(self, module: Any, _args: Any) -> None:
        self._active.append(self._paths[id(module)])

    def _go_out(self, _module: Any, _args: Any, _output: Any) -> None:
        self._active.pop()

    def _begin(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self._watching:
            return
        path = self._paths[id(module)]
        kind = _module_kind(path, module)
        draft = _Draft(path, kind, type(module).__name__, path, "" if kind in ("norm", "scale") else _place(path))
        given = [value for value in (*args, *kwargs.values()) if _is_tensor(value)]
        at = self._add(draft, given)
        draft.weights = tuple((name, tuple(p.shape)) for name, p in module.named_parameters(recurse=False))
        draft.parameters = sum(p.numel() for p in module.parameters(recurse=False))
        self._inside.append(at)

    def _end(self, _module: Any, _args: Any, output: Any) -> None:
        if not self._watching:
            return
        at = self._inside.pop()
        for value in output if isinstance(output, (tuple, list)) else (output,):
            if _is_tensor(value):
                self._remember(value, frozenset({at}))
                self._drafts[at].output = self._drafts[at].output or tuple(value.shape)

    # --- operations ---

    @contextmanager
    def mode(self) -> Iterator[None]:
        """Hear of every operation."""
        from torch.utils._python_dispatch import TorchDispatchMode

        watcher = self

        class Mode(TorchDispatchMode):
            def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                result = func(*args, **(kwargs or {}))
                if watcher._watching:
                    watcher._heard(func, args, kwargs or {}, result)
                return result

        with Mode():  # type: ignore[no-untyped-call]
            yield

    def _heard(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        from torch.utils.flop_counter import flop_registry

        name = func._overloadpacket.__name__
        tensors = [value for value in _flat((*args, *kwargs.values()))]
        counter = flop_registry.get(func._overloadpacket)
        flops = int(counter(*args, **kwargs, out_val=result)) if counter else 0
        sources = frozenset().union(*(self._of(value) for value in tensors)) if tensors else frozenset()
        if self._inside:
            self._drafts[self._inside[-1]].flops += flops
        else:
            kind = self._kind(name, tensors)
            if kind:
                draft = _Draft(_NAMES.get(kind, name), kind, "", "", _place(self._active[-1] if self._active else ""))
                if kind == "sum" and result.dim() == 3 and result.shape[-1] == self._width:
                    draft.name, draft.place = "+ (residual)", ""
                at = self._add(draft, [value for value in tensors if self._of(value)])
                draft.flops, draft.output = flops, tuple(result.shape)
                if kind == "softmax":
                    self._softmaxed.add(at)
                sources = frozenset({at})
        for value in _flat((result,)):
            self._remember(value, sources)

    def _kind(self, name: str, tensors: list[Any]) -> PartKind | None:
        """What an operation outside of modules is; None for what passes its input on."""
        streams = [self._of(value) for value in tensors if self._of(value)]
        two = len(streams) == 2 and streams[0] != streams[1]
        if name in _PRODUCTS and len(streams) == 2:  # of one source too: queries and keys may come from one matrix
            return "mix" if any(source & self._softmaxed for source in streams) else "scores"
        if name in ("_softmax", "softmax") and streams:
            return "softmax"
        if name in _SUMS and two:
            return "sum"
        if name in _GATES and two:
            return "gate"
        return "activation" if name in _NONLINEAR and streams else None

    # --- bookkeeping ---

    def _add(self, draft: _Draft, given: list[Any]) -> int:
        at = len(self._drafts)
        self._drafts.append(draft)
        draft.inputs = [tuple(value.shape) for value in given if self._of(value)]
        for value in given:
            self._edges.update(((source, at), None) for source in sorted(self._of(value)))
        return at

    def _of(self, value: Any) -> frozenset[int]:
        return self._sources.get(id(value), (None, frozenset()))[1]

    def _remember(self, value: Any, sources: frozenset[int]) -> None:
        self._sources[id(value)] = (value, sources)

    def diagram(self, path: str) -> Diagram:
        parts = tuple(draft.part() for draft in self._drafts)
        return Diagram(path, type(self._block).__name__, parts, tuple(self._edges))


_NAMES: Mapping[PartKind, str] = {
    "scores": "Q Kᵀ", "mix": "A V", "softmax": "softmax", "sum": "+", "gate": "gate ×",
}  # fmt: skip


def _module_kind(path: str, module: nn.Module) -> PartKind:
    kind = type(module).__name__.lower()
    if kind in ("linear", "conv1d"):
        return "linear"
    if kind == "embedding":
        return "embedding"
    if "norm" in kind:
        return "norm"
    for name, _ in module.named_parameters(recurse=False):
        return "scale" if part_of_parameter(f"{path}.{name}", module) == "scales" else "module"
    return "activation"


def _place(path: str) -> str:
    if CROSS.search(path):
        return "cross-attention"
    if ATTENTION.search(path):
        return "attention"
    return "feed-forward" if path else ""


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _is_stream(value: Any) -> bool:
    return _is_tensor(value) and value.is_floating_point() and value.dim() == 3


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _flat(value)
        elif _is_tensor(value):
            yield value
