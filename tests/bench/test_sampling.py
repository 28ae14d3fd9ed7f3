"""That the bench runs and compares like with like; its figures are judged by `glassbox bench`, on a quiet machine."""

from __future__ import annotations

import pytest

from tests.bench.figure import Figure
from tests.bench.sampling import run


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers with numpy 2
def test_both_loops_draw_the_same_picture() -> None:
    overhead, difference = run(rounds=2)
    assert difference.ok, str(difference)
    assert overhead.unit == "%" and overhead.limit == 3.0


def test_a_figure_says_whether_it_holds() -> None:
    good, bad = Figure.at_most("lag", 12.0, "ms", 16.0), Figure.at_most("lag", 20.0, "ms", 16.0, "busy")
    assert good.ok and not bad.ok
    assert str(good) == "ok   lag: 12 ms (limit 16 ms)"
    assert str(bad) == "FAIL lag: 20 ms (limit 16 ms)  busy"
