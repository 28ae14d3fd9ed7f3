"""Guidance by a gradient: another network says where in picture space its score of x_t rises.

    mu(x_t | y) + s Sigma(x_t) grad_x score(x_t)          DDPM (Dhariwal & Nichol 2021, Alg. 1)
    eps(x_t | y) - s sqrt(1 - abar_t) grad_x score(x_t)   DDIM and DPM-Solver++ (Alg. 2)

score is log p(y | x_t) of a noise-aware classifier, or the similarity f(x_t) . g(c) of a noise-aware CLIP (Nichol et
al. 2021, sec. 2.4). `PlainClipGuidance` is the contrast: a CLIP for clean pictures, applied to the predicted x0 and
differentiated through the denoiser, which costs a backward pass through it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from studio.ml.diffusion.denoiser import Denoiser
from studio.ml.diffusion.guidance import Gradient, GradientFn, Scale
from studio.ml.diffusion.schedule import Schedule

Score = Callable[[Tensor], tuple[Tensor, Tensor]]
"""x_t [B, C, H, W] -> (what is differentiated, what is reported), both [B]."""


class GradientGuidance(Protocol):
    """One gradient guidance; None at steps where its scale is 0."""

    name: str

    def __call__(self, x: Tensor, t: Tensor) -> Gradient | None: ...


class ImageEncoder(Protocol):
    """The part of a noise-aware CLIP that guidance needs."""

    logit_scale: float

    def encode_image(self, x: Tensor, t: Tensor) -> Tensor:
        """x [B, C, H, W], t [B] -> unit vectors [B, E]."""
        ...


class ClassifierGuidance:
    """grad_x log p(y | x_t), y [B] classes; classifier: (x, t) -> logits [B, K]. The score is log p(y | x_t)."""

    name = "classifier"

    def __init__(
        self, classifier: Callable[[Tensor, Tensor], Tensor], y: Tensor, scale: float | Scale, *, T: int = 1000
    ) -> None:
        self.classifier, self.y, self.scale, self.T = classifier, y, Scale.of(scale), T

    def __call__(self, x: Tensor, t: Tensor) -> Gradient | None:
        def log_p(x: Tensor) -> tuple[Tensor, Tensor]:
            logits = self.classifier(x, t).float()
            chosen = F.log_softmax(logits, dim=-1).gather(1, self.y[:, None])[:, 0]
            return chosen, chosen

        return _gradient(self.name, self.scale, self.T, log_p, x, t)


class ClipGuidance:
    """grad_x logit_scale f(x_t) . g(c) of a CLIP that knows noise; text [B, E] = g(c). The score is the cosine."""

    name = "clip"

    def __init__(self, clip: ImageEncoder, text: Tensor, scale: float | Scale, *, T: int = 1000) -> None:
        self.clip, self.text, self.scale, self.T = clip, text, Scale.of(scale), T

    def __call__(self, x: Tensor, t: Tensor) -> Gradient | None:
        def similarity(x: Tensor) -> tuple[Tensor, Tensor]:
            cosine = (self.clip.encode_image(x, t).float() * self.text).sum(dim=1)
            return self.clip.logit_scale * cosine, cosine

        return _gradient(self.name, self.scale, self.T, similarity, x, t)


class PlainClipGuidance:
    """grad_x logit_scale f(x0(x_t)) . g(c): CLIP sees the predicted clean picture (t = 0), not x_t."""

    name = "clip-x0"

    def __init__(
        self, clip: ImageEncoder, text: Tensor, denoiser: Denoiser, schedule: Schedule, scale: float | Scale
    ) -> None:
        self.clip, self.text, self.denoiser = clip, text, denoiser
        self.scale, self.T = Scale.of(scale), schedule.T
        abar = torch.from_numpy(schedule.alphas_cumprod)
        self._inverse = (1 / abar).sqrt().float().to(text.device)
        self._noise = (1 / abar - 1).sqrt().float().to(text.device)

    def __call__(self, x: Tensor, t: Tensor) -> Gradient | None:
        def similarity(x: Tensor) -> tuple[Tensor, Tensor]:
            shape = (-1, *[1] * (x.ndim - 1))
            x0 = self._inverse[t].view(shape) * x - self._noise[t].view(shape) * self.denoiser(x, t).eps
            cosine = (self.clip.encode_image(x0, torch.zeros_like(t)).float() * self.text).sum(dim=1)
            return self.clip.logit_scale * cosine, cosine

        return _gradient(self.name, self.scale, self.T, similarity, x, t)


def together(guidances: Sequence[GradientGuidance]) -> GradientFn | None:
    """Several gradient guidances as the one function samplers take; None for none."""
    if not guidances:
        return None
    return lambda x, t: [gradient for guide in guidances if (gradient := guide(x, t)) is not None]


def _gradient(name: str, scale: Scale, T: int, score: Score, x: Tensor, t: Tensor) -> Gradient | None:
    at = scale.at(t, T)
    if scale.idle(at):
        return None
    with torch.enable_grad():
        variable = x.detach().requires_grad_()
        climbed, reported = score(variable)
        (slope,) = torch.autograd.grad(climbed.sum(), variable)
    return Gradient(name, at.view(-1, *[1] * (x.ndim - 1)) * slope.float(), at, reported.detach())
