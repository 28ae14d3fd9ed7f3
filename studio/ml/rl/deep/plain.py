"""Perceptrons evaluated by numpy: for a few rows several times as fast as torch, and usable without it.

Collecting asks for a handful of observations at a time, where calling torch costs more than the sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from studio.ml.rl.deep.networks import OneHot, Tanh

Floats = NDArray[np.float32]


class Plain:
    """A perceptron of `networks` in numpy; equal to it but for rounding.

    frozen: with weights of its own; otherwise it looks at the network's memory and so always has its present weights.
    """

    def __init__(self, network: nn.Module, *, frozen: bool = False) -> None:
        self._states: int | None = None
        self._steps: list[tuple[Floats, Floats] | type[nn.Module]] = []
        for layer in network.modules():
            if isinstance(layer, OneHot):
                self._states = layer.states
            elif isinstance(layer, nn.Linear):
                weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
                self._steps.append((weight.copy().T, bias.copy()) if frozen else (weight.T, bias))
            elif isinstance(layer, (Tanh, nn.ReLU)):
                self._steps.append(type(layer))
            elif not isinstance(layer, (nn.Sequential, nn.Flatten)):
                raise TypeError(f"numpy evaluates perceptrons only, not {type(layer).__name__}")

    def __call__(self, observations: NDArray[Any]) -> Floats:
        """[B, outputs] of observations [B, *shape], or of states [B]."""
        if self._states is None:
            h: Floats = observations.reshape(len(observations), -1)
        else:
            h = np.zeros((len(observations), self._states), np.float32)
            h[np.arange(len(observations)), observations] = 1
        for step in self._steps:
            if isinstance(step, tuple):
                h = h @ step[0]
                h += step[1]
            elif step is Tanh:
                h = np.tanh(h, out=h)
            else:
                h = np.maximum(h, 0, out=h)
        return h


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Probabilities of the last axis, in double precision so that they add up to 1 closely."""
    p: NDArray[np.float64] = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return p


def choose(probabilities: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.int64]:
    """The action of each row [B, A] at which its cumulated probability passes u [B] in [0, 1)."""
    passed = (probabilities.cumsum(-1) <= u[..., None]).sum(-1)
    action: NDArray[np.int64] = np.minimum(passed, probabilities.shape[-1] - 1)
    return action
