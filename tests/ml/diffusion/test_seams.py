"""The seam's error and jump, against their definition written out pair by pair, and on seams known beforehand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from studio.ml.diffusion.seams import seam_of


@pytest.fixture
def hole():
    drawn = np.zeros((12, 14), bool)
    drawn[3:8, 4:11] = True
    return drawn


def by_hand(x, drawn, y):
    """(errors, jumps) of all border pairs."""
    x, y = x.astype(float), y.astype(float)
    height, width = drawn.shape
    errors, jumps = [], []
    for r, c in np.argwhere(drawn):
        for dr, dc in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            q = r + dr, c + dc
            if not (0 <= q[0] < height and 0 <= q[1] < width) or drawn[q]:
                continue
            far = (r - dr, c - dc), (r + 2 * dr, c + 2 * dc)
            beyond = [tuple(np.clip(cell, 0, (height - 1, width - 1))) for cell in far]
            p = int(r), int(c)
            errors.append(np.abs((x[p] - x[q]) - (y[p] - y[q])).mean())
            sides = (x[beyond[0]] - x[p]) + (x[q] - x[beyond[1]])
            jumps.append(np.abs((x[p] - x[q]) - sides / 2).mean())
    return errors, jumps


@pytest.mark.parametrize("seed", range(3))
def test_error_and_jump_are_their_definitions(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 256, (2, 9, 8, 3), np.uint8)
    drawn = rng.random((9, 8)) < 0.4
    errors, jumps = by_hand(x, drawn, y)
    seam = seam_of(x, drawn, y)
    assert seam.error == pytest.approx(np.mean(errors), rel=1e-5)
    assert seam.jump == pytest.approx(np.mean(jumps), rel=1e-5)
    assert seam.map.max() == pytest.approx(max(errors), rel=1e-5)


def test_the_true_picture_has_no_error_and_a_shift_has_its_own(hole):
    truth = np.random.default_rng(0).integers(40, 200, (12, 14, 3), np.uint8)
    assert seam_of(truth, hole, truth).error == 0
    shifted = np.where(hole[..., None], truth + np.uint8(17), truth)
    seam = seam_of(shifted, hole, truth)
    assert seam.error == pytest.approx(17, abs=1e-4)
    inner = np.zeros_like(hole)
    inner[4:7, 5:10] = True
    assert np.allclose(seam.map[hole & ~inner], 17)
    assert not seam.map[4:7, 5:10].any() and seam.map[2, 5] == pytest.approx(17, abs=1e-4) and seam.map[2, 3] == 0


def test_an_even_slope_across_the_border_is_no_jump_and_a_step_is(hole):
    columns = np.mgrid[:12, :14][1][..., None].astype(np.uint8)
    slope = np.repeat(9 * columns, 3, axis=2)
    # the border lies two cells and more from the picture's edge, beyond which nothing continues the slope
    assert seam_of(slope, hole).jump == pytest.approx(0, abs=1e-5)
    stepped = np.where(hole[..., None], slope + np.uint8(40), slope)
    seam = seam_of(stepped, hole)
    assert seam.jump == pytest.approx(40, abs=1e-4) and math.isnan(seam.error)
    assert seam.map.max() == pytest.approx(40, abs=1e-4)


def test_where_the_truth_is_unknown_the_map_shows_the_jump(hole):
    truth = np.full((12, 14, 3), 100, np.uint8)
    result = np.where(hole[..., None], np.uint8(120), truth)
    known = np.ones_like(hole)
    known[:, :7] = False
    right = seam_of(result, hole, np.where(known[..., None], truth, np.uint8(0)), known)
    assert right.error == pytest.approx(20) and right.map[5, 4] == pytest.approx(20)


def test_without_a_border_there_are_no_numbers():
    picture = np.zeros((4, 4, 3), np.uint8)
    for drawn in (np.ones((4, 4), bool), np.zeros((4, 4), bool)):
        seam = seam_of(picture, drawn, picture)
        assert math.isnan(seam.error) and math.isnan(seam.jump) and not seam.map.any()
