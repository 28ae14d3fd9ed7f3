"""A dragged point: every move equals the full recomputation."""

from __future__ import annotations

import numpy as np
import pytest

from studio.ml.gp.dragging import Dragging
from studio.ml.gp.errors import BadData
from studio.ml.gp.exact import Posterior
from studio.ml.gp.grammar import parse
from studio.ml.gp.mean import LinearMean
from studio.ml.gp.model import Data, Model, points

GRID = points(np.linspace(-1, 11, 50))
EXACT = 7e-13


def scene(n: int) -> Data:
    rng = np.random.default_rng(n)
    x = rng.uniform(0, 10, n)
    return Data.of(x, np.sin(x), rng.uniform(0.01, 0.1, n))


@pytest.mark.parametrize("text", ["1.2*RBF(0.4)", "Matern32 + White(0.1)", "0.5*Periodic(2)*Linear + Matern12"])
@pytest.mark.parametrize("n", [1, 2, 50, 400])
def test_a_move_is_the_full_recomputation(n: int, text: str) -> None:
    data, model, index = scene(n), Model(parse(text), 0.02, LinearMean(0.1, (0.2,))), n // 2
    dragging = Dragging.of(model, data, index, GRID)
    for x, y, noise in ((3.3, 1.0, None), (-0.5, -2.0, 0.3), (float(data.x[0, 0]), 0.4, 0.0)):
        moved = dragging.move(x, y, noise)
        xs, ys, noises = data.x.copy(), data.y.copy(), data.noise.copy()
        xs[index], ys[index] = x, y
        noises[index] = noises[index] if noise is None else noise
        full = Posterior.of(model, Data.of(xs, ys, noises))
        prediction, evidence, left = full.predict(GRID), full.evidence, full.leave_one_out()
        np.testing.assert_allclose(moved.mean, prediction.mean, atol=EXACT * max(1, np.abs(prediction.mean).max()))
        np.testing.assert_allclose(moved.variance, prediction.variance, atol=EXACT * prediction.variance.max())
        np.testing.assert_allclose(moved.evidence, evidence, rtol=EXACT, atol=1e-11)
        ours = dragging.leave_one_out(moved, y)
        np.testing.assert_allclose(ours.mean, left.mean, atol=1e-11 * max(1, np.abs(left.mean).max()))
        np.testing.assert_allclose(ours.variance, left.variance, rtol=1e-10)
        np.testing.assert_allclose(ours.log_density, left.log_density, rtol=1e-9, atol=1e-9)


def test_onto_another_point_without_noise_takes_a_jitter_that_is_told() -> None:
    data = Data.of([0.0, 1.0, 2.0], [0.0, 1.0, 0.0])
    dragging = Dragging.of(Model(parse("RBF")), data, 0, GRID)
    assert dragging.move(3.0, 0.0).jitter == 0
    moved = dragging.move(1.0, 1.5)
    assert 0 < moved.jitter < 1e-10
    assert np.isfinite(moved.mean).all()
    assert (moved.variance >= 0).all()


def test_two_inputs() -> None:
    x = np.random.default_rng(0).normal(size=(10, 2))
    data, model = Data.of(x, x[:, 0]), Model(parse("RBF([1, 2])"), 0.1)
    grid = points(np.random.default_rng(1).normal(size=(6, 2)))
    moved = Dragging.of(model, data, 9, grid).move([0.3, 0.4], 2.0)
    x[9] = 0.3, 0.4
    full = Posterior.of(model, Data.of(x, [*data.y[:9], 2.0])).predict(grid)
    np.testing.assert_allclose(moved.mean, full.mean, atol=EXACT)


def test_bad_moves_are_refused() -> None:
    dragging = Dragging.of(Model(parse("RBF"), 0.1), scene(3), 0, GRID)
    for x, y in ((np.nan, 0.0), (0.0, np.inf), ([0.0, 1.0], 0.0)):
        with pytest.raises(BadData, match="1 finite coordinates"):
            dragging.move(x, y)
    with pytest.raises(BadData, match="no point 4: there are 3"):
        Dragging.of(dragging.others.model, scene(3), 3, GRID)
