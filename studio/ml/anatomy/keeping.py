"""What a layer keeps for its backward pass, as torch's autograd itself says, on the meta device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from studio.ml.anatomy.errors import Untraceable
from studio.ml.anatomy.tracing import arguments

if TYPE_CHECKING:
    from torch import Tensor, nn


def kept_numbers(model: nn.Module, given: Mapping[str, Any], path: str) -> int:
    """How many numbers the layer at `path` keeps in training mode, weights aside; a tensor kept twice counts once.

    Raises Untraceable.
    """
    import torch

    args, kwargs = arguments(model, given, path)
    block = model.get_submodule(path).train()
    own = {parameter.untyped_storage()._cdata for parameter in block.parameters()}
    kept: dict[int, tuple[int, Tensor]] = {}  # the tensor too: its storage's address must not be given away

    def keep(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage()._cdata
        if place not in own:
            kept[place] = (tensor.untyped_storage().nbytes() // tensor.element_size(), tensor)
        return tensor

    wanting = tuple(_wanting(value) for value in args)
    try:
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            block(*wanting, **{name: _wanting(v) if name == "hidden_states" else v for name, v in kwargs.items()})
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        raise Untraceable(f"What a layer keeps for training cannot be counted: {str(error)[:200]}") from error
    finally:
        block.eval()
    return sum(count for count, _ in kept.values())


def _wanting(value: Any) -> Any:
    """A stream that gradients flow back to, as from the layers before."""
    import torch

    floats = isinstance(value, torch.Tensor) and value.is_floating_point() and value.dim() == 3
    return value.detach().requires_grad_(True) if floats else value
