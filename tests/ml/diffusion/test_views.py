"""What a network is shown: the region as it is, nothing of the hole, and what will be pasted of what it draws."""

from __future__ import annotations

import numpy as np
import pytest

from studio.ml.diffusion.regions import Margins, RegionError
from studio.ml.diffusion.views import look

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (90, 130, 3), np.uint8)


def selected(shape, rows, columns, value=255):
    selection = np.zeros(shape[:2], np.uint8)
    selection[rows, columns] = value
    return selection


SELECTION = selected(PHOTO.shape, slice(40, 50), slice(60, 72))


def test_at_its_own_size_the_picture_s_pixels_are_shown_and_the_hole_is_grey():
    view = look(PHOTO, SELECTION, 32)
    region = view.region
    assert region.factor == 1 and (view.picture == PHOTO[region.inside(PHOTO.shape)]).all()
    assert view.truth is view.picture and view.known.all() and view.size == 32 and not view.all_drawn
    inside = region.cut(SELECTION) > 0
    assert view.drawn[inside].all() and (view.composite[inside] == 255).all()
    assert (view.masked[view.drawn] == 128).all() and (view.masked[view.keep] == view.picture[view.keep]).all()
    assert view.ring.any() and not (view.ring & inside).any() and (view.ring | ~view.drawn | inside).all()
    assert not view.composite[~view.drawn].any()


def test_a_large_selection_is_scaled_to_the_network():
    view = look(PHOTO, selected(PHOTO.shape, slice(10, 80), slice(30, 100)), 16)
    assert view.region.side > 70 and view.picture.shape == (16, 16, 3)
    assert view.composite.shape == (view.region.side,) * 2
    means = [PHOTO.mean(), view.picture.mean()]
    assert abs(means[0] - means[1]) < 3


def test_a_second_stage_makes_the_region_larger_than_what_the_network_sees():
    view = look(PHOTO, SELECTION, 16, native=64)
    assert (view.region.side, view.region.size, view.size, view.picture.shape) == (64, 64, 16, (16, 16, 3))
    blocks = PHOTO[view.region.inside(PHOTO.shape)].reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    assert np.abs(view.picture - blocks).max() <= 1


def test_the_whole_picture_goes_on_as_its_edge():
    view = look(PHOTO, SELECTION, 130, whole=True)
    assert (view.region.side, view.region.left, view.region.top) == (130, 0, -20)
    assert (view.picture[0] == PHOTO[0]).all() and (view.picture[20:110] == PHOTO).all()


def test_paint_hints_are_shown_and_the_truth_stays():
    hints = np.zeros((90, 130, 4), np.uint8)
    hints[42:48, 62:70] = 255, 0, 0, 255
    view = look(PHOTO, SELECTION, 32, hints=hints)
    painted = view.region.cut(hints)[..., 3] > 0
    assert (view.picture[painted] == (255, 0, 0)).all() and (view.picture[~painted] == view.truth[~painted]).all()
    assert (view.truth == PHOTO[view.region.inside(PHOTO.shape)]).all()
    with pytest.raises(RegionError, match="paint hints"):
        look(PHOTO, SELECTION, 32, hints=hints[..., :3])


def test_what_is_transparent_is_white_and_no_truth():
    rgba = np.dstack([PHOTO, np.full((90, 130), 255, np.uint8)])
    rgba[:, 65:, 3] = 0
    view = look(rgba, selected(PHOTO.shape, slice(None), slice(65, None)), 130)
    column = 65 - view.region.left
    assert view.known[:, :column].all() and not view.known[:, column:].any()
    assert (view.picture[:, column:] == 255).all()


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 3), (7, 5, 4)])
def test_pictures_smaller_than_the_network_are_enlarged(shape):
    picture = np.full(shape, 90, np.uint8)
    view = look(picture, np.full(shape[:2], 255, np.uint8), 16)
    assert view.all_drawn and view.picture.shape == (16, 16, 3) and view.region.side <= max(shape)
    assert not view.ring.any()


def test_no_margin_at_all_pastes_the_selection_alone():
    view = look(PHOTO, SELECTION, 32, margins=Margins(0.5, 0, 0, 0, 0))
    chosen = view.region.cut(SELECTION)
    assert (view.composite == chosen).all() and (view.drawn == (chosen > 0)).all() and not view.ring.any()


def test_of_a_huge_picture_only_the_region_is_worked_on():
    """12,000 x 12,000 pixels are 432 MB; a tenth of that is more than a region of them takes."""
    import tracemalloc

    picture = np.broadcast_to(np.uint8(7), (12_000, 12_000, 3))
    selection = selected((12_000, 12_000), slice(6000, 6200), slice(3000, 3300))
    tracemalloc.start()
    try:
        view = look(picture, selection, 32)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert view.region.side < 600 and peak < 40e6
