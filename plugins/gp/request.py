"""What a person asks for: points, kernel, noise and mean function, and how they are fitted. Pure data, no Qt."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from studio.host.request import Request, ui
from studio.ml.gp.errors import GPError
from studio.ml.gp.grammar import parse
from studio.ml.gp.mean import ConstantMean, LinearMean, Mean, ZeroMean
from studio.ml.gp.model import Data, Model
from studio_plugins.gp.packing import unpack
from studio_plugins.gp.points import Points
from studio_plugins.gp.ways import MOST_INDUCING, USUAL_INDUCING, Likelihood, Method, Way, way

if TYPE_CHECKING:
    from studio.ml.gp.objective import Freedom

MeanKind = Literal["zero", "constant", "linear"]


class Rule(BaseModel):
    """What a fit may do with one hyper-parameter, `name` as `Model.parameters` gives it. `fixed`: nothing; `low`, `high`:
    bounds in its own unit, None for the usual ones; `median`, `spread`: a log-normal prior, `median` None for none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    fixed: bool = False
    low: float | None = None
    high: float | None = None
    median: float | None = None
    spread: float = 1.0

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"the bounds of {self.name} must rise: {self.low:g} is not below {self.high:g}")
        if (self.median is not None and self.median <= 0) or self.spread <= 0:
            raise ValueError(f"the prior of {self.name} needs a median and a spread above 0")
        return self

    @property
    def idle(self) -> bool:
        """Whether it asks for nothing."""
        return not self.fixed and self.low is None and self.high is None and self.median is None


class GpRequest(Request):
    """A Gaussian process over points, to be fitted by type-II maximum likelihood."""

    kind: ClassVar[str] = "gp"

    x: tuple[float, ...] = ui(
        (), title="x", help="Inputs, `inputs` numbers for each point, one point after another.", widget="hidden"
    )
    y: tuple[float, ...] = ui((), title="y", help="Values, one for each point.", widget="hidden")
    own: tuple[float, ...] = ui(
        (), title="Own noise", help="Noise of each point beyond σ, a standard deviation; empty for none.", widget="hidden"
    )
    packed: str = ui(
        "", title="Packed points", help="Very many points, in the place of x, y and own: base64 of zlib.", widget="hidden"
    )
    inputs: int = ui(1, title="Inputs", help="Numbers of input dimensions.", widget="hidden", ge=1, le=2)
    kernel: str = ui("RBF(1.0)", title="Kernel", help="In the text grammar, such as 1.2*RBF(0.4) + Linear.", min_length=1)
    noise: float = ui(0.1, title="Noise σ", help="Standard deviation of the noise, in units of y.", ge=0.0)
    mean: MeanKind = ui("zero", title="Mean function", help="What is expected before any point is seen.")
    mean_values: tuple[float, ...] = ui(
        (), title="Mean’s values", help="The constant, or intercept and slopes; empty starts at 0.", widget="hidden"
    )
    likelihood: Likelihood = ui(
        "gaussian", title="Observations", help="Gaussian noise, Student-t noise (outliers), or two classes, y = 0 and 1."
    )
    degrees: float = ui(4.0, title="Degrees of freedom", help="Of Student-t noise: few allow far outliers.", gt=0.0, le=200.0)
    method: Method = ui("auto", title="Method", help="By the formula, through inducing points, or whichever fits the number.")
    inducing: int = ui(
        USUAL_INDUCING, title="Inducing points", help="How many stand for all.", ge=1, le=MOST_INDUCING, step=1
    )
    places: tuple[float, ...] = ui(
        (), title="Places", help="Inducing points by hand, `inputs` numbers each; empty spreads them.", widget="hidden"
    )
    rules: tuple[Rule, ...] = ui((), title="Bounds and priors", help="What a fit may change, and how far.", widget="hidden")
    source: str = ui("", title="Source", help="Where the points came from.", widget="hidden", max_length=200)
    axes: tuple[str, ...] = ui(("x", "y"), title="Axes", help="Names of the inputs and of y.", widget="hidden")
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
        if len(self.x) != self.inputs * len(self.y):
            raise ValueError(
                f"there are {len(self.x)} x but {len(self.y)} y; each point needs {self.inputs} x and one y"
            )
        if self.own and len(self.own) != len(self.y):
            raise ValueError(f"there are {len(self.y)} points but {len(self.own)} own noises; give one for each, or none")
        if len(self.places) % self.inputs:
            raise ValueError(f"an inducing point has {self.inputs} coordinates; there are {len(self.places)} numbers")
        if len(self.axes) != self.inputs + 1:
            raise ValueError(f"{self.inputs} inputs and y need {self.inputs + 1} names, not {len(self.axes)}")
        return self

    @functools.cached_property
    def points(self) -> Points:
        """The points. Raises ValueError for numbers that are not finite, and for packed text that is damaged."""
        if self.packed:
            return Points.of(*unpack(self.packed))
        return Points.of(np.reshape(self.x, (-1, self.inputs)), self.y, self.own or None)

    @property
    def model(self) -> Model:
        """Kernel, noise variance and mean function; labels have no noise of their own. Raises GPError."""
        noise = 0.0 if self.likelihood == "classes" else self.noise**2
        return Model(parse(self.kernel), noise, mean_of(self.mean, self.mean_values, self.inputs))

    @property
    def data(self) -> Data:
        """The points as the science takes them. Raises GPError."""
        return data_of(self.points, self.likelihood)

    @property
    def way(self) -> Way:
        """How the posterior is worked out."""
        return way(
            self.likelihood, self.method, self.points.x, inducing=self.inducing, places=self.places, degrees=self.degrees
        )

    @property
    def freedom(self) -> Freedom:
        """What a fit may change; rules for hyper-parameters that the model does not have are passed over."""
        return freedom_of(self.rules, self.model)


def data_of(points: Points, likelihood: Likelihood) -> Data:
    """Points as observations: only Gaussian noise may differ from point to point. Raises BadData."""
    own = points.own if likelihood == "gaussian" and points.own.any() else None
    return Data.of(points.x, points.y, None if own is None else own**2)


def freedom_of(rules: tuple[Rule, ...], model: Model) -> Freedom:
    """Rules as the science takes them; a missing bound is the usual one. For jobs: the import takes its time."""
    from studio.ml.gp.objective import Freedom, LogNormal

    known = {parameter.name: parameter for parameter in model.parameters()}
    mine = [rule for rule in rules if rule.name in known]
    bounds = {
        rule.name: (
            known[rule.name].low if rule.low is None else rule.low,
            known[rule.name].high if rule.high is None else rule.high,
        )
        for rule in mine
        if rule.low is not None or rule.high is not None
    }
    priors = {rule.name: LogNormal(rule.median, rule.spread) for rule in mine if rule.median is not None}
    return Freedom(bounds, frozenset(rule.name for rule in mine if rule.fixed), priors)


def mean_of(kind: MeanKind, values: tuple[float, ...], inputs: int) -> Mean:
    """A mean function with its values, at 0 where there are none. Raises GPError."""
    shapes: dict[str, Mean] = {
        "zero": ZeroMean(), "constant": ConstantMean(), "linear": LinearMean(0.0, (0.0,) * inputs),
    }  # fmt: skip
    mean = shapes[kind]
    if not values:
        return mean
    if len(values) != len(mean.theta):
        raise GPError(f"A {kind} mean function has {len(mean.theta)} values, not {len(values)}")
    return mean.with_theta(values)
