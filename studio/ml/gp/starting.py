"""Hyper-parameters to begin with, read off the data: units may be anything, and a fit climbs the nearest hill."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.signal import lombscargle

from studio.ml.gp.jet import Array
from studio.ml.gp.kernel import Kernel, Parameter
from studio.ml.gp.model import Data
from studio.ml.gp.oscillating import Periodic

LONGEST = 2000
"""Points that the periodogram looks at; more make it slow and hardly sharper."""


def scaled_to(kernel: Kernel, data: Data) -> Kernel:
    """The kernel in the units of the data: lengths and periods times the spread of x, variances times that of y.

    Written for x and y of standard deviation 1, it then fits data of any scale.
    """
    along = float(np.mean(data.x.std(axis=0))) if len(data) > 1 else 1.0
    up = float(data.y.var()) if len(data) > 1 else 1.0
    factors = {"length": along or 1.0, "period": along or 1.0, "variance": up or 1.0, "value": up or 1.0}
    theta = kernel.theta
    for i, parameter in enumerate(kernel.parameters()):
        theta[i] += np.log(factors.get(parameter.name.split(".")[1].split("[")[0], 1.0))
    return kernel.with_theta(theta)


def plausible(parameter: Parameter, data: Data) -> tuple[float, float]:
    """The range in which to look for a hyper-parameter first, in its own unit.

    Lengths and periods from the mean gap between points to twice their extent; variances from a thousandth of that of y
    to three times it; places within the inputs; anything else within a factor of ten.
    """
    kind = parameter.name.split(".")[-1].split("[")[0]
    extent = float(np.ptp(data.x, axis=0).mean()) if len(data) else 0.0
    height = float(data.y.var()) if len(data) else 0.0
    if kind in ("length", "period") and extent:
        return extent / len(data), 2 * extent
    if kind in ("variance", "value", "noise") and height:
        return 1e-3 * height, 3 * height
    if kind in ("location", "center", "start") and extent:
        return float(data.x.min()), float(data.x.max())
    value = parameter.value
    return (value / 10, value * 10) if parameter.positive else (value - abs(value), value + abs(value))


def likely_period(data: Data) -> float:
    """Where the periodogram of y over the first input is highest (Lomb-Scargle, so gaps do not matter).

    Periods from the range of x down to twice its mean gap; the range itself for fewer than four points.
    """
    x, y = data.x[:LONGEST, 0], data.y[:LONGEST]
    extent = float(np.ptp(x)) if len(x) else 0.0
    if len(x) < 4 or extent == 0 or not np.ptp(y):
        return extent or 1.0
    trend = np.polyval(np.polyfit((x - x.mean()) / extent, y, 2), (x - x.mean()) / extent)
    cycles = np.arange(1.5, max(2.5, len(x) / 2), 0.25)
    power: Array = lombscargle(x / extent, y - trend, 2 * np.pi * cycles)
    return extent / float(cycles[int(power.argmax())])


def starting(kernel: Kernel, data: Data) -> Kernel:
    """`scaled_to`, with the periods set to the likely one."""
    if isinstance(kernel, Periodic):
        return dataclasses.replace(kernel, period=likely_period(data))
    scaled = scaled_to(kernel, data) if not kernel.parts else kernel
    return scaled.with_parts([starting(part, data) for part in kernel.parts])
