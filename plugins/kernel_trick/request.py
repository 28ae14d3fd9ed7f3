"""What a person asks for: points, a kernel, a machine, a lift. Pure data, no scikit-learn, no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import field_validator

from studio.host.request import Idle, Request, ui

KernelChoice = Literal["linear", "polynomial", "rbf"]
MachineChoice = Literal["svm", "ridge"]
LiftChoice = Literal["bowl", "quadratic", "principal"]
Dot = tuple[float, float, int]
"""x₁, x₂ and the class, 0 or 1."""

EDGE = 1.75
"""Points lie within −EDGE … EDGE on both axes."""
MAX_POINTS = 400

KERNELS: Mapping[str, str] = MappingProxyType(
    {"rbf": "Gaussian (RBF): exp(−γ‖x − z‖²)", "polynomial": "Polynomial: (x·z + c)^d", "linear": "Linear: x·z"}
)
MACHINES: Mapping[str, str] = MappingProxyType(
    {"svm": "Support-vector machine", "ridge": "Kernel ridge regression on ±1"}
)
LIFTS: Mapping[str, str] = MappingProxyType(
    {
        "bowl": "Bowl: (x₁, x₂, x₁² + x₂²)",
        "quadratic": "Quadratic: (x₁², √2 x₁x₂, x₂²)",
        "principal": "Main axes of the kernel's own space",
    }
)


class KernelTrickRequest(Request):
    """Points of two classes, a kernel and what is done with it: everything that determines what is shown."""

    kind: ClassVar[str] = "kernel_trick"

    points: tuple[Dot, ...] = ui((), title="Points", widget="hidden", max_length=MAX_POINTS)
    kernel: KernelChoice = ui(
        "rbf",
        title="Kernel",
        help="How alike two points are: a dot product in another space.",
        widget="choice",
        choices=KERNELS,
    )
    gamma: float = ui(
        1.0,
        title="Sharpness γ",
        help="Large: only near points are alike. The length scale is 1/√(2γ).",
        ge=0.01,
        le=100.0,
        step=0.01,
        log=True,
    )
    degree: int = ui(
        2, title="Degree d", help="Products of up to this many coordinates are features.", ge=1, le=8, step=1
    )
    offset: float = ui(
        1.0, title="Offset c", help="0 keeps only products of exactly d coordinates.", ge=0.0, le=4.0, step=0.05
    )
    machine: MachineChoice = ui(
        "svm",
        title="Boundary from",
        help="What draws the boundary in the kernel's space.",
        widget="choice",
        choices=MACHINES,
    )
    cost: float = ui(
        1.0,
        title="Cost C",
        help="Price of a point inside the street. Large: a narrow street and few exceptions.",
        ge=0.01,
        le=10_000.0,
        step=0.01,
        log=True,
    )
    ridge: float = ui(
        0.1,
        title="Ridge λ",
        help="Price of a long weight vector. Large: smoother.",
        ge=1e-4,
        le=100.0,
        step=0.0001,
        log=True,
    )
    lift: LiftChoice = ui(
        "bowl",
        title="Lift into space",
        help="Three coordinates in which a plane may separate the classes.",
        widget="choice",
        choices=LIFTS,
    )
    count: int = ui(
        100,
        title="Fourier features",
        help="Random cosines and sines that stand in for the Gaussian kernel's infinitely many features.",
        ge=2,
        le=4096,
        step=2,
        log=True,
    )
    seed: int = ui(
        0, title="Seed", help="Decides the random frequencies.", widget="seed", ge=0, le=2**32 - 1, advanced=True
    )

    @field_validator("points")
    @classmethod
    def _inside(cls, points: tuple[Dot, ...]) -> tuple[Dot, ...]:
        for x, y, label in points:
            if max(abs(x), abs(y)) > EDGE:
                raise ValueError(f"the point ({x:g}, {y:g}) lies outside −{EDGE:g} … {EDGE:g}")
            if label not in (0, 1):
                raise ValueError(f"a class is 0 or 1, not {label}")
        return points

    @field_validator("count")
    @classmethod
    def _even(cls, count: int) -> int:
        """A cosine and a sine for each frequency."""
        return count + count % 2

    def without_effect(self) -> Mapping[str, Idle]:
        idle = {}
        if self.kernel != "rbf":
            idle["gamma"] = Idle("of the Gaussian kernel", hidden=True)
            idle["count"] = idle["seed"] = Idle("this kernel has finitely many features of its own", hidden=True)
        if self.kernel != "polynomial":
            idle["degree"] = idle["offset"] = Idle("of the polynomial kernel", hidden=True)
        idle["ridge" if self.machine == "svm" else "cost"] = Idle("of the other machine", hidden=True)
        return idle
