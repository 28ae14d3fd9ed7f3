"""Tables of what is shown, for files."""

from __future__ import annotations

import numpy as np

from studio.host.export import Table
from studio.ml.linear.fourier import GramErrors
from studio_plugins.kernel_trick.results import Look
from studio_plugins.kernel_trick.words import CLASSES


def point_table(look: Look) -> Table:
    """A row for each point: where it is, its class, its share in the boundary and the boundary's value there."""
    columns = {
        "x1": look.points[:, 0].tolist(), "x2": look.points[:, 1].tolist(),
        "class": [CLASSES[label] for label in look.labels],
    }  # fmt: skip
    if look.boundary is not None:
        columns |= {"dual coefficient": look.boundary.dual.tolist(), "f": look.boundary.values.tolist()}
    return Table(columns)


def gram_table(look: Look) -> Table:
    """A row for each pair of points: k(x, z), φ(x)·φ(z) and the difference."""
    i, j = np.indices(look.grams.exact.shape)
    return Table(
        {
            "i": (i.ravel() + 1).tolist(), "j": (j.ravel() + 1).tolist(), "kernel": look.grams.exact.ravel().tolist(),
            "features": look.grams.featured.ravel().tolist(), "difference": look.grams.difference.ravel().tolist(),
        }
    )  # fmt: skip


def error_table(errors: GramErrors) -> Table:
    """A row for each number of features: the expected error, and that of every draw."""
    draws = {f"draw {i + 1}": values.tolist() for i, values in enumerate(errors.errors)}
    return Table({"features": errors.counts.astype(int).tolist(), "expected": errors.expected.tolist(), **draws})
