"""Networks of deep agents: perceptrons, convolutions for pixels and one-hot states, all on streams of their own.

No layer draws from torch's global stream: weights are made empty and filled from the generator given.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from studio.ml.rl.errors import BadSetting

Start = Literal["orthogonal", "uniform"]
SMALL = 36
"""Pictures lower or narrower than this are too small for the strides of the Nature network."""
_ALIGN = 16
"""Floats in 64 bytes: every parameter begins where the fastest kernels want it, and always the same ones run."""


class _Tanh(torch.autograd.Function):
    """tanh by numpy, several times as fast as torch's on the CPU, with the slope 1 − tanh²."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = torch.from_numpy(np.tanh(x.numpy()))
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return torch.addcmul(slopes[0], slopes[0] * y, y, value=-1)


class Tanh(nn.Module):
    """Hyperbolic tangent of tensors on the CPU."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _Tanh.apply(x)  # type: ignore[no-untyped-call]
        return y


ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": Tanh, "relu": nn.ReLU}


def fill(layer: nn.Linear | nn.Conv2d, start: Start, generator: torch.Generator, gain: float = 1.0) -> None:
    """Initial weights, from `generator` alone.

    orthogonal: times `gain`, biases 0 (Saxe et al. 2014; usual for policy gradients). uniform: weights and biases
    within ±1/√inputs, torch's own default.
    """
    assert layer.bias is not None
    if start == "orthogonal":
        nn.init.orthogonal_(layer.weight, gain, generator=generator)
        nn.init.zeros_(layer.bias)
        return
    bound = 1 / sqrt(layer.weight[0].numel())
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    nn.init.uniform_(layer.bias, -bound, bound, generator=generator)


def linear(
    inputs: int, outputs: int, generator: torch.Generator, start: Start = "orthogonal", gain: float = sqrt(2)
) -> nn.Linear:
    """A linear layer that begins as `fill` says."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs)
    fill(layer, start, generator, gain)
    return layer


def mlp(
    inputs: int, widths: Sequence[int], outputs: int | None, generator: torch.Generator, *,
    activation: str = "tanh", start: Start = "orthogonal", last_gain: float = 1.0,
) -> nn.Sequential:
    """Hidden layers of `widths`, each followed by the activation, then `outputs` numbers (None: no last layer)."""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [linear(inputs, width, generator, start), ACTIVATIONS[activation]()]
        inputs = width
    if outputs is not None:
        layers.append(linear(inputs, outputs, generator, start, last_gain))
    return nn.Sequential(*layers)


class OneHot(nn.Module):
    """States [B] as rows [B, S] with a single 1."""

    def __init__(self, states: int) -> None:
        super().__init__()
        self.states = states

    def forward(self, states: Tensor) -> Tensor:
        rows = torch.zeros(states.shape[0], self.states)
        return rows.scatter_(1, states.reshape(-1, 1).long(), 1.0)


class Scale(nn.Module):
    """Bytes [B, C, H, W] as floats from 0 to 1."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels / 255


def convolutions(
    shape: Sequence[int], generator: torch.Generator, *, start: Start = "orthogonal", width: int = 512
) -> nn.Sequential:
    """Pixels [B, C, H, W] to features [B, width].

    From 36 pixels on the network of Mnih et al. 2015 (Nature 518): 32 of 8×8 by 4, 64 of 4×4 by 2, 64 of 3×3. Below,
    three of 3×3 that keep the size, the second and third halving it where more than two pixels are left.
    """
    channels, height, width_in = shape
    plan: list[tuple[int, int, int, int]]
    if min(height, width_in) >= SMALL:
        plan = [(32, 8, 4, 0), (64, 4, 2, 0), (64, 3, 1, 0)]
    else:
        plan = [(16, 3, 1, 1), (32, 3, 2 if min(height, width_in) > 2 else 1, 1)]
        plan.append((64, 3, 2 if min(height, width_in) > 4 else 1, 1))
    layers: list[nn.Module] = [Scale()]
    for filters, size, stride, padding in plan:
        layer: nn.Conv2d = nn.utils.skip_init(nn.Conv2d, channels, filters, size, stride, padding)
        fill(layer, start, generator, sqrt(2))
        layers += [layer, nn.ReLU()]
        channels = filters
        height, width_in = ((n + 2 * padding - size) // stride + 1 for n in (height, width_in))
    flat = prod((channels, height, width_in))
    return nn.Sequential(*layers, nn.Flatten(), linear(flat, width, generator, start), nn.ReLU())


def body(
    observation: str, shape: Sequence[int], states: int | None, widths: Sequence[int], generator: torch.Generator, *,
    activation: str = "tanh", start: Start = "orthogonal",
) -> tuple[nn.Sequential, int]:
    """From observations to features [B, n], and n.

    observation "discrete": int64 [B], one-hot, then `widths`. "vector": float32 [B, *shape], flattened, then `widths`.
    "pixels": uint8 [B, C, H, W] through convolutions; `widths` do not apply. Raises BadSetting for anything else.
    """
    if observation == "pixels":
        return convolutions(shape, generator, start=start), 512
    if observation == "discrete" and states is not None:
        first: nn.Module = OneHot(states)
        inputs = states
    elif observation == "vector":
        first, inputs = nn.Flatten(), prod(shape)
    else:
        raise BadSetting(f"Networks take discrete, vector or pixel observations, not {observation!r}.")
    layers = mlp(inputs, widths, None, generator, activation=activation, start=start)
    return nn.Sequential(first, *layers), (widths[-1] if widths else inputs)


class Flat:
    """All parameters of `module` as views of one vector, so that one call clips, steps, copies or checks them.

    vector: a leaf with its gradient, for the optimiser. The module's parameters stay usable as they are;
    `load_state_dict` and optimisers of `vector` both write into the same memory.
    """

    def __init__(self, module: nn.Module) -> None:
        parameters = list(module.parameters())
        places, end = [], 0
        for parameter in parameters:
            places.append(end)
            end += -(-parameter.numel() // _ALIGN) * _ALIGN
        self.vector = nn.Parameter(torch.zeros(end))
        self.gradient = torch.zeros(end)
        self.vector.grad = self.gradient
        for parameter, place in zip(parameters, places, strict=True):
            here = slice(place, place + parameter.numel())
            self.vector.data[here] = parameter.data.reshape(-1)
            parameter.data = self.vector.data[here].view(parameter.shape)
            parameter.grad = self.gradient[here].view(parameter.shape)

    def clip(self, longest: float) -> float:
        """Shortens the gradient to length `longest` where it is longer; its length before, not finite if it broke."""
        length = float(torch.linalg.vector_norm(self.gradient))
        if length > longest:
            self.gradient.mul_(longest / (length + 1e-6))
        return length

    def finite(self) -> bool:
        """Whether every parameter is a finite number."""
        return bool(torch.isfinite(self.vector).all())


def parameters_of(module: nn.Module) -> dict[str, Any]:
    """The module's state as numpy arrays (copies), by name."""
    return {name: tensor.detach().numpy().copy() for name, tensor in module.state_dict().items()}
