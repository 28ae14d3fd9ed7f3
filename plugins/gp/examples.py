"""Small sets of points that each teach one thing, with the model to begin with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from studio.ml.gp.grammar import parse
from studio_plugins.gp.document import Scene
from studio_plugins.gp.points import Points


@dataclass(frozen=True)
class Example:
    """A title for a button, what is to be learnt, and the scene."""

    title: str
    lesson: str
    scene: Callable[[], Scene]


def _noise(count: int, sd: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, sd, count)


def _short_length() -> Scene:
    x = np.linspace(-4.5, 4.5, 14)
    y = np.sin(x) + 0.3 * x + _noise(14, 0.08, 1)
    return Scene(Points.of(x, y), parse("1*RBF(0.25)"), 0.1, source="Too short a length-scale")


def _periodic() -> Scene:
    x = np.linspace(-4.8, 0.8, 28)
    y = 1.2 * np.sin(2 * math.pi * x / 1.6) + 0.25 * x + _noise(28, 0.12, 2)
    return Scene(Points.of(x, y), parse("1*RBF(0.6)"), 0.15, source="Beyond the last point")


def _misjudged_noise() -> Scene:
    x = np.sort(np.random.default_rng(3).uniform(-4.6, 4.6, 30))
    y = np.sin(1.3 * x) + _noise(30, 0.45, 4)
    return Scene(Points.of(x, y), parse("1*RBF(0.6)"), 0.03, source="Noise misjudged")


def _trusted_little() -> Scene:
    x = np.array([-4.2, -3.1, -2.2, -1.0, 0.1, 1.2, 2.4, 3.3, 4.3])
    y = np.array([-0.6, 0.1, 0.9, 1.1, -1.7, 0.2, -0.7, -1.1, -0.6])
    own = np.zeros(9)
    own[4] = 1.2
    return Scene(Points.of(x, y, own), parse("1*RBF(1.3)"), 0.08, source="One point trusted less")


def _outlier() -> Scene:
    x = np.linspace(-4.5, 4.5, 22)
    y = np.sin(x) + _noise(22, 0.12, 6)
    y[[5, 14]] += (2.4, -2.8)
    return Scene(Points.of(x, y), parse("1*RBF(1.2)"), 0.15, source="Two outliers")


def _two_classes() -> Scene:
    x = np.sort(np.random.default_rng(8).uniform(-4.6, 4.6, 36))
    chance = 1 / (1 + np.exp(-3.5 * np.sin(1.1 * x)))
    y = (np.random.default_rng(9).uniform(size=36) < chance).astype(float)
    return Scene(Points.of(x, y), parse("4*RBF(1)"), source="Two classes", likelihood="classes")


def _two_inputs() -> Scene:
    rng = np.random.default_rng(10)
    x = rng.uniform(-4, 4, (60, 2))
    y = np.sin(1.4 * x[:, 0]) + 0.25 * x[:, 1] + rng.normal(0, 0.15, 60)
    return Scene(Points.of(x, y), parse("1*RBF([1.5, 1.5])"), 0.15, source="Two inputs", axes=("x1", "x2", "y"))


def _very_many() -> Scene:
    rng = np.random.default_rng(11)
    x = np.sort(rng.uniform(-5, 5, 20_000))
    y = np.sin(2 * x) * np.exp(-0.06 * x**2) + 0.15 * x + rng.normal(0, 0.3, len(x))
    return Scene(Points.of(x, y), parse("1*RBF(0.8)"), 0.3, source="Very many", inducing=16)


EXAMPLES: Mapping[str, Example] = MappingProxyType(
    {
        "short": Example(
            "Too short a length-scale",
            "The mean runs through every point and falls back to zero between them. Pull the ℓ handle, or press Fit, and "
            "watch the likelihood: the complexity term pays for what the fit term loses.",
            _short_length,
        ),
        "periodic": Example(
            "Beyond the last point",
            "An RBF forgets what it saw within one length-scale. Choose Periodic, multiplied or added, fit, and see how "
            "far it can then look ahead.",
            _periodic,
        ),
        "noise": Example(
            "Noise misjudged",
            "The model believes the points to be nearly exact, so it bends to each. Pull the σ handle, or press Fit.",
            _misjudged_noise,
        ),
        "trust": Example(
            "One point trusted less",
            "The long error bar says that this point has noise of its own. Pull its ends: the mean lets go of it, or "
            "holds on to it.",
            _trusted_little,
        ),
        "outlier": Example(
            "Two outliers",
            "Gaussian noise lets two points far off bend the whole curve. Choose Student-t noise for the observations: they "
            "lose their weight, and the band becomes narrow again.",
            _outlier,
        ),
        "classes": Example(
            "Two classes",
            "The points are labels, 0 or 1, and the curve is the probability of a 1. Drag a label across, and see how sure "
            "the curve is where labels are mixed.",
            _two_classes,
        ),
        "inputs": Example(
            "Two inputs",
            "The function bends quickly along x1 and slowly along x2. Press Fit: each input gets a length-scale of its own, "
            "and the long one says that its input matters less.",
            _two_inputs,
        ),
        "many": Example(
            "Twenty thousand points",
            "The formula would factor a matrix of 20,000 × 20,000. Sixteen inducing points stand for all: drag their triangles "
            "at the foot of the plot, and watch how far the bound stays below the likelihood.",
            _very_many,
        ),
    }
)
