"""The conditional of a joint Gaussian, with the matrices of these points where they are few enough to read."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt
from PySide6.QtWidgets import QWidget

from studio.ml.gp.exact import Posterior
from studio.ui.cards import FormulaCard

Array = npt.NDArray[np.float64]

READABLE = 4
"""Points up to which the numbers are written out."""
_FORMULA = (
    "μ<sub>2|1</sub> = μ<sub>2</sub> + Σ<sub>21</sub> Σ<sub>11</sub><sup>−1</sup> (<b>y</b> − μ<sub>1</sub>)<br>"
    "Σ<sub>2|1</sub> = Σ<sub>22</sub> − Σ<sub>21</sub> Σ<sub>11</sub><sup>−1</sup> Σ<sub>12</sub>"
)
_SIZES = "Σ<sub>11</sub> is $n×$n, Σ<sub>21</sub> is $m×$n, Σ<sub>22</sub> is $m×$m"
_NOTE = "1: the points, with noise on the diagonal of Σ₁₁; 2: the {m} places of the grid."
_HERE = " Written out for the place x = {x} under the pointer."


class ConditionalCard(FormulaCard):
    """μ₂|₁ and Σ₂|₁; `show_posterior` again when the pointer stands elsewhere."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_FORMULA, _SIZES, "", parent)

    def follows(self, posterior: Posterior) -> bool:
        """Whether the numbers are written out, so that they are others at every place."""
        return 0 < len(posterior.data) <= READABLE

    def show_posterior(self, posterior: Posterior, grid: int, x: Sequence[float]) -> None:
        """The matrices for one place x [D], or their sizes where there are more than a few points."""
        n = len(posterior.data)
        if not self.follows(posterior) or len(x) != posterior.data.dimensions:
            self.set_formula(_FORMULA, _SIZES)
            self.set_numbers({"n": n, "m": grid})
            self.set_note(_NOTE.format(m=grid))
            return
        place = np.array([x], dtype=float)
        S21 = posterior.cross_covariance(place)
        S11 = posterior.kernel_matrix + np.diag(posterior.data.noise_of(posterior.model))
        S22 = float(posterior.model.kernel.diagonal(place)[0])
        residual = posterior.data.y - posterior.model.mean(posterior.data.x)
        mean, variance = posterior.predict(place)
        m2 = float(posterior.model.mean(place)[0])
        rows = (
            ("Σ<sub>11</sub> =", S11), ("Σ<sub>21</sub> =", S21), ("(<b>y</b> − μ<sub>1</sub>)ᵀ =", residual[None]),
            ("Σ<sub>22</sub> =", np.array([[S22]])),
        )  # fmt: skip
        written = "".join(f"<tr><td valign=middle>{name}</td><td>{_matrix(values)}</td></tr>" for name, values in rows)
        self.set_formula(
            _FORMULA,
            f"<table cellspacing=4>{written}</table>"
            f"μ<sub>2|1</sub> = {m2:.3g} + … = $mean<br>Σ<sub>2|1</sub> = {S22:.3g} − … = $variance",
        )
        self.set_numbers({"mean": f"{mean[0]:.4g}", "variance": f"{variance[0]:.4g}"})
        self.set_note(_NOTE.format(m=grid) + _HERE.format(x=", ".join(f"{one:.3g}" for one in x)))


def _matrix(values: Array) -> str:
    """A small matrix as rich text: rows between bars."""
    rows = "".join(
        f"<tr>{''.join(f'<td align=right>&nbsp;{escape(_short(value))}</td>' for value in row)}</tr>" for row in values.tolist()
    )
    return f'<table style="font-size:11px; border-left:1px solid; border-right:1px solid;">{rows}</table>'


def _short(value: float) -> str:
    text = f"{value:.2f}" if 0.005 <= abs(value) < 1000 or value == 0 else f"{value:.1e}"
    return text.replace("-", "−")
