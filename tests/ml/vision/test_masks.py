"""Mask mathematics against scipy's morphology and convolution, and against what a flood means by a plain search."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from scipy import ndimage

from studio.ml.vision.masks import bounds, feather, flood, grow, invert, shrink

RNG = np.random.default_rng(0)


def blob(height: int = 60, width: int = 70, soft: bool = True) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[10:20, 15:40] = 255
    mask[30:34, 2:6] = 128 if soft else 255
    mask[45:, 50:] = 200 if soft else 255  # reaches two edges
    return mask


def disc(radius: float) -> np.ndarray:
    reach = np.arange(-int(radius), int(radius) + 1)
    return reach[:, None] ** 2 + reach[None] ** 2 <= radius**2


@pytest.mark.parametrize("radius", [1, 2, 2.5, 7, 200])
def test_growing_and_shrinking_are_dilation_and_erosion_by_a_disc(radius: float) -> None:
    mask = blob() if radius < 100 else blob(20, 30)
    assert np.array_equal(grow(mask, radius), ndimage.grey_dilation(mask, footprint=disc(radius), mode="constant", cval=0))
    assert np.array_equal(shrink(mask, radius), ndimage.grey_erosion(mask, footprint=disc(radius), mode="constant", cval=255))


def test_a_selection_at_the_edge_stays_there_when_shrunk() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[:, 10:] = 255
    assert shrink(mask, 3)[:, 13:].all() and not shrink(mask, 3)[:, :13].any()
    everything = np.full((9, 9), 255, np.uint8)
    assert np.array_equal(shrink(everything, 5), everything)


@pytest.mark.parametrize("sigma", [0.7, 3, 8, 8.5, 12, 13, 20, 40])
def test_feathering_is_a_gaussian(sigma: float) -> None:
    mask = np.zeros((150, 333), np.uint8)
    mask[40:100, 60:200] = 255
    mask[:31, 280:] = 255
    exact = ndimage.gaussian_filter(mask.astype(np.float64), sigma, mode="nearest", truncate=8)
    tolerance = 0.7 if sigma <= 8 else 1.0  # rounding and the tail; averaging first
    assert np.abs(feather(mask, sigma) - exact).max() <= tolerance


def test_feathering_changes_nothing_that_is_everything_or_nothing() -> None:
    for value in (0, 255):
        whole = np.full((40, 30), value, np.uint8)
        assert np.array_equal(feather(whole, 20), whole) and np.array_equal(feather(whole, 2), whole)


def search(picture: np.ndarray, seed: tuple[int, int], tolerance: int) -> np.ndarray:
    """A flood pixel by pixel."""
    x, y = seed
    wanted = picture[y, x].astype(int)
    found, ahead = np.zeros(picture.shape[:2], np.uint8), deque([(y, x)])
    while ahead:
        row, column = ahead.popleft()
        inside = 0 <= row < found.shape[0] and 0 <= column < found.shape[1]
        if not inside or found[row, column] or np.abs(picture[row, column] - wanted).max() > tolerance:
            continue
        found[row, column] = 255
        ahead.extend([(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)])
    return found


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("tolerance", [0, 20, 255])
def test_a_flood_reaches_what_a_search_reaches(channels: int, tolerance: int) -> None:
    picture = RNG.choice(np.array([100, 110, 180], np.uint8), (20, 25, channels), p=(0.6, 0.3, 0.1))
    assert np.array_equal(flood(picture, (12, 8), tolerance), search(picture, (12, 8), tolerance))


def test_a_flood_of_everything_alike_crosses_gaps() -> None:
    picture = np.zeros((4, 9, 3), np.uint8)
    picture[:, 4] = 200
    assert flood(picture, (0, 0), 5, contiguous=True)[:, :4].all() and not flood(picture, (0, 0), 5)[:, 4:].any()
    assert flood(picture, (0, 0), 5, contiguous=False)[:, 5:].all()


def test_transparent_pixels_are_alike_whatever_colour_hides_in_them() -> None:
    picture = RNG.integers(0, 255, (6, 6, 4), dtype=np.uint8)
    picture[..., 3] = 0
    picture[3, 3, 3] = 255
    filled = flood(picture, (0, 0), 10)
    assert filled[3, 3] == 0 and np.count_nonzero(filled) == 35


def test_bounds_and_inversion() -> None:
    mask = np.zeros((10, 12), np.uint8)
    assert bounds(mask) is None
    mask[2, 3] = mask[6, 9] = 1
    assert bounds(mask) == (3, 2, 10, 7)
    assert np.array_equal(invert(invert(blob())), blob()) and invert(mask)[2, 3] == 254


def test_nothing_is_changed_in_place() -> None:
    mask = blob()
    mask.setflags(write=False)
    for result in (grow(mask, 4), grow(mask, 0), shrink(mask, 4), feather(mask, 3), feather(mask, 0), invert(mask)):
        assert result.flags.writeable and result.shape == mask.shape and result.dtype == np.uint8


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1)])
def test_the_smallest_masks(shape: tuple[int, int]) -> None:
    mask = np.full(shape, 255, np.uint8)
    for result in (grow(mask, 9), shrink(mask, 9), feather(mask, 30), feather(mask, 3)):
        assert np.array_equal(result, mask)


@pytest.mark.parametrize("call", [
    lambda: grow(np.zeros((3, 3)), 1), lambda: grow(np.zeros((3, 3, 1), np.uint8), 1),
    lambda: grow(np.zeros((3, 3), np.uint8), -1), lambda: feather(np.zeros((3, 3), np.uint8), float("nan")),
    lambda: flood(np.zeros((3, 3), np.uint8), (0, 0), 0), lambda: flood(np.zeros((3, 3, 3), np.uint8), (3, 0), 0),
])  # fmt: skip
def test_what_cannot_be_done_is_refused_in_words(call) -> None:
    with pytest.raises(ValueError, match=r"a mask is|no distance|a picture is|outside the picture"):
        call()
