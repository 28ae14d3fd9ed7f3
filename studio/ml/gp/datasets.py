"""Real data sets as statsmodels and scikit-learn carry them inside their packages: nothing is downloaded.

Call from a job: the libraries take a second to import.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.ml.gp.model import Data

CO2_KERNEL = (
    "2500*RBF(50) + 4*RBF(100)*Periodic(1, 1) + 0.25*RationalQuadratic(1, 1) + 0.01*RBF(0.1) + White(0.01)"
)
"""Trend, season, medium-term irregularities and noise of the Mauna Loa record as scikit-learn's gallery composes them
(after Rasmussen & Williams 2006, section 5.4.3), at the values its fit starts from. Its period is fixed at one year.
"""


@dataclass(frozen=True)
class Dataset:
    """name: for lists; story: what it is and where from; x_labels (one for each input) and y_label with
    units; kernel: one to start from."""

    name: str
    story: str
    x_labels: tuple[str, ...]
    y_label: str
    kernel: str
    load: Callable[[], Data]


def co2() -> Data:
    """Monthly means of CO2 at Mauna Loa, 1958-2001 (521): x in years as year + month / 12, y in ppm less their mean.

    The same numbers as in scikit-learn's example: weekly values averaged over each month, empty months left out.
    """
    from statsmodels.datasets import co2 as source

    weekly = source.load_pandas().data["co2"]
    monthly = weekly.resample("MS").mean().dropna()
    y = monthly.to_numpy()
    return Data.of((monthly.index.year + monthly.index.month / 12).to_numpy(), y - y.mean())


def sunspots() -> Data:
    """Yearly sunspot numbers 1700-2008 (309), less their mean."""
    frame = _frame("sunspots")
    return _centered(frame["YEAR"], frame["SUNACTIVITY"])


def nile() -> Data:
    """Annual flow of the Nile at Aswan 1871-1970 (100) in 10^8 m^3, less its mean; it drops in 1898."""
    frame = _frame("nile")
    return _centered(frame["year"], frame["volume"])


def elnino() -> Data:
    """Monthly sea surface temperature of the eastern Pacific 1950-2010 (732) in degrees Celsius, less the mean."""
    frame = _frame("elnino")
    years, months = frame["YEAR"].to_numpy(), frame.drop(columns="YEAR").to_numpy()
    return _centered((years[:, None] + np.arange(12) / 12).ravel(), months.ravel())


def diabetes() -> Data:
    """Progression of diabetes in 442 patients over their body mass index and blood pressure, standardised (d = 2)."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes()
    chosen = bunch.data[:, [bunch.feature_names.index("bmi"), bunch.feature_names.index("bp")]]
    return Data.of(chosen / chosen.std(axis=0), (bunch.target - bunch.target.mean()) / bunch.target.std())


DATASETS = (
    Dataset("Mauna Loa CO2", "Monthly means of carbon dioxide in air, 1958-2001 (statsmodels)", ("year",), "CO2, ppm",
            CO2_KERNEL, co2),
    Dataset("Sunspots", "Yearly sunspot numbers, 1700-2008 (statsmodels)", ("year",), "sunspots",
            "1000*RBF(30)*Periodic(11, 1) + 300*RationalQuadratic(2, 1) + White(100)", sunspots),
    Dataset("Nile", "Annual flow at Aswan, 1871-1970; it drops when the dam is begun (statsmodels)", ("year",),
            "flow, 10^8 m^3", "ChangePoint(10000*RBF(30), 10000*RBF(30), 1898, 1) + White(15000)", nile),
    Dataset("El Nino", "Monthly sea surface temperature, 1950-2010 (statsmodels)", ("year",), "temperature, C",
            "4*RBF(100)*Periodic(1, 1) + RationalQuadratic(1, 1) + White(0.1)", elnino),
    Dataset("Diabetes", "Progression over body mass index and blood pressure, two inputs (scikit-learn)",
            ("body mass index, sd", "blood pressure, sd"), "progression, sd", "RBF([2, 2]) + White(0.5)", diabetes),
)  # fmt: skip
"""What ships with the libraries, in the order in which to offer it."""


def _frame(name: str) -> Any:
    import importlib

    return importlib.import_module(f"statsmodels.datasets.{name}").load_pandas().data


def _centered(x: Any, y: Any) -> Data:
    values = np.asarray(y, dtype=float)
    return Data.of(np.asarray(x, dtype=float), values - values.mean())
