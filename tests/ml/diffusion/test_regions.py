"""Regions and masks: where a network looks, at which size, what it draws and what of it is pasted."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.ml.diffusion.regions import (
    ABOUT,
    LEAST,
    Margins,
    Region,
    RegionError,
    check,
    composite_mask,
    denoise_mask,
    diagonal,
    drawn_cells,
    flat,
    region_of,
    resampled,
)
from studio.ml.vision.masks import bounds

BARE = Margins(0, 0, 0, 0, 0)


def box_of(height, width, left, top, right, bottom):
    selection = np.zeros((height, width), np.uint8)
    selection[top:bottom, left:right] = 255
    return selection


@st.composite
def selections(draw):
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return box_of(height, width, left, top, draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height)))


@given(selections(), st.integers(1, 64), st.floats(0, 2), st.booleans())
def test_a_region_holds_the_selection_and_lies_on_the_picture_where_it_fits(selection, size, padding, whole):
    region = region_of(selection, size, Margins(padding=padding), whole=whole)
    left, top, right, bottom = bounds(selection)
    height, width = selection.shape
    assert region.left <= left and region.top <= top
    assert region.left + region.side >= right and region.top + region.side >= bottom
    for start, length in ((region.left, width), (region.top, height)):
        if region.side <= length:
            assert 0 <= start <= length - region.side
        else:
            assert start <= 0 and start + region.side >= length
    assert min(size, height, width) <= region.side <= max(height, width)
    assert region.side == max(height, width) or not whole


@given(selections(), st.integers(1, 64))
def test_what_is_cut_is_the_picture_and_beyond_it_its_edge(selection, size):
    region = region_of(selection, size, Margins(padding=0.5))
    height, width = selection.shape
    rows = np.clip(np.arange(region.top, region.top + region.side), 0, height - 1)
    columns = np.clip(np.arange(region.left, region.left + region.side), 0, width - 1)
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    assert (region.cut(picture) == picture[np.ix_(rows, columns)]).all()
    assert (region.cut(picture)[region.within(picture.shape)] == picture[region.inside(picture.shape)]).all()


def test_a_small_selection_in_a_photo_keeps_the_photo_s_own_pixels():
    region = region_of(box_of(300, 400, 190, 100, 210, 120), 64)
    assert region == Region(168, 78, 64, 64) and region.factor == 1


def test_a_square_about_the_network_s_size_gives_up_padding_rather_than_be_resampled():
    selection = box_of(300, 300, 100, 100, 150, 150)
    reach = Margins().reach(diagonal(selection))
    assert 64 < 50 + 2 * reach <= ABOUT * 72
    assert region_of(selection, 72).side == 72
    assert region_of(selection, 50 + 2 * LEAST["padding"] - 1).side == math.ceil(50 + 2 * reach)


def test_sizes_follow_the_selection_and_have_a_least_that_nothing_overrides_but_none():
    margins = Margins(grow=0.1, blend=0.0)
    assert margins.pixels("grow", 500) == 50 and margins.pixels("grow", 5) == LEAST["grow"]
    assert margins.pixels("grow", 5, factor=8) == 8 * LEAST["grow"] and margins.pixels("blend", 500) == 0


@given(selections(), st.floats(0, 8), st.floats(0, 3), st.floats(0, 8))
def test_both_masks_are_opaque_inside_the_selection_and_nothing_far_from_it(selection, grow, softness, blend):
    drawn, pasted = denoise_mask(selection, grow, softness), composite_mask(selection, grow, blend)
    inside = selection == 255
    assert (drawn[inside] == 255).all() and (pasted[inside] == 255).all()
    left, top, right, bottom = bounds(selection)
    rows, columns = np.mgrid[: selection.shape[0], : selection.shape[1]]
    away = np.maximum(np.maximum(left - columns, columns - right + 1), np.maximum(top - rows, rows - bottom + 1))
    assert not drawn[away > grow + 3.5 * softness + 1].any() and not pasted[away > grow + 3.5 * blend / 4 + 1].any()


def test_a_faint_selection_is_drawn_whole_and_pasted_faintly():
    selection = box_of(20, 20, 5, 5, 15, 15) // 5
    assert (denoise_mask(selection, 0, 0)[5:15, 5:15] == 255).all()
    assert (composite_mask(selection, 0, 0) == selection).all()


def test_the_drawn_part_is_the_selection_dilated_by_a_disc():
    selection = np.zeros((31, 31), np.uint8)
    selection[15, 15] = 1
    rows, columns = np.mgrid[-15:16, -15:16]
    for radius in (1, 2.5, 7):
        assert ((denoise_mask(selection, radius, 0) == 255) == (rows**2 + columns**2 <= radius**2)).all()


def test_the_seam_is_the_edge_of_a_gaussian_of_a_quarter_of_its_width():
    """Against the error function at the centres of pixels; the edge lies between two of them: 2 levels."""
    selection = box_of(5, 200, 0, 0, 100, 5)
    profile = composite_mask(selection, 20, 24)[2].astype(float)
    x = np.arange(200) + 0.5 - 120
    wanted = [255 * 0.5 * (1 - math.erf(v / 6 / math.sqrt(2))) for v in x]
    assert np.abs(profile - wanted)[100:].max() <= 2 and (profile[:100] == 255).all()


@given(st.integers(1, 25), st.integers(1, 25), st.integers(0, 10**6))
def test_a_cell_is_drawn_where_any_pixel_it_covers_is(side, size, seed):
    mask = (np.random.default_rng(seed).random((side, side)) < 0.05).astype(np.uint8) * 255
    covers = [
        [j for j in range(side) if Fraction(i * side, size) < j + 1 and j < Fraction((i + 1) * side, size)]
        for i in range(size)
    ]
    wanted = [[bool(mask[np.ix_(rows, columns)].any()) for columns in covers] for rows in covers]
    assert (drawn_cells(mask, size) == wanted).all()


def test_a_network_without_soft_masks_takes_them_from_one_half_on():
    mask = np.array([[127, 128], [0, 255]], np.uint8)
    assert (drawn_cells(mask, 2) == [[False, True], [False, True]]).all()


def test_a_large_selection_has_the_masks_of_a_small_one_enlarged():
    """Above 1024 pixels the masks are made at that size: nowhere off by more than their edge moved by two pixels."""
    rows, columns = np.mgrid[:1500, :1500]
    away = np.hypot(rows - 700, columns - 800) - 400
    mask = composite_mask(np.where(away <= 0, np.uint8(255), np.uint8(0)), 60, 80)
    sample, edge = mask[::50].ravel(), (away - 60)[::50].ravel()
    for moved, sign in ((-2.5, 1), (2.5, -1)):
        wanted = [255 * 0.5 * (1 - math.erf((v + moved) / 20 / math.sqrt(2))) for v in edge]
        assert (sign * (wanted - sample) >= -4).all()


def test_sampling_down_takes_means_and_up_keeps_what_is_even():
    pixels = np.random.default_rng(1).integers(0, 256, (12, 12, 3), np.uint8)
    means = pixels.reshape(4, 3, 4, 3, 3).mean(axis=(1, 3))
    assert np.abs(resampled(pixels, 4) - means).max() <= 1  # rounded twice: along the rows, then along the columns
    assert resampled(pixels, 12) is pixels
    even = np.full((5, 5, 3), 77, np.uint8)
    assert (resampled(even, 13) == 77).all() and (resampled(even, 3) == 77).all()


def test_what_is_transparent_lies_over_white():
    assert flat(np.array([[[0, 0, 0, 0], [10, 20, 30, 255]]], np.uint8)).tolist() == [[[255, 255, 255], [10, 20, 30]]]


PICTURE, SELECTION = np.zeros((4, 6, 3), np.uint8), np.full((4, 6), 255, np.uint8)


@pytest.mark.parametrize(
    ("picture", "selection", "message"),
    [
        (PICTURE, SELECTION * 0, "Nothing is selected. Paint over"),
        (PICTURE, SELECTION.T, "mask is 4 × 6 pixels and the picture 6 × 4"),
        (PICTURE[..., 0], SELECTION, "The picture must be"),
        (PICTURE.astype(float), SELECTION, "bytes"),
        (PICTURE, SELECTION.astype(bool), "bytes"),
        (PICTURE[:0], SELECTION[:0], "bytes"),
    ],
)
def test_what_does_not_belong_together_is_refused_in_words(picture, selection, message):
    with pytest.raises(RegionError, match=message):
        check(picture, selection)


def test_no_region_without_a_selection():
    with pytest.raises(RegionError, match="Nothing is selected"):
        region_of(SELECTION * 0, 8)
