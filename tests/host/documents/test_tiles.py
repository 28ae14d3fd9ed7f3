"""Tiles: a picture comes back to the bit, the same tile is written once, and damage is noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.host.documents.schema import Damage, Raster
from studio.host.documents.tiles import SIDE, Tiles
from tests.host.documents.samples import noise


@pytest.fixture
def tiles(tmp_path: Path) -> Tiles:
    return Tiles(tmp_path)


def raster(shape: tuple[int, ...], parts: tuple[str, ...]) -> Raster:
    return Raster(width=shape[1], height=shape[0], channels=4 if len(shape) == 3 else 1, parts=parts)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(height=st.integers(1, 2 * SIDE + 3), width=st.integers(1, 3), turned=st.booleans(), channels=st.sampled_from([(), (4,)]))
def test_any_picture_comes_back(tiles: Tiles, height: int, width: int, turned: bool, channels: tuple[int, ...]) -> None:
    shape = ((width, height) if turned else (height, width)) + channels
    pixels = noise(*shape)
    parts = tiles.put(pixels)
    assert len(parts) == -(-shape[0] // SIDE) * -(-shape[1] // SIDE)
    found = tiles.get(raster(shape, parts))
    assert np.array_equal(found, pixels) and not found.flags.writeable


def test_the_same_tile_is_written_once_and_a_stroke_writes_only_what_is_under_it(tiles: Tiles) -> None:
    blank = np.zeros((4 * SIDE, 3 * SIDE, 4), np.uint8)
    assert len(set(tiles.put(blank))) == 1 and len(list(tiles.folder.iterdir())) == 1
    before = tiles.written
    stroke = blank.copy()
    stroke[SIDE - 5 : SIDE + 5, 10:20] = 9
    parts = tiles.put(stroke)
    assert len(set(parts)) == 3 and len(list(tiles.folder.iterdir())) == 3
    assert tiles.written > before and tiles.put(stroke.copy()) == parts
    # Equal bytes in another shape are another tile: a wide strip is no tall one.
    assert set(tiles.put(np.zeros((2, 8), np.uint8))).isdisjoint(tiles.put(np.zeros((8, 2), np.uint8)))


def test_arrays_that_can_still_be_painted_on_are_always_looked_at(tiles: Tiles) -> None:
    pixels = noise(6, 5)
    first = tiles.put(pixels)
    pixels[0, 0] ^= 1
    assert tiles.put(pixels) != first
    pixels.flags.writeable = False
    assert tiles.put(pixels) is not tiles.put(pixels.copy()) and tiles.put(pixels) is tiles.put(pixels)


def test_what_is_no_longer_used_is_deleted_and_written_again_when_it_comes_back(tiles: Tiles) -> None:
    one, two = noise(6, 5), noise(6, 5, seed=1)
    one.flags.writeable = False
    parts = tiles.put(one)
    other = tiles.put(two)
    tiles.keep_only({*other})
    assert [path.stem for path in tiles.folder.iterdir()] == [*other]
    assert tiles.put(one) == parts
    assert np.array_equal(tiles.get(raster(one.shape, parts)), one)


def test_a_tile_that_was_cut_off_by_another_process_is_written_anew(tmp_path: Path) -> None:
    pixels = noise(6, 5)
    first = Tiles(tmp_path)
    (key,) = first.put(pixels)
    (tmp_path / f"{key}.png").write_bytes(b"\x89PNG half")
    second = Tiles(tmp_path)
    second.put(pixels)
    second.flush()
    assert np.array_equal(second.get(raster(pixels.shape, (key,))), pixels)


def test_damage_is_noticed(tiles: Tiles) -> None:
    pixels, other = noise(6, 5), noise(6, 5, seed=1)
    (key,), (second,) = tiles.put(pixels), tiles.put(other)
    with pytest.raises(Damage, match="number of parts"):
        tiles.get(raster((6, 5), (key, key)))
    with pytest.raises(Damage, match="impossible names"):
        tiles.get(raster((6, 5), ("../../etc/passwd",)))
    with pytest.raises(Damage, match="5 × 6 pixels, not 6 × 5"):
        tiles.get(raster((5, 6), (key,)))
    (tiles.folder / f"{key}.png").write_bytes((tiles.folder / f"{second}.png").read_bytes())
    with pytest.raises(Damage, match="has changed"):
        tiles.get(raster((6, 5), (key,)))
    (tiles.folder / f"{key}.png").unlink()
    with pytest.raises(Damage, match="is missing"):
        tiles.get(raster((6, 5), (key,)))
