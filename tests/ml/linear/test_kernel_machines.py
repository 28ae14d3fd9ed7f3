"""Boundaries against scikit-learn's own kernels and closed forms; clouds and lifts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC
from studio.ml.linear.clouds import cloud
from studio.ml.linear.kernels import Kernel
from studio.ml.linear.lifts import Lift, plane_between
from studio.ml.linear.machines import UnfitPoints, fit

CLOUDS = ("circles", "moons", "corners", "blobs", "spirals", "island")


@pytest.mark.parametrize("name", CLOUDS)
def test_clouds_have_two_even_classes_within_sight(name):
    points, labels = cloud(name, 80, 0.05, seed=2)
    assert points.shape == (80, 2) and labels.sum() == 40 and np.abs(points).max() < 2.2
    again, _ = cloud(name, 80, 0.05, seed=2)
    assert (again == points).all()
    straight = fit("svm", Kernel("linear"), points, labels, softness=10.0)
    curved = fit("svm", Kernel("rbf", gamma=3.0), points, labels, softness=100.0)
    assert curved.wrong <= 1 and (straight.wrong > 3 or name == "blobs")


@pytest.mark.parametrize(
    "kernel", [Kernel("linear"), Kernel("polynomial", degree=3, offset=1.0), Kernel("rbf", gamma=1.5)]
)
def test_the_machine_is_scikit_learns(kernel):
    points, labels = cloud("moons", 50, 0.25, seed=1)
    found = fit("svm", kernel, points, labels, softness=2.0)
    theirs = {"linear": "linear", "polynomial": "poly", "rbf": "rbf"}[kernel.name]
    gamma = kernel.gamma if kernel.name == "rbf" else 1.0
    reference = SVC(C=2.0, kernel=theirs, degree=kernel.degree, gamma=gamma, coef0=kernel.offset, tol=1e-8)
    reference.fit(points, labels)
    grid = np.random.default_rng(0).uniform(-2, 2, (30, 2))
    assert found.at(grid) == pytest.approx(reference.decision_function(grid), abs=1e-4)
    assert found.support.tolist() == sorted(reference.support_.tolist())
    assert found.at(points) == pytest.approx(found.values)


def test_the_margin_of_two_points_is_their_distance():
    points, labels = np.array([[0.0, 0.0], [0.6, 0.8]]), np.array([0, 1])
    found = fit("svm", Kernel("linear"), points, labels, softness=1e6)
    assert found.margin == pytest.approx(1.0) and found.values == pytest.approx([-1, 1]) and found.wrong == 0
    assert found.at(np.array([[0.3, 0.4]])) == pytest.approx([0], abs=1e-6)


def test_support_vectors_are_those_on_or_inside_the_street():
    points, labels = cloud("blobs", 60, 0.3, seed=0)
    found = fit("svm", Kernel("linear"), points, labels, softness=1.0)
    signed = (2 * labels - 1) * found.values
    assert (signed[found.support] <= 1 + 1e-4).all()
    outside = np.setdiff1d(np.arange(60), found.support)
    assert len(outside) and (signed[outside] >= 1 - 1e-4).all()
    assert found.inside <= len(found.support) and np.abs(found.dual).max() <= 1 + 1e-12


def test_kernel_ridge_solves_its_linear_system():
    points, labels = cloud("circles", 40, 0.1)
    kernel = Kernel("rbf", gamma=1.0)
    found = fit("ridge", kernel, points, labels, softness=0.3)
    gram = kernel.gram(points, points)
    assert (gram + 0.3 * np.eye(40)) @ found.dual == pytest.approx(2.0 * labels - 1, abs=1e-9)
    assert len(found.support) == 40 and found.intercept == 0
    assert found.norm == pytest.approx(np.sqrt(found.dual @ gram @ found.dual))


@pytest.mark.parametrize("machine", ["svm", "ridge"])
def test_one_class_is_refused_in_words(machine):
    with pytest.raises(UnfitPoints, match="both classes"):
        fit(machine, Kernel("rbf"), np.zeros((3, 2)), np.zeros(3, int), softness=1.0)


def test_equal_points_of_both_classes_are_survived():
    points = np.zeros((4, 2))
    found = fit("svm", Kernel("rbf"), points, np.array([0, 1, 0, 1]), softness=1.0)
    assert np.isfinite(found.values).all() and found.wrong == 2


@pytest.mark.parametrize("name", ["circles", "island"])
def test_rings_become_separable_by_a_plane(name):
    points, labels = cloud(name, 60, 0.03)
    assert fit("svm", Kernel("linear"), points, labels, softness=100.0).wrong > 10
    for lift_name in ("bowl", "quadratic"):
        lifted = Lift.made(lift_name, Kernel("rbf"), points)(points)
        assert plane_between(lifted, labels, 100.0).wrong == 0


def test_the_quadratic_lift_is_the_feature_map_of_the_squared_dot_product():
    points, _ = cloud("moons", 20)
    lifted = Lift.made("quadratic", Kernel(), points)(points)
    assert lifted @ lifted.T == pytest.approx(Kernel("polynomial", degree=2, offset=0.0).gram(points, points))


@pytest.mark.parametrize(
    "kernel", [Kernel("rbf", gamma=1.0), Kernel("polynomial", degree=3, offset=1.0), Kernel("linear")]
)
def test_principal_axes_are_those_of_the_centred_gram_matrix(kernel):
    points, _ = cloud("corners", 30)
    lift = Lift.made("principal", kernel, points)
    lifted = lift(points)
    centre = np.eye(30) - 1 / 30
    eigenvalues = np.sort(np.linalg.eigvalsh(centre @ kernel.gram(points, points) @ centre))[::-1][:3]
    assert np.square(lifted).sum(axis=0) == pytest.approx(np.maximum(eigenvalues, 0), rel=1e-6, abs=1e-9)
    assert lifted.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)
    assert lift(points[:5]) == pytest.approx(lifted[:5], abs=1e-9)


def test_two_points_have_one_axis():
    points = np.array([[0.0, 0.0], [1.0, 1.0]])
    assert Lift.made("principal", Kernel("rbf"), points)(points).shape == (2, 3)
