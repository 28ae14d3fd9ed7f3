"""The bundled data sets: their sizes and known values, kernels that read and hold them; the BLAS limit."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from studio.ml.gp.datasets import DATASETS, Dataset, co2, sunspots
from studio.ml.gp.exact import Posterior
from studio.ml.gp.grammar import parse
from studio.ml.gp.model import Model
from studio.ml.gp.threads import one_blas_thread

SIZES = {"Mauna Loa CO2": 521, "Sunspots": 309, "Nile": 100, "El Nino": 732, "Diabetes": 442}


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_each_has_its_points_and_a_kernel_that_fits_better_than_noise(dataset: Dataset) -> None:
    data = dataset.load()
    assert len(data) == SIZES[dataset.name]
    posterior = Posterior.of(Model(parse(dataset.kernel)), data)
    noise = Posterior.of(Model(parse("Constant"), float(data.y.var())), data)
    assert posterior.evidence.total > noise.evidence.total
    assert posterior.factor.jitter == 0


def test_known_values() -> None:
    """The first month of the record is March 1958 at 316.1 ppm; the year of most sunspots in it is 1957 with 190.2."""
    carbon, spots = co2(), sunspots()
    assert carbon.x[0, 0] == pytest.approx(1958 + 3 / 12)
    assert carbon.y[0] - carbon.y[1] == pytest.approx(316.1 - 317.2, abs=1e-9)
    assert spots.x[np.argmax(spots.y), 0] == 1957


def test_linear_algebra_is_kept_to_one_thread() -> None:
    one_blas_thread()
    one_blas_thread()
    assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}
