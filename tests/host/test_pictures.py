from __future__ import annotations

import numpy as np
from studio.host.pictures import GridLabels, best_columns, enlarge, labelled_grid, thumbnail, tile


def _pictures(count: int, side: int = 8) -> np.ndarray:
    return np.stack([np.full((side, side, 3), 10 * i, np.uint8) for i in range(count)])


def test_enlarging_repeats_each_pixel_exactly():
    small = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    large = enlarge(small, 3)
    assert large.shape == (6, 6, 3)
    assert (large[::3, ::3] == small).all() and (large[2::3, 2::3] == small).all()


def test_tiles_stand_where_reading_order_puts_them():
    sheet = tile(_pictures(5), columns=3, gap=1)
    assert sheet.shape == (17, 26, 3)
    assert (sheet[0:8, 9:17] == 10).all() and (sheet[9:17, 0:8] == 30).all()
    assert (sheet[9:17, 18:26] == 255).all()
    assert [best_columns(n) for n in (1, 2, 4, 5, 9, 10)] == [1, 2, 2, 3, 3, 4]


def test_a_labelled_grid_holds_every_cell_once_and_leaves_missing_ones_empty():
    cells = [*_pictures(3, 32)[1:], None, None]
    sheet = labelled_grid(cells, GridLabels("Guidance scale", ("1", "3"), "Sampler", ("ddim", "ddpm")), factor=2)
    for value in (10, 20):
        assert (sheet == value).all(axis=2).sum() >= 64 * 64
    lone = labelled_grid([_pictures(1, 32)[0]], GridLabels("Steps", ("5",)), factor=1)
    assert lone.shape[0] < sheet.shape[0]


def test_long_headings_are_shortened_to_the_width_of_their_column():
    name = "a very long prompt that goes on and on " * 10
    sheet = labelled_grid(list(_pictures(2, 32)), GridLabels("Prompt", (name, "x" * 400)), factor=2)
    assert sheet.shape[1] < 2 * 64 + 3 * 6 + 1


def test_a_thumbnail_shows_at_most_nine_pictures():
    assert thumbnail(_pictures(20, 32)).shape[0] <= 192
    assert thumbnail(_pictures(1, 32)).shape == (192, 192, 3)
