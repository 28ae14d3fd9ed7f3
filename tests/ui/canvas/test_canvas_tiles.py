"""Stored tiles, patches and halved levels."""

from __future__ import annotations

import numpy as np
import pytest

from studio.ui.canvas.pyramid import Pyramid, halved, level_for, premultiplied
from studio.ui.canvas.tiles import TILE, Patch, StoredTile, changed_tiles, clipped, tile, tiles_in, used_tiles

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(TILE, TILE), (TILE, TILE, 4), (7, TILE), (1, 1, 4)])
def test_a_stored_tile_comes_back(shape: tuple[int, ...]) -> None:
    smooth = np.cumsum(np.ones(shape, np.uint8), axis=0, dtype=np.uint8) // 3
    for pixels in (smooth, np.full(shape, 9, np.uint8), RNG.integers(0, 256, shape, dtype=np.uint8)):
        stored = StoredTile(pixels)
        raw = stored.nbytes
        assert np.array_equal(stored.pixels(), pixels)
        stored.pack()
        stored.pack()
        assert np.array_equal(stored.pixels(), pixels) and stored.nbytes <= max(raw, 64) + 64


def test_plain_tiles_take_one_pixel_and_smooth_ones_shrink() -> None:
    assert StoredTile(np.full((TILE, TILE, 4), 200, np.uint8)).nbytes == 4
    smooth = np.repeat(np.arange(TILE, dtype=np.uint8)[None], TILE, axis=0)
    stored = StoredTile(smooth)
    stored.pack()
    assert stored.nbytes < smooth.nbytes / 20


def test_a_patch_goes_there_and_back_and_says_what_it_holds() -> None:
    raster = RNG.integers(0, 256, (300, 290), dtype=np.uint8)
    before, after = raster.copy(), raster.copy()
    after[120:140, 120:290] = 5
    places = changed_tiles(before, after, tiles_in((0, 0, 290, 300)))
    assert places == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    patch = Patch({place: tile(before, place) for place in places})
    raw = patch.nbytes
    assert raw == sum(tile(before, place).nbytes for place in places)
    for expected in (before, after, before):
        while patch.pack_one():
            pass
        raster[...] = after if expected is before else before
        patch.swap(raster)
        assert np.array_equal(raster, expected)


def test_boxes_are_cut_to_the_raster() -> None:
    raster = np.zeros((10, 20), np.uint8)
    assert clipped((-5, -5, 5, 5), raster) == (0, 0, 5, 5) and clipped((20, 0, 30, 5), raster) is None
    assert used_tiles(raster) == [] and used_tiles(np.zeros((0, 0, 4), np.uint8)) == []


@pytest.mark.parametrize("shape", [(8, 8), (9, 7), (8, 8, 4), (5, 10, 4), (1, 1)])
def test_halving_is_the_mean_of_four(shape: tuple[int, ...]) -> None:
    pixels = RNG.integers(0, 256, shape, dtype=np.uint8)
    even = np.pad(pixels, [(0, shape[0] % 2), (0, shape[1] % 2), (0, 0)][: len(shape)], mode="edge").astype(float)
    exact = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    assert np.abs(halved(pixels).astype(float) - exact).max() <= 1


def test_halving_does_not_drift() -> None:
    pixels = RNG.integers(0, 256, (512, 512), dtype=np.uint8)
    small = pixels
    for _ in range(5):
        small = halved(small)
    assert small.mean() == pytest.approx(pixels.mean(), abs=0.5)


@pytest.mark.parametrize("shape", [(1030, 1101), (1024, 1025, 4)])
def test_a_level_updated_in_part_equals_one_made_anew(shape: tuple[int, ...]) -> None:
    raster = RNG.integers(0, 256, shape, dtype=np.uint8)
    pyramid = Pyramid(raster)
    pyramid.update((0, 0, shape[1], shape[0]))
    raster[301:577, 405:] = 17
    pyramid.update((405, 301, shape[1], 577))
    fresh = Pyramid(raster)
    fresh.update((0, 0, shape[1], shape[0]))
    assert len(pyramid.levels) >= 3 and all(np.array_equal(a, b) for a, b in zip(pyramid.levels, fresh.levels, strict=True))


def test_premultiplying_is_exact() -> None:
    pixels = RNG.integers(0, 256, (64, 64, 4), dtype=np.uint8)
    exact = np.rint(pixels[..., :3] * (pixels[..., 3:] / 255.0))
    assert np.abs(premultiplied(pixels)[..., :3] - exact).max() <= 0


@pytest.mark.parametrize(("scale", "level"), [(4.0, 0), (1.0, 0), (0.6, 0), (0.5, 1), (0.3, 1), (0.25, 2), (0.1, 3)])
def test_a_level_is_shown_between_half_and_its_own_size(scale: float, level: int) -> None:
    assert level_for(scale) == level and 0.5 < scale * 2**level <= 1 or scale > 1
