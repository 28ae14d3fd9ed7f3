"""What a person asks for: which data, which penalty, how it is looked at. Pure data, no scikit-learn, no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import field_validator, model_validator

from studio.host.request import Idle, Request, ui

Data = Literal["diabetes", "cancer", "wine", "sparse", "groups", "wide", "own"]
FamilyChoice = Literal["auto", "linear", "logistic", "multinomial"]
Others = Literal["held", "left out"]

DATA: Mapping[str, str] = MappingProxyType(
    {
        "diabetes": "Diabetes: 442 patients, 10 features",
        "cancer": "Breast cancer: 569 samples, 2 classes",
        "wine": "Wine: 178 bottles, 3 classes",
        "sparse": "Made up: 5 of 30 features count",
        "groups": "Made up: 3 groups of near copies",
        "wide": "Made up: 500 features, 60 rows",
        "own": "My own table",
    }
)
FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "auto": "As the response suggests",
        "linear": "Linear (a number)",
        "logistic": "Logistic (two classes)",
        "multinomial": "Multinomial (several classes)",
    }
)
MADE_UP = ("sparse", "groups", "wide")


class ElasticNetRequest(Request):
    """A penalised linear model: everything that determines its path, its cross-validation and what is shown of them."""

    kind: ClassVar[str] = "elastic_net"

    data: Data = ui(
        "diabetes",
        title="Data",
        help="Sets of scikit-learn, made-up ones whose true coefficients are known, or a table of your own.",
        widget="choice",
        choices=DATA,
    )
    table: str = ui("", title="Table", help="The CSV, Excel or Parquet file of your own data.", widget="hidden")
    table_sha256: str = ui("", title="Fingerprint of the table", widget="hidden", max_length=64)
    target: str = ui(
        "",
        title="Response",
        help="The column to explain: numbers, or classes.",
        widget="choice",
        choices_from="columns",
    )
    without: tuple[str, ...] = ui(
        (),
        title="Leave out",
        help="Columns that are not to be used, such as row numbers.",
        placeholder="names, with commas",
    )
    family: FamilyChoice = ui(
        "auto",
        title="Model",
        help="Linear explains a number by least squares; logistic and multinomial explain the chances of classes.",
        widget="choice",
        choices=FAMILIES,
    )
    mix: float = ui(
        0.5,
        title="Mix α",
        help="1 is the lasso (L1: coefficients become exactly zero), 0 is ridge regression (L2: they only shrink).",
        ge=0.0,
        le=1.0,
        step=0.01,
    )
    strength: float = ui(
        0.1,
        title="Strength λ / λmax",
        help="At 1 every coefficient is zero; towards 0 the penalty disappears. Drag the line in the plot, too.",
        ge=1e-4,
        le=1.0,
        step=0.0001,
        log=True,
    )
    first: str = ui("", title="First coefficient of the ball", widget="hidden")
    second: str = ui("", title="Second coefficient of the ball", widget="hidden")
    others: Others = ui("held", title="The other coefficients", widget="hidden", choices=("held", "left out"))
    output: int = ui(0, title="Class shown", ge=0, le=19, widget="hidden")
    standardise: bool = ui(
        True,
        title="Scale the features alike",
        help="Divide every feature by its standard deviation, so that λ treats metres and millimetres alike.",
        advanced=True,
    )
    count: int = ui(
        100,
        title="Points of the path",
        help="Values of λ, in equal steps of log λ.",
        ge=10,
        le=300,
        step=10,
        advanced=True,
    )
    least: float = ui(
        1e-3,
        title="Path ends at λ / λmax",
        help="The smallest λ of the path.",
        ge=1e-4,
        le=0.1,
        log=True,
        step=0.0001,
        advanced=True,
    )
    folds: int = ui(
        10,
        title="Folds",
        help="Parts into which cross-validation cuts the rows; each is held out once.",
        ge=2,
        le=20,
        advanced=True,
    )
    seed: int = ui(
        0,
        title="Seed",
        help="Decides the folds, and the numbers of made-up data.",
        widget="seed",
        le=2**32 - 1,
        ge=0,
        advanced=True,
    )

    @field_validator("without")
    @classmethod
    def _each_once(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value.strip() for value in values if value.strip()))

    @model_validator(mode="after")
    def _differs(self) -> ElasticNetRequest:
        if self.first and self.first == self.second:
            raise ValueError("the ball needs two different coefficients")
        return self

    def without_effect(self) -> Mapping[str, Idle]:
        idle = {}
        if self.data != "own":
            idle["target"] = idle["without"] = Idle("for a table of your own", hidden=True)
        if self.data not in MADE_UP and self.data != "own":
            idle["family"] = Idle("the response decides: " + ("a number" if self.data == "diabetes" else "classes"))
        return idle

    @property
    def data_key(self) -> tuple[object, ...]:
        """What determines the data that are fitted, and nothing else."""
        own = (self.table, self.table_sha256, self.target, self.without) if self.data == "own" else (self.seed,)
        return (self.data, *own, self.family, self.standardise)

    @property
    def path_key(self) -> tuple[object, ...]:
        """What determines the path over λ."""
        return (*self.data_key, self.mix, self.count, self.least)
