"""What a person asks for: points, kernel, noise and mean function, and how they are fitted. Pure data, no Qt."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import field_validator, model_validator

from studio.host.request import Request, ui
from studio.ml.gp.errors import GPError
from studio.ml.gp.grammar import parse
from studio.ml.gp.mean import ConstantMean, LinearMean, Mean, ZeroMean
from studio.ml.gp.model import Data, Model

MeanKind = Literal["zero", "constant", "linear"]


class GpRequest(Request):
    """A Gaussian process over points, to be fitted by type-II maximum likelihood."""

    kind: ClassVar[str] = "gp"

    x: tuple[float, ...] = ui((), title="x", help="Inputs, one for each point.", widget="hidden")
    y: tuple[float, ...] = ui((), title="y", help="Values, one for each point.", widget="hidden")
    own: tuple[float, ...] = ui(
        (), title="Own noise", help="Noise of each point beyond σ, a standard deviation; empty for none.", widget="hidden"
    )
    kernel: str = ui("RBF(1.0)", title="Kernel", help="In the text grammar, such as 1.2*RBF(0.4) + Linear.", min_length=1)
    noise: float = ui(0.1, title="Noise σ", help="Standard deviation of the noise, in units of y.", ge=0.0)
    mean: MeanKind = ui("zero", title="Mean function", help="What is expected before any point is seen.")
    mean_values: tuple[float, ...] = ui(
        (), title="Mean’s values", help="The constant, or intercept and slopes; empty starts at 0.", widget="hidden"
    )
    source: str = ui("", title="Source", help="Where the points came from.", widget="hidden", max_length=200)
    axes: tuple[str, str] = ui(("x", "y"), title="Axes", help="Names of x and of y.", widget="hidden")
    restarts: int = ui(
        3,
        title="Restarts",
        help="How many more times the fit starts, from random places: the likelihood may have several hills.",
        ge=0,
        le=50,
        step=1,
    )
    iterations: int = ui(
        200, title="Iterations", help="Most iterations of one fit.", ge=1, le=5000, step=1, log=True, advanced=True
    )
    seed: int = ui(
        0, title="Seed", help="Number from which the restarts are drawn.", widget="seed", le=2**53 - 1, advanced=True
    )

    @field_validator("kernel")
    @classmethod
    def _readable(cls, text: str) -> str:
        parse(text)  # KernelTextError says where and what was expected
        return text

    @model_validator(mode="after")
    def _together(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError(f"there are {len(self.x)} x but {len(self.y)} y; each point needs both")
        if self.own and len(self.own) != len(self.y):
            raise ValueError(f"there are {len(self.y)} points but {len(self.own)} own noises; give one for each, or none")
        return self

    @property
    def model(self) -> Model:
        """Kernel, noise variance and mean function. Raises GPError."""
        return Model(parse(self.kernel), self.noise**2, self._mean())

    @property
    def data(self) -> Data:
        """The points. Raises GPError."""
        return Data.of(np.array(self.x), np.array(self.y), np.square(self.own) if self.own else None)

    def _mean(self) -> Mean:
        shapes: dict[str, Mean] = {
            "zero": ZeroMean(), "constant": ConstantMean(), "linear": LinearMean(0.0, (0.0,)),
        }  # fmt: skip
        mean = shapes[self.mean]
        if not self.mean_values:
            return mean
        if len(self.mean_values) != len(mean.theta):
            raise GPError(f"A {self.mean} mean function has {len(mean.theta)} values, not {len(self.mean_values)}")
        return mean.with_theta(self.mean_values)
