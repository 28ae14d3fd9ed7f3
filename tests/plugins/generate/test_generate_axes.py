from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from studio_plugins.generate.axes import AxisSyntaxError, format_axis, parse_axis


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ("1-5", "int", (1, 2, 3, 4, 5)),
        ("1-5 (+2)", "int", (1, 3, 5)),
        ("10-1 (-3)", "int", (10, 7, 4, 1)),
        ("5-3", "int", (5, 4, 3)),
        ("1-10 [5]", "int", (1, 3, 6, 8, 10)),
        ("1-10 [4]", "float", (1.0, 4.0, 7.0, 10.0)),
        ("0-1 (+0.25)", "float", (0.0, 0.25, 0.5, 0.75, 1.0)),
        ("0.1-0.3 (0.1)", "float", (0.1, 0.2, 0.3)),
        ("1,2,3", "int", (1, 2, 3)),
        ("3, 1-2, 3, 20", "int", (3, 1, 2, 20)),
        ("1.5, 1e1", "float", (1.5, 10.0)),
        ("-2--1", "int", (-2, -1)),
        ("ddim, DDPM", "choice", ("ddim", "ddpm")),
        ("a cat, a dog | a fish", "text", ("a cat, a dog", "a fish")),
        ("a cat |", "text", ("a cat", "")),
    ],
)
def test_values(text, kind, values):
    assert parse_axis(text, kind, ("dpmpp_2m", "ddim", "ddpm")) == values


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("", "int", "write the values"),
        (" , ", "float", "write the values"),
        ("", "text", "separated by |"),
        ("1-5 (-1)", "int", "leads away"),
        ("1-5 (0)", "int", "leads away"),
        ("1-100000", "int", "is the most"),
        ("1-10 [0]", "int", "how many values"),
        ("1-10 [65]", "int", "how many values"),
        ("1.5", "int", "not a whole number"),
        ("nan", "float", "not a number"),
        ("one", "float", "not a number"),
        ("euler", "choice", "not one of"),
        (",".join(map(str, range(65))), "int", "too many"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(text, kind, says):
    with pytest.raises(AxisSyntaxError, match=says):
        parse_axis(text, kind, ("ddim", "ddpm"))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=64, unique=True))
def test_written_values_read_back_as_the_same_numbers(values):
    assert parse_axis(format_axis(values, "float"), "float") == tuple(values)


@given(st.text(max_size=60), st.sampled_from(["int", "float", "text", "choice"]))
def test_any_text_gives_values_or_a_syntax_error(text, kind):
    try:
        values = parse_axis(text, kind, ("ddim",))
    except AxisSyntaxError:
        return
    assert 0 < len(values) <= 64
