"""Kernel text: reading, writing, and errors that point."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.ml.gp.dot_product import ArcCosine, Constant, Linear, Polynomial
from studio.ml.gp.errors import KernelTextError
from studio.ml.gp.grammar import ALIASES, KERNELS, parse, usage
from studio.ml.gp.kernel import Kernel, Product, Scale, Sum
from studio.ml.gp.oscillating import Periodic, SpectralMixture
from studio.ml.gp.processes import Brownian, ChangePoint, White
from studio.ml.gp.stationary import RBF, Matern12, Matern32, Matern52, RationalQuadratic

positive = st.floats(1e-12, 1e12)
real = st.floats(-1e12, 1e12)
lengths = positive | st.lists(positive, min_size=1, max_size=3).map(tuple)
several = st.lists(positive, min_size=2, max_size=2).map(tuple)
leaves = st.one_of(
    *(st.builds(kind, lengths) for kind in (RBF, Matern12, Matern32, Matern52)),
    st.builds(RationalQuadratic, lengths, positive),
    st.builds(Periodic, positive, positive),
    st.builds(SpectralMixture, several, several, several),
    st.builds(Linear, real),
    st.builds(Polynomial, st.integers(1, 12), positive),
    st.builds(ArcCosine, st.integers(0, 2), positive, positive),
    st.builds(Constant, positive),
    st.builds(White, positive),
    st.builds(Brownian, real),
)


def branches(inner: st.SearchStrategy[Kernel]) -> st.SearchStrategy[Kernel]:
    many = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Sum, many), st.builds(Product, many), st.builds(Scale, positive, inner),
        st.builds(ChangePoint, inner, inner, real, positive),
    )  # fmt: skip


@given(st.recursive(leaves, branches, max_leaves=8))
def test_text_reads_back_to_the_same_kernel(kernel: Kernel) -> None:
    assert parse(str(kernel)) == kernel


@given(st.text("RBFLinear(1.2,3)[]*+=- e", max_size=40))
def test_any_text_is_a_kernel_or_an_error_that_points_into_it(text: str) -> None:
    try:
        kernel = parse(text)
    except KernelTextError as error:
        assert 1 <= error.column <= len(text) + 1
    else:
        assert parse(str(kernel)) == kernel


@pytest.mark.parametrize(("text", "kernel"), [
    ("1.2*RBF(0.4) + Periodic(1)*Linear", Sum((Scale(1.2, RBF(0.4)), Product((Periodic(1.0), Linear()))))),
    ("rbf", RBF()),
    ("RBF(length=2)", RBF(2.0)),
    ("RBF*3", Scale(3.0, RBF())),
    ("2*3*RBF", Scale(2.0, Scale(3.0, RBF()))),
    ("RBF+2", Sum((RBF(), Constant(2.0)))),
    ("RBF + +2*Linear", Sum((RBF(), Scale(2.0, Linear())))),
    ("(RBF + Linear)*White(1e-3)", Product((Sum((RBF(), Linear())), White(1e-3)))),
    ("SM(1, 2, 0.1)", SpectralMixture((1.0,), (2.0,), (0.1,))),
    ("cp(RBF, Linear + White, location=3)", ChangePoint(RBF(), Sum((Linear(), White())), 3.0)),
    ("Poly(3)", Polynomial(3)),
    ("7", Constant(7.0)),
])  # fmt: skip
def test_text_is_read_as_it_looks(text: str, kernel: Kernel) -> None:
    assert parse(text) == kernel


@pytest.mark.parametrize(("text", "column", "says"), [
    ("", 1, "there is no text"),
    ("RBF(0.4) + ", 11, "a kernel, a number or an opening bracket was expected, but the text ends"),
    ("RBF(0.4) + Foo(1)", 12, 'no kernel "Foo"; there are RBF'),
    ("RBF(0.4", 8, '"," or ")" in RBF'),
    ("2*(RBF + Linear", 16, '")" for the "(" of column 3'),
    ("RBF(-1)", 1, "length must be a number above 0"),
    ("RBF + -2*Linear", 7, "variance must be a number above 0"),
    ("RBF(1, 2)", 8, "nothing more was expected"),
    ("RBF(width=2)", 5, '"width" is not one of its values'),
    ("RBF(length=2, length=3)", 15, "given twice"),
    ("RBF(wide)", 5, "length, a number as in RBF"),
    ("RBF RBF", 5, '"+", "*" or the end'),
    ("RBF - Linear", 5, '"+", "*" or the end'),
    ("RBF([1, 2)", 10, '"," or "]" in length'),
    ("RBF([])", 6, "a number in length"),
    ("ChangePoint(RBF)", 1, "after must be given"),
    ("Polynomial(2.5)", 1, "whole number from 1 to 12"),
    ("ArcCosine(3)", 1, "order must be 0, 1 or 2"),
    ("SM([1, 2], [1], [1])", 1, "as many weights as frequencies"),
    ("RBF(1e999)", 1, "above 0"),
    ("(" * 60 + "RBF", 51, "no more than 50 brackets"),
])  # fmt: skip
def test_errors_say_where_and_what(text: str, column: int, says: str) -> None:
    with pytest.raises(KernelTextError) as caught:
        parse(text)
    assert (caught.value.column, says in caught.value.expected) == (column, True), str(caught.value)
    assert str(caught.value).endswith(f"{text}\n{' ' * (column - 1)}^")


@pytest.mark.parametrize("kind", [kind for kind in KERNELS if kind is not ChangePoint])
def test_usage_reads_as_the_usual_kernel(kind: type[Kernel]) -> None:
    assert parse(usage(kind)) == kind() == parse(kind.__name__)


def test_aliases_name_kernels() -> None:
    assert set(ALIASES.values()) <= {kind.__name__ for kind in KERNELS}
