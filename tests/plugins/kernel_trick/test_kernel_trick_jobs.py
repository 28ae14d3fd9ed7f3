"""What follows from points and a kernel: boundary, Gram matrices, lift, errors of random features, script."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel
from studio.engine import run_inline
from studio.host.request import RequestError
from studio.ml.linear.kernels import Kernel, Monomial, monomials
from studio_plugins.kernel_trick import demo, jobs
from studio_plugins.kernel_trick.request import EDGE, MAX_POINTS, KernelTrickRequest
from studio_plugins.kernel_trick.script import script
from studio_plugins.kernel_trick.words import feature_words, monomial_words

RINGS = KernelTrickRequest(points=demo.example("circles"), gamma=1.5, cost=10.0)


def look(request=RINGS, **order):
    return run_inline(jobs.look, jobs.Order(request, **order))


def test_the_gram_matrix_of_a_polynomial_is_the_same_two_ways():
    found = look(RINGS.replace(kernel="polynomial", degree=3))
    assert found.grams.count == 10 and np.abs(found.grams.difference).max() < 1e-12
    assert feature_words(found.monomials[:3]) == "(1, √3 x₁, √3 x₂)"


def test_the_gram_matrix_of_the_gaussian_is_approached():
    found = look(RINGS.replace(count=4096))
    assert found.grams.exact == pytest.approx(rbf_kernel(found.points, gamma=1.5), abs=1e-12)
    assert 0 < np.abs(found.grams.difference).max() < 0.1
    assert np.abs(look(RINGS.replace(count=8)).grams.difference).max() > 0.3


def test_the_field_holds_the_boundary_all_over_the_plot():
    found = look()
    axis = np.linspace(-EDGE, EDGE, jobs.FINE)
    assert found.field.shape == (jobs.FINE, jobs.FINE)
    assert found.field[30, 90] == pytest.approx(found.boundary.at(np.array([[axis[30], axis[90]]]))[0])
    assert look(moving=True).field.shape == (jobs.COARSE, jobs.COARSE)
    assert found.boundary.wrong == 0


def test_the_lift_has_a_plane_that_separates_the_rings():
    lifted = look(page="lift").lifted
    normal, offset = lifted.plane
    labels = np.array([dot[2] for dot in RINGS.points])
    assert lifted.wrong == 0 and ((lifted.points @ normal + offset > 0) == (labels == 1)).all()
    # Seen from above the plane is the circle x₁² + x₂² + … = const.
    axis = np.linspace(-EDGE, EDGE, jobs.FINE)
    x, y = axis[20], axis[70]
    assert lifted.field[20, 70] == pytest.approx(normal @ [x, y, x * x + y * y] + offset)
    assert look(page="gram").lifted is None


@pytest.mark.parametrize(("lift", "kernel"), [("quadratic", "rbf"), ("principal", "polynomial"), ("principal", "rbf")])
def test_other_lifts_are_there(lift, kernel):
    found = look(RINGS.replace(lift=lift, kernel=kernel), page="lift").lifted
    assert found.points.shape == (60, 3) and np.isfinite(found.mesh).all()
    assert found.wrong == 0 or lift == "principal"  # three axes of a kernel's space need not be those that separate
    assert found.wrong < 30


def test_the_errors_of_random_features_are_measured():
    found = look(page="fourier").errors
    assert found.errors.shape == (jobs.DRAWS, len(jobs.COUNTS))
    assert np.sqrt(np.square(found.errors).mean(axis=0)) == pytest.approx(found.expected, rel=0.35)


@pytest.mark.parametrize(
    "points", [(), ((0.0, 0.0, 0),), ((0.0, 0.0, 0), (0.1, 0.0, 0)), ((0.0, 0.0, 1), (0.0, 0.0, 0))]
)
@pytest.mark.parametrize("page", ["lift", "gram", "fourier"])
@pytest.mark.parametrize("kernel", ["rbf", "polynomial", "linear"])
def test_few_points_make_no_trouble(points, page, kernel):
    request = KernelTrickRequest(points=points, kernel=kernel, lift="principal")
    found = look(request, page=page)
    classes = {dot[2] for dot in points}
    assert (found.boundary is None) == (len(classes) < 2) == bool(found.problem)
    assert found.grams.exact.shape == (len(points), len(points))


@pytest.mark.parametrize(
    "fields",
    [
        {"points": ((9.0, 0.0, 0),)},
        {"points": ((0.0, 0.0, 2),)},
        {"points": ((0.0, 0.0, 0),) * (MAX_POINTS + 1)},
        {"points": ((float("nan"), 0.0, 0),)},
        {"gamma": 0.0},
        {"degree": 9},
    ],
)
def test_requests_that_make_no_sense_are_refused(fields):
    with pytest.raises(RequestError):
        KernelTrickRequest.checked(**fields)


def test_a_request_survives_json_and_pairs_its_features():
    request = RINGS.replace(count=7)
    assert request.count == 8 and KernelTrickRequest.from_json(request.to_json()) == request


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"kernel": "polynomial", "degree": 3},
        {"kernel": "linear", "machine": "ridge"},
        {"machine": "ridge", "ridge": 0.5},
    ],
)
def test_the_script_prints_the_same_numbers(fields):
    found = look(RINGS.replace(**fields))
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile(script(found), "script.py", "exec"), {"__name__": "__main__"})
    lines = told.getvalue().splitlines()
    assert float(lines[0].split()[-1]) == pytest.approx(np.abs(found.grams.difference).max(), rel=1e-6, abs=1e-12)
    assert f"wrong: {found.boundary.wrong} of 60" in lines
    assert float(lines[-1].split()[-1]) == pytest.approx(found.boundary.norm, rel=1e-4)


def test_monomials_are_written_as_in_a_textbook():
    listed = [monomial_words(m) for m in monomials(Kernel("polynomial", degree=2, offset=1.0), 2)]
    assert listed == ["1", "√2 x₁", "√2 x₂", "x₁²", "√2 x₁x₂", "x₂²"]
    assert monomial_words(Monomial((3, 0), 2.0)) == "2 x₁³" and monomial_words(Monomial((1, 0), 1.1)) == "1.1 x₁"


def test_a_drag_of_sixty_points_is_quick():
    import time

    look(moving=True)
    begin = time.process_time()
    for _ in range(10):
        look(moving=True, page="lift")
    assert (time.process_time() - begin) / 10 < 0.1  # on an idle machine some 10 ms
