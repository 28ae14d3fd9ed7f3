"""Models that compute attention in their own way (DeBERTa-v2, Bloom): the weights they hand over, and their sites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from studio.ml.attention.listening import Listener


class HandedWeights:
    """Inside, remembers which module made which weights, and switches the listener's heads off.

    The innermost module that returns a tensor is the one that made it: hooks of inner modules run first.
    """

    def __init__(self, model: nn.Module, listener: Listener, names: Mapping[int, str]) -> None:
        self._model, self._listener, self._names = model, listener, names
        self._made: dict[int, tuple[str, Tensor]] = {}
        self._hooks: list[RemovableHandle] = []

    def __enter__(self) -> None:
        self._hooks = [module.register_forward_hook(self._seen) for module in self._model.modules()]

    def _seen(self, module: nn.Module, given: Any, out: Any) -> Any:
        if not isinstance(out, tuple) or not isinstance(out[0], Tensor):
            return None
        weights = next((part for part in out[1:] if isinstance(part, Tensor) and part.dim() == 4), None)
        if weights is None or id(weights) in self._made:
            return None
        site = self._listener.site(module)
        self._made[id(weights)] = (site, weights)
        context, heads = out[0], weights.shape[1]
        if context.dim() != 3 or context.shape[-1] % heads:
            return None
        apart = context.unflatten(-1, (heads, -1))
        changed = self._listener.without(site, apart)
        return None if changed is apart else (changed.flatten(-2), *out[1:])

    def __exit__(self, *error: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def named(self, out: Any) -> dict[str, Tensor]:
        """Site -> weights [B, H, T_q, T_k], of all that the model put out."""
        found: dict[str, Tensor] = {}
        for name in ("encoder_attentions", "decoder_attentions", "cross_attentions", "attentions"):
            for i, weights in enumerate(getattr(out, name, None) or ()):
                site, _ = self._made.get(id(weights), (f"{name}.{i}", weights))
                found[site] = weights
        return found
