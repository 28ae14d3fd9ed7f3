"""Compositing: not a bit outside the mask, the right mixture inside it, and colours that meet at the seam."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from studio.ml.diffusion.compositing import colour_matched, harmonic, layer, paste_back
from studio.ml.diffusion.regions import Region, RegionError, resampled


@st.composite
def pasted(draw):
    """A picture, a patch of another size, a region perhaps beyond the picture, and a mask with much nothing in it."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    height, width, side = (draw(st.integers(1, 40)) for _ in range(3))
    region = Region(draw(st.integers(-side + 1, width - 1)), draw(st.integers(-side + 1, height - 1)), side, side)
    picture = rng.integers(0, 256, (height, width, draw(st.sampled_from([3, 4]))), np.uint8)
    mask = rng.integers(0, 256, (side, side), np.uint8) * (rng.random((side, side)) < 0.6)
    mask[rng.random((side, side)) < 0.2] = 255
    size = draw(st.integers(1, 40))
    return picture, rng.integers(0, 256, (size, size, 3), np.uint8), region, mask.astype(np.uint8)


def on_picture(mask, region, shape):
    whole = np.zeros(shape[:2], mask.dtype)
    whole[region.inside(shape)] = mask[region.within(shape)]
    return whole


@given(pasted())
def test_outside_the_mask_no_bit_changes_and_where_it_is_full_the_patch_stands(case):
    picture, patch, region, mask = case
    before = picture.copy()
    after = paste_back(picture, patch, region, mask)
    cover = on_picture(mask, region, picture.shape)
    assert (picture == before).all() and after.dtype == np.uint8 and after.shape == picture.shape
    assert (after[cover == 0] == picture[cover == 0]).all()
    full = mask == 255
    full[:] &= on_region(region, picture.shape)
    stands = after[cover == 255]
    assert (stands[:, :3] == resampled(patch, region.side)[full]).all()
    assert (stands[:, 3:] == 255).all()


def on_region(region, shape):
    inside = np.zeros((region.side, region.side), bool)
    inside[region.within(shape)] = True
    return inside


@given(pasted())
def test_a_layer_laid_over_the_picture_by_another_program_is_the_same(case):
    """Pillow's "over" in 8 bits; where little is covered its rounding is magnified: opacity above 1/4 compares."""
    picture, patch, region, mask = case
    rgba = picture if picture.shape[2] == 4 else np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    ours = paste_back(rgba, patch, region, mask).astype(int)
    pixels, left, top = layer(patch, region, mask, picture.shape)
    theirs = Image.fromarray(rgba)
    theirs.alpha_composite(Image.fromarray(pixels), (left, top))
    apart = np.abs(ours - np.asarray(theirs))
    solid = ours[..., 3] >= 64
    assert apart[..., 3].max() <= 1 and apart[solid].max(initial=0) <= 4


def test_a_patch_that_equals_the_picture_changes_nothing_under_any_mask():
    rng = np.random.default_rng(3)
    picture, mask = rng.integers(0, 256, (9, 9, 3), np.uint8), rng.integers(0, 256, (9, 9), np.uint8)
    assert (paste_back(picture, picture, Region(0, 0, 9, 9), mask) == picture).all()


def test_patches_and_masks_of_another_shape_are_refused():
    picture, patch, region = np.zeros((9, 9, 3), np.uint8), np.zeros((4, 4, 3), np.uint8), Region(0, 0, 8, 4)
    for patch_, mask in ((patch, np.zeros((4, 4), np.uint8)), (patch[:3], np.zeros((8, 8), np.uint8))):
        with pytest.raises(RegionError, match="The patch must be"):
            paste_back(picture, patch_, region, mask)


@pytest.fixture
def scene():
    """A picture of smooth colours; drawn is a square in it, the outer two cells of which hold nothing asked for."""
    rows, columns = np.mgrid[:24, :24]
    picture = np.stack([60 + 4 * rows, 60 + 4 * columns, 90 + rows + columns], axis=-1).astype(np.uint8)
    drawn, asked = np.zeros((24, 24), bool), np.zeros((24, 24), bool)
    drawn[4:20, 4:20], asked[6:18, 6:18] = True, True
    return picture, drawn, drawn & ~asked


