"""Adapters that turn any network into eps(x_t, t).

A denoiser takes x_t [B, C, H, W] in [-1, 1] picture space and t [B], the ORIGINAL step 0..T-1, and returns a
`Prediction`: the noise eps and, where the network learned it, the interpolation v of the reverse variance (Nichol &
Dhariwal 2021, eq. 15). Samplers see nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.unet import Text2ImUNet, TextFeatures, UNet


class Prediction(NamedTuple):
    """eps [B, C, H, W] and the variance interpolation v [B, C, H, W] or None, both float32.

    log variance = (v+1)/2 log beta + (1-v)/2 log posterior variance.
    """

    eps: Tensor
    variance: Tensor | None = None


class Denoiser(Protocol):
    """eps and v at (x_t, t)."""

    def __call__(self, x: Tensor, t: Tensor) -> Prediction: ...


class ConditionalDenoiser(Denoiser, Protocol):
    """A denoiser that knows a condition y and can also leave it out. Calling it gives eps(x_t | y)."""

    def unconditional(self, x: Tensor, t: Tensor) -> Prediction:
        """eps(x_t | nothing)."""
        ...

    def both(self, x: Tensor, t: Tensor) -> tuple[Prediction, Prediction]:
        """eps(x_t | y) and eps(x_t | nothing), computed as one batch of 2B."""
        ...


class WrongOutput(ValueError):
    """A network whose output has neither the picture's number of channels nor twice that."""


def split_prediction(out: Tensor, channels: int) -> Prediction:
    """[B, C or 2C, H, W] -> Prediction in float32: C channels are eps alone, 2C are eps and v."""
    if out.shape[1] == channels:
        return Prediction(out.float())
    if out.shape[1] == 2 * channels:
        eps, variance = out.float().chunk(2, dim=1)
        return Prediction(eps, variance)
    raise WrongOutput(
        f"The network returns {out.shape[1]} channels for a picture of {channels}; "
        f"{channels} (noise) or {2 * channels} (noise and variance) are understood."
    )


class Velocity:
    """Turns a network that predicts v = sqrt(abar) eps - sqrt(1 - abar) x_0 into one that predicts eps.

    eps = sqrt(abar) v + sqrt(1 - abar) x_t (Salimans & Ho 2022, app. D). Near t = T a small error of eps is a large one
    of x_0; an error of v is not, so a small network learns backgrounds and layout sooner.
    """

    def __init__(self, schedule: Schedule, device: torch.device | str = "cpu") -> None:
        abar = torch.from_numpy(schedule.alphas_cumprod)
        self.signal = abar.sqrt().float().to(device)
        self.noise = (1 - abar).sqrt().float().to(device)

    def eps(self, v: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """The noise that v [B, C, H, W] means at x_t; t [B] are original steps."""
        shape = (-1, *[1] * (x.ndim - 1))
        return self.signal[t].view(shape) * v + self.noise[t].view(shape) * x


class EpsDenoiser:
    """Any function net(x, t) -> [B, C or 2C, H, W] that predicts the noise, computed in `dtype`."""

    def __init__(self, net: Callable[[Tensor, Tensor], Tensor], *, dtype: torch.dtype = torch.float32) -> None:
        self.net = net
        self.dtype = dtype

    def __call__(self, x: Tensor, t: Tensor) -> Prediction:
        return split_prediction(self.net(x.to(self.dtype), t), x.shape[1])


class ClassDenoiser:
    """The ADM U-Net with its classes y [B] filled in; y is None for an unconditional network."""

    def __init__(self, net: UNet, y: Tensor | None = None) -> None:
        self.net = net
        self.y = y
        self.dtype = next(net.parameters()).dtype

    def __call__(self, x: Tensor, t: Tensor) -> Prediction:
        return split_prediction(self.net(x.to(self.dtype), t, self.y), x.shape[1])


class TextDenoiser:
    """A GLIDE network with its prompts filled in.

    The text arrives encoded, so the text transformer is not part of a step. `inputs` are the pictures some networks
    take besides (`low_res`, `image`, `mask`, each [B, ...]). `velocity` is given for networks that predict v.
    Everything a doubled batch needs is joined here, once.
    """

    def __init__(
        self,
        net: Text2ImUNet,
        prompt: TextFeatures,
        empty: TextFeatures | None = None,
        inputs: Mapping[str, Tensor] | None = None,
        velocity: Velocity | None = None,
    ) -> None:
        self.net = net
        self.dtype = next(net.parameters()).dtype
        self.prompt = prompt
        self.empty = empty
        self.velocity = velocity
        self.inputs = dict(inputs or {})
        if empty is not None:
            self._texts = TextFeatures(*(torch.cat(pair) for pair in zip(prompt, empty, strict=True)))
            self._inputs = {name: torch.cat([value, value]) for name, value in self.inputs.items()}

    def __call__(self, x: Tensor, t: Tensor) -> Prediction:
        return self._evaluate(x, t, self.prompt, self.inputs)

    def unconditional(self, x: Tensor, t: Tensor) -> Prediction:
        return self._evaluate(x, t, self._empty(), self.inputs)

    def both(self, x: Tensor, t: Tensor) -> tuple[Prediction, Prediction]:
        self._empty()
        out = self._evaluate(torch.cat([x, x]), torch.cat([t, t]), self._texts, self._inputs)
        eps, eps_empty = out.eps.chunk(2)
        if out.variance is None:
            return Prediction(eps), Prediction(eps_empty)
        v, v_empty = out.variance.chunk(2)
        return Prediction(eps, v), Prediction(eps_empty, v_empty)

    def _empty(self) -> TextFeatures:
        if self.empty is None:
            raise ValueError("No empty prompt was encoded; classifier-free guidance needs one.")
        return self.empty

    def _evaluate(self, x: Tensor, t: Tensor, text: TextFeatures, inputs: Mapping[str, Tensor]) -> Prediction:
        out = split_prediction(self.net(x.to(self.dtype), t, text, **inputs), x.shape[1])
        return out if self.velocity is None else out._replace(eps=self.velocity.eps(out.eps, x, t))
