"""Dabs, inks and strokes against geometry and an independent "over"."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from studio.ui.canvas.brush import Brush, Point, Pressure, along, dab, stamp
from studio.ui.canvas.ink import ColourInk, Erase, MaskInk, over
from studio.ui.canvas.stroke import Stroke

RNG = np.random.default_rng(0)


def stroke_on(raster: np.ndarray, ink, brush: Brush, patches: list | None = None) -> Stroke:
    coverage = RNG.integers(0, 256, raster.shape[:2], dtype=np.uint8)  # what others left there must not matter
    return Stroke(raster, coverage, ink, brush, lambda boxes: None, (patches if patches is not None else []).append)


@pytest.mark.parametrize("diameter", [3.0, 10.0, 41.5, 200.0])
def test_a_hard_dab_has_the_area_of_its_circle(diameter: float) -> None:
    area = stamp(diameter, 1.0).sum() / 255
    assert area == pytest.approx(math.pi * diameter**2 / 4, rel=0.02, abs=0.3)


def test_the_smallest_dab_is_one_pixel() -> None:
    made = dab(Brush(diameter=1.0), Point(7.2, 3.9))
    assert made.coverage.sum() == 255
    row, column = np.argwhere(made.coverage)[0]
    assert (made.left + column, made.top + row) == (7, 3)


def test_a_soft_dab_is_full_inside_its_hardness_and_falls_steadily() -> None:
    profile = stamp(100.0, 0.4)[51, 51:].astype(int)  # from the middle outwards
    assert (profile[:20] == 255).all() and profile[51] == 0
    assert (np.diff(profile) <= 0).all() and profile[35] == pytest.approx(255 / 2, abs=3)  # smoothstep's half way


@pytest.mark.parametrize("offset", [0.0, 0.3, 0.6, 0.9])
def test_a_small_dab_lies_within_an_eighth_of_a_pixel(offset: float) -> None:
    made = dab(Brush(diameter=12.0, hardness=0.5), Point(20 + offset, 30.0))
    weights = made.coverage.astype(float)
    centre = (weights.sum(axis=0) * (made.left + np.arange(weights.shape[1]) + 0.5)).sum() / weights.sum()
    assert abs(centre - (20 + offset)) <= 0.13


def test_pressure_changes_what_the_brush_says() -> None:
    light = Point(50, 50, 0.5)
    assert dab(Brush(40, 1.0), light).coverage.sum() == pytest.approx(255 * math.pi * 10**2, rel=0.05)
    faint = dab(Brush(40, 1.0, pressure=Pressure.OPACITY), light).coverage
    assert faint.max() == 128 and faint.shape == dab(Brush(40, 1.0), Point(50, 50)).coverage.shape
    assert np.array_equal(dab(Brush(40, 1.0, pressure=Pressure.NOTHING), light).coverage, dab(Brush(40, 1.0), Point(50, 50)).coverage)


def test_dabs_lie_evenly_and_end_where_the_line_ends() -> None:
    points = list(along(Point(0, 0, 0.0), Point(100, 50, 1.0), Brush(20), (200, 200)))
    steps = {round(math.hypot(b.x - a.x, b.y - a.y), 6) for a, b in zip(points, points[1:], strict=False)}
    assert len(steps) == 1 and max(steps) <= 2.0 and points[-1] == Point(100, 50, 1.0)
    assert points[len(points) // 2].pressure == pytest.approx(0.5, abs=0.02)


def test_a_jump_from_far_outside_costs_nothing() -> None:
    brush, size = Brush(10), (100, 100)
    across = list(along(Point(-1e7, 50), Point(1e7, 50), brush, size))
    assert 100 <= len(across) <= 130 and all(-20 < point.x < 120 for point in across)
    assert not list(along(Point(-1e7, 500), Point(1e7, 500), brush, size))


def test_a_stroke_is_a_band_of_its_brush() -> None:
    raster = np.zeros((300, 400), np.uint8)
    stroke = stroke_on(raster, MaskInk(), Brush(40, 1.0))
    for x, y in ((50, 150), (180, 150), (350, 150)):
        stroke.to(Point(x, y))
    assert raster.sum() / 255 == pytest.approx(300 * 40 + math.pi * 20**2, rel=0.01)


def test_opacity_holds_for_the_whole_stroke() -> None:
    raster = np.full((200, 200), 100, np.uint8)
    stroke = stroke_on(raster, MaskInk(), Brush(30, 1.0, opacity=0.5))
    for _ in range(5):
        stroke.to(Point(40, 100))
        stroke.to(Point(160, 100))
    assert set(np.unique(raster[95:105, 60:140])) == {178}  # 100 + 155 / 2
    stroke.finish()
    second = stroke_on(raster, MaskInk(), Brush(30, 1.0, opacity=0.5))
    second.to(Point(100, 100))
    assert raster[100, 100] == 217  # the next stroke adds


def test_a_stroke_leaves_and_comes_back() -> None:
    raster = np.zeros((100, 100), np.uint8)
    stroke = stroke_on(raster, MaskInk(), Brush(10, 1.0))
    for x, y in ((50, 50), (150, 50), (150, 80), (50, 80), (-40, 80), (-40, 20), (20, 20)):
        stroke.to(Point(x, y))
    assert raster[50, 99] == raster[80, 99] == raster[80, 0] == raster[20, 0] == 255  # painted up to the very edge
    assert raster[65, 99] == 0 and raster[50, 20] == 0


def test_a_stroke_can_be_taken_back_and_knows_what_it_changed() -> None:
    before = RNG.integers(0, 256, (300, 300, 4), dtype=np.uint8)
    raster, patches = before.copy(), []
    stroke = stroke_on(raster, ColourInk(10, 20, 30), Brush(50), patches)
    stroke.to(Point(10, 10))
    stroke.to(Point(290, 200))
    stroke.restart()
    assert np.array_equal(raster, before)
    stroke.to(Point(200, 200))
    stroke.finish()
    painted = raster.copy()
    patches[0].swap(raster)
    assert np.array_equal(raster, before)
    patches[0].swap(raster)
    assert np.array_equal(raster, painted) and not np.array_equal(painted, before)


def test_over_agrees_with_pillow() -> None:
    below = RNG.integers(0, 256, (64, 64, 4), dtype=np.uint8)
    alpha = RNG.integers(0, 256, (64, 64), dtype=np.uint8)
    top = np.dstack([np.full((64, 64), value, np.uint8) for value in (200, 40, 90)] + [alpha])
    expected = np.asarray(Image.alpha_composite(Image.fromarray(below), Image.fromarray(top))).astype(int)
    assert np.abs(over(below, np.array([200, 40, 90], np.uint8), alpha).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("ink", [ColourInk(1, 2, 3), Erase()])
def test_pixels_without_coverage_stay_equal_to_the_bit(ink) -> None:
    before = RNG.integers(0, 256, (32, 32, 4), dtype=np.uint8)
    for below in (before, before * np.array([1, 1, 1, 0], np.uint8)):
        out = np.empty_like(below)
        coverage = np.zeros((32, 32), np.uint8)
        coverage[:, 16:] = 77
        ink.lay(out, below, coverage)
        assert np.array_equal(out[:, :16], below[:, :16])


def test_inks_at_full_and_half_coverage() -> None:
    empty = np.zeros((1, 2, 4), np.uint8)
    out = np.empty_like(empty)
    ColourInk(9, 8, 7).lay(out, empty, np.array([[255, 100]], np.uint8))
    assert out.tolist() == [[[9, 8, 7, 255], [9, 8, 7, 100]]]
    Erase().lay(out, np.array([[[9, 8, 7, 200], [9, 8, 7, 200]]], np.uint8), np.array([[255, 51]], np.uint8))
    assert out.tolist() == [[[9, 8, 7, 0], [9, 8, 7, 160]]]


@pytest.mark.parametrize("value", [0, 255])
def test_the_mask_ink_rounds_like_real_arithmetic(value: int) -> None:
    before, coverage = (grid.astype(np.uint8) for grid in np.mgrid[:256, :256])
    out = np.empty_like(before)
    MaskInk(value).lay(out, before, coverage)
    exact = (before.astype(float) * (255 - coverage.astype(float)) + value * coverage.astype(float)) / 255
    assert np.abs(out - exact).max() <= 0.5 + 1e-9
