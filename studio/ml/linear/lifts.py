"""Two-dimensional points lifted into three dimensions, where a plane may separate what no line did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from studio.ml.linear.clouds import Labels
from studio.ml.linear.kernels import Kernel
from studio.ml.linear.machines import Boundary, fit
from studio.ml.linear.problem import Array
from studio.ml.linear.scikit import KernelPCA

LiftName = Literal["bowl", "quadratic", "principal"]


@dataclass(frozen=True, eq=False)
class Lift:
    """A map from the plane into space, made for some points.

    bowl: (x₁, x₂, x₁² + x₂²). quadratic: (x₁², √2 x₁x₂, x₂²), whose dot product is (x·z)². principal: the three axes in
    feature space along which the points vary most (kernel principal components), of whatever kernel; fewer than three
    where the kernel has fewer.
    """

    name: LiftName
    components: KernelPCA | None = None
    kernel: Kernel | None = None
    points: Array | None = None

    @classmethod
    def made(cls, name: LiftName, kernel: Kernel, points: Array) -> Lift:
        """The lift of this name; `principal` looks at the kernel and the points."""
        if name != "principal":
            return cls(name)
        axes = KernelPCA(3, kernel="precomputed", eigen_solver="dense")
        axes.fit(kernel.gram(points, points))
        return cls(name, axes, kernel, points)

    def __call__(self, X: Array) -> Array:
        """Points [n, 2] as points [n, 3]."""
        first, second = X[:, 0], X[:, 1]
        if self.name == "bowl":
            return np.column_stack([first, second, first**2 + second**2])
        if self.name == "quadratic":
            return np.column_stack([first**2, np.sqrt(2.0) * first * second, second**2])
        assert self.components is not None and self.kernel is not None and self.points is not None
        found = self.components.transform(self.kernel.gram(X, self.points))
        return np.pad(found, ((0, 0), (0, 3 - found.shape[1])))  # two points span one axis only


def plane_between(lifted: Array, labels: Labels, C: float) -> Boundary:
    """The linear support-vector machine on the lifted points: its plane is f = 0. Raises UnfitPoints."""
    return fit("svm", Kernel("linear"), lifted, labels, softness=C)
