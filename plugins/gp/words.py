"""Names and meanings of kernels and their values, as the panel writes them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Word(NamedTuple):
    """A short title, and one sentence on what it means."""

    title: str
    meaning: str


KERNEL_WORDS: Mapping[str, Word] = MappingProxyType(
    {
        "RBF": Word("RBF (squared exponential)", "Infinitely smooth functions that wander over about one length-scale."),
        "Matern12": Word("Matérn 1/2", "Continuous but nowhere smooth: the path of a particle pulled back to zero."),
        "Matern32": Word("Matérn 3/2", "Functions with a slope everywhere, but rough bends."),
        "Matern52": Word("Matérn 5/2", "Functions with a slope and a curvature everywhere; a usual choice for physics."),
        "RationalQuadratic": Word("Rational quadratic", "RBFs of many length-scales at once; alpha says how many."),
        "Periodic": Word("Periodic", "Functions that repeat exactly after one period."),
        "SpectralMixture": Word("Spectral mixture", "A sum of quasi-periodic parts: weights, frequencies, bandwidths."),
        "Linear": Word("Linear", "Straight lines through zero at the centre."),
        "Polynomial": Word("Polynomial", "Polynomials of a degree."),
        "Constant": Word("Constant", "One unknown level."),
        "ArcCosine": Word("Arc-cosine", "An infinitely wide network of one hidden layer."),
        "White": Word("White noise", "Noise of each observation; no value says anything about another."),
        "Brownian": Word("Brownian motion", "A random walk in continuous time, zero at its start."),
        "ChangePoint": Word("Change-point", "One kernel before a place, another after it, with a soft passage."),
    }
)

FIELD_WORDS: Mapping[str, Word] = MappingProxyType(
    {
        "length": Word("length", "Length-scale ℓ in units of x: how far one must go until values differ."),
        "alpha": Word("alpha", "How alike the length-scales are that are mixed; large ones give an RBF."),
        "period": Word("period", "After this distance in x everything repeats."),
        "weights": Word("weight", "Variance of this part."),
        "frequencies": Word("frequency", "Cycles per unit of x of this part."),
        "bandwidths": Word("bandwidth", "How quickly this part forgets its phase, in cycles per unit of x."),
        "center": Word("centre", "Where all lines pass through zero, in units of x."),
        "degree": Word("degree", "Degree of the polynomial, a whole number."),
        "offset": Word("offset", "Variance of the constant term."),
        "value": Word("variance", "Variance of the level."),
        "order": Word("order", "0: steps, 1: rectified lines, 2: rectified squares."),
        "bias": Word("bias", "Variance of the hidden units’ biases."),
        "variance": Word("variance", "Variance of the noise."),
        "start": Word("start", "Where the walk begins, in units of x."),
        "location": Word("place", "Where one kernel gives way to the other, in units of x."),
        "steepness": Word("steepness", "How suddenly: one over the width of the passage."),
    }
)
