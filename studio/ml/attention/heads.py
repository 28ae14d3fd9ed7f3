"""What comes after the layers of a transformers model: its final norm and its head, asked about any state.

The head is the model's own code: the stack of layers is replaced for one call by the states to be judged, so that
scaling, capping, biases and poolers are those of the model and not a copy of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from studio.ml.attention.errors import NotForThisModel
from studio.ml.attention.values import Kind


def stacks_of(model: Any, kind: Kind) -> tuple[Any, ...]:
    """The module whose output the head is given, inside of which others may be that are asked in its place (OPT).

    Raises NotForThisModel for a model without a head.
    """
    stack: Any = model.base_model
    if stack is model and kind == "encoder-decoder" and model.get_output_embeddings() is not None:
        stack = model.get_decoder()
    if stack is model:
        raise NotForThisModel(
            "This folder holds no head, or one that cannot be told from the layers, so no layer can be asked."
        )
    inner = getattr(stack, "decoder", None) if kind == "causal" else None
    return (stack,) if inner is None else (stack, inner)


class FinalNorm:
    """Inside, finds the norm after the last layer: the one outside of all layers whose output is that of the stack."""

    def __init__(self, model: Any, kind: Kind) -> None:
        self._model, self._kind = model, kind
        self._stacks: tuple[nn.Module, ...] = stacks_of(model, kind)
        self._hooks: list[RemovableHandle] = []
        self._norms: list[tuple[nn.Module, int]] = []
        self._last: Tensor | None = None

    def __enter__(self) -> None:
        self._hooks = [stack.register_forward_hook(self._ended) for stack in self._stacks]
        for name, module in self._stacks[0].named_modules():
            if "norm" in type(module).__name__.lower() and not any(part.isdigit() for part in name.split(".")):
                self._hooks.append(module.register_forward_hook(self._normed))

    def _normed(self, module: nn.Module, given: Any, out: Any) -> None:
        if isinstance(out, Tensor):
            self._norms.append((module, out.data_ptr()))

    def _ended(self, module: nn.Module, given: Any, out: Any) -> None:
        self._last = out[0]

    def __exit__(self, *error: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def states(self, hidden: Sequence[Tensor]) -> Tensor:
        """[L + 1, T, D] of hidden states [1, T, D], as the head would get them; of models that write the last token."""
        assert self._last is not None
        norm = next((module for module, made in self._norms if made == self._last.data_ptr()), None)
        one = slice(-1, None) if self._kind in ("causal", "encoder-decoder") else slice(None)
        before = [state[0, one] for state in hidden[:-1]]
        return torch.stack([*(before if norm is None else map(norm, before)), self._last[0, one]])


def judged(model: Any, kind: Kind, given: Mapping[str, Tensor], states: Tensor, places: list[int] | None) -> Tensor:
    """Answers [n, A, V] to states [n, T, D]. places: of the gaps in the text; None for models that fill none."""
    from transformers.modeling_outputs import BaseModelOutput

    stacks = stacks_of(model, kind)
    pooler = getattr(stacks[0], "pooler", None) if kind in ("encoder", "vision") else None

    def instead(*_: Any, **__: Any) -> Any:
        return _Output(states, None if pooler is None else pooler(states))

    count = len(states)
    if kind == "encoder-decoder":
        ids = torch.zeros(count, 1, dtype=torch.long, device=states.device)
        asked: dict[str, Any] = {"decoder_input_ids": ids, "encoder_outputs": BaseModelOutput(last_hidden_state=states)}
    elif kind == "causal":
        asked = {"input_ids": torch.zeros(count, 1, dtype=torch.long, device=states.device)}
    else:
        asked = {name: value.expand(count, *value.shape[1:]) for name, value in given.items()}
    for stack in stacks:
        stack.forward = instead
    try:
        logits: Tensor = model(**asked).logits
    finally:
        for stack in stacks:
            del stack.forward
    if kind in ("causal", "encoder-decoder"):
        return logits[:, -1:]
    if logits.dim() == 2:
        return logits[:, None]
    return logits[:, places or []]


class _Output:
    """What a head finds of the layers' output: the states, what a pooler makes of them, and None for all else."""

    def __init__(self, states: Tensor, pooled: Tensor | None) -> None:
        self.last_hidden_state, self.pooler_output = states, pooled

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)
        return None

    def __getitem__(self, place: int | slice) -> Any:
        parts = [self.last_hidden_state] if self.pooler_output is None else [self.last_hidden_state, self.pooler_output]
        return tuple(parts[place]) if isinstance(place, slice) else parts[place]
