"""Which plane is shown first and how axes change places; numbers to colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_plugins.inspector.axes import View, can_be_picture, first_view, fitting_view, place, with_cols, with_rows
from studio_plugins.inspector.colours import NOT_FINITE, limits, lookup, paint
from studio_plugins.inspector.reading import TensorInfo
from studio_plugins.inspector.stage import ordinal, value_text
from studio_plugins.inspector.tables import number_text, shape_text, size_text


def info(*shape: int, dtype: str = "float32") -> TensorInfo:
    return TensorInfo("t", shape, dtype, 0)


@pytest.mark.parametrize(
    ("shape", "dtype", "rows", "cols"),
    [
        ((), "float32", -1, -1),
        ((9,), "float32", -1, -1),
        ((4, 5), "float32", 0, 1),
        ((128, 64, 3, 3), "float32", 0, 1),
        ((8, 3, 64, 64), "float32", 2, 3),
        ((64, 64, 3), "uint8", 0, 1),
        ((5, 64, 48, 4), "uint8", 1, 2),
    ],
)
def test_the_first_view_shows_most(shape: tuple[int, ...], dtype: str, rows: int, cols: int) -> None:
    assert first_view(info(*shape, dtype=dtype)) == View(rows, cols, (0,) * len(shape))


def test_pictures_are_bytes_with_colours_last() -> None:
    assert can_be_picture(info(8, 8, 3, dtype="uint8"))
    assert not can_be_picture(info(8, 8, 3))
    assert not can_be_picture(info(8, 3, dtype="uint8"))


@given(st.integers(2, 5), st.data())
def test_rows_and_columns_never_meet(count: int, data: st.DataObject) -> None:
    view = View(0, 1, (0,) * count)
    for axis, change in data.draw(st.lists(st.tuples(st.integers(0, count - 1), st.sampled_from([with_rows, with_cols])), max_size=8)):
        view = change(view, axis)
        assert view.rows != view.cols
        assert axis in (view.rows, view.cols)


def test_a_place_in_the_plane_is_an_index_of_the_tensor() -> None:
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    view = View(2, 0, (0, 1, 0))
    assert array[place(view, 3, 1, array.shape)] == array[1, 1, 3]
    assert place(View(-1, -1, (0,)), 0, 7, (9,)) == (7,)
    assert place(View(-1, -1, ()), 0, 0, ()) == ()


@pytest.mark.parametrize("stored", [None, {}, {"rows": 0, "cols": 0}, {"rows": 7, "cols": 1}, {"rows": "0", "cols": 1}, [1], 3])
def test_a_stored_view_that_does_not_fit_is_not_taken(stored: Any) -> None:
    assert fitting_view(info(4, 5, 6), stored) == first_view(info(4, 5, 6))


def test_a_stored_view_is_taken_as_far_as_it_fits() -> None:
    assert fitting_view(info(4, 5, 6), {"rows": 2, "cols": 0, "index": [0, 4, 0]}) == View(2, 0, (0, 4, 0))
    assert fitting_view(info(4, 5, 6), {"rows": 2, "cols": 0, "index": [0, 9, 0]}) == View(2, 0, (0, 0, 0))


def test_automatic_colours_put_zero_in_the_middle_where_both_signs_occur() -> None:
    assert limits(np.array([-1.0, 3.0]), "auto", "full") == ("diverging", -3.0, 3.0)
    assert limits(np.array([1.0, 3.0]), "auto", "full") == ("sequential", 1.0, 3.0)
    name, low, high = limits(np.array([5.0, 5.0]), "auto", "full")
    assert low < 5 < high
    assert limits(np.array([np.nan]), "auto", "full") == ("grey", 0.0, 1.0)


def test_outliers_do_not_take_the_colours() -> None:
    values = np.concatenate([np.linspace(0, 1, 10_000), [1e9]])
    assert limits(values, "auto", "robust")[2] < 1.1
    assert limits(values, "auto", "full")[2] == 1e9


def test_ends_middle_and_special_values_get_their_colours() -> None:
    picture = paint(np.array([[-2.0, 0.0, 2.0, 99.0, np.nan, np.inf]]), "diverging", -2.0, 2.0)
    table = lookup("diverging")
    assert picture[0, 0].tolist() == table[0].tolist()
    assert picture[0, 1].tolist() == table[128].tolist()
    assert picture[0, 2].tolist() == picture[0, 3].tolist() == table[255].tolist()
    assert picture[0, 4].tolist() == picture[0, 5].tolist() == list(NOT_FINITE)


def test_the_whole_range_of_numbers_can_be_painted() -> None:
    low, high = -1.7e308, 1.7e308
    picture = paint(np.array([[low, high]]), "grey", low, high)
    assert picture[0, 0].tolist() == [0, 0, 0] and picture[0, 1].tolist() == [255, 255, 255]


@pytest.mark.parametrize("name", ["sequential", "grey"])
def test_brightness_grows_along_the_map(name: str) -> None:
    brightness = lookup(name).astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(brightness) > -1.0).all() and brightness[-1] > brightness[0] + 150


def test_numbers_in_words() -> None:
    assert [ordinal(n) for n in (2, 3, 4, 11, 12, 21, 22, 113)] == ["2nd", "3rd", "4th", "11th", "12th", "21st", "22nd", "113th"]
    assert [size_text(n) for n in (0, 1023, 1536, 5 * 2**30)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
    assert shape_text(()) == "scalar" and shape_text((3, 4)) == "3 × 4"
    assert number_text(None) == "–" and number_text(123456789) == "123,456,789" and number_text(1 / 3, 3) == "0.333"
    assert value_text(np.float32(0.1)) == "0.1" and value_text(np.float64(1 / 3)) == "0.333333333"
    assert value_text(np.bool_(True)) == "true" and value_text(np.uint8(7)) == "7" and value_text(np.complex64(1 - 2j)) == "1 - 2i"