@pytest.mark.parametrize("how", ["shift", "membrane"])
def test_a_shift_of_all_colours_is_undone(scene, how):
    picture, drawn, ring = scene
    patch = np.where(drawn[..., None], picture + np.uint8(30), picture)
    matched = colour_matched(patch, picture, drawn, ring, how)
    assert np.abs(matched.astype(int) - picture).max() <= 1


def test_a_shift_that_differs_from_side_to_side_takes_a_membrane(scene):
    picture, drawn, ring = scene
    slope = np.linspace(-30, 30, 24).astype(int)[None, :, None]
    patch = np.where(drawn[..., None], picture + slope, picture).astype(np.uint8)
    by = {how: colour_matched(patch, picture, drawn, ring, how).astype(int) for how in ("shift", "membrane")}
    assert np.abs(by["membrane"] - picture).max() <= 2 < 15 < np.abs(by["shift"] - picture).max()


@pytest.mark.parametrize("how", ["shift", "membrane"])
def test_a_thing_that_reaches_over_the_rim_does_not_colour_the_rest(scene, how):
    """On a fifth of the rim something else is drawn; elsewhere the shift of 12 levels is undone, to 2 levels."""
    picture, drawn, ring = scene
    patch = np.where(drawn[..., None], picture - np.uint8(12), picture)
    patch[10:14, 4:20] = 250, 250, 0
    matched = colour_matched(patch, picture, drawn, ring, how).astype(int)
    other = np.zeros_like(drawn)
    other[10:14, 4:20] = True
    assert np.abs(matched - picture)[ring & ~other].max() <= 2
    assert np.abs(matched - picture)[drawn & ~other].mean() <= 2
    assert np.abs(matched - (250, 250, 0))[other].max() <= 16


def test_only_drawn_cells_change_and_without_a_ring_none(scene):
    picture, drawn, ring = scene
    patch = np.random.default_rng(0).integers(0, 256, picture.shape, np.uint8)
    for how in ("shift", "membrane"):
        assert (colour_matched(patch, picture, drawn, ring, how)[~drawn] == patch[~drawn]).all()
        assert colour_matched(patch, picture, drawn, ring & False, how) is patch
    assert colour_matched(patch, picture, drawn, ring, "off") is patch
    with pytest.raises(RegionError, match="Unknown colour match"):
        colour_matched(patch, picture, drawn, ring, "magic")


def test_a_membrane_over_a_linear_rim_is_linear():
    rows, columns = np.mgrid[:12, :15].astype(np.float32)
    plane = np.stack([3 * rows - columns, rows + 5], axis=-1)
    rim = np.zeros((12, 15), bool)
    rim[[0, -1]], rim[:, [0, -1]] = True, True
    assert np.abs(harmonic(plane, rim, ~rim) - plane).max() < 0.02


@pytest.mark.parametrize("seed", range(4))
def test_a_membrane_solves_laplace_s_equation_on_any_shape(seed):
    """Against a dense solution; cells that reach no known one stay 0."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(3, (9, 11), p=[0.2, 0.2, 0.6])  # outside, known, unknown
    known, unknown = kinds == 1, kinds == 2
    values = rng.normal(0, 50, (9, 11, 1)).astype(np.float32)
    cells = [*map(tuple, np.argwhere(unknown))]
    matrix, right = np.zeros((len(cells), len(cells))), np.zeros(len(cells))
    for row, (y, x) in enumerate(cells):
        for cell in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not (0 <= cell[0] < 9 and 0 <= cell[1] < 11) or not (known[cell] or unknown[cell]):
                continue
            matrix[row, row] += 1
            if known[cell]:
                right[row] += values[cell][0]
            else:
                matrix[row, cells.index(cell)] -= 1
    wanted = np.linalg.lstsq(matrix, right, rcond=None)[0]  # least norm: 0 where nothing known is reached
    found = harmonic(values, known, unknown)
    assert np.abs(found[unknown][:, 0] - wanted).max() < 0.05
    assert (found[known] == values[known]).all() and (found[kinds == 0] == 0).all()
