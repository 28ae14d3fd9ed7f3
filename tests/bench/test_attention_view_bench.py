"""That the bench of the attention views paints and measures; its figures are judged by `glassbox bench`."""

from __future__ import annotations

from tests.bench import attention_view


def test_the_bench_paints_every_frame(qapp) -> None:
    figures = attention_view.run(layers=2, heads=4, tokens=256, frames=6)
    assert [figure.unit for figure in figures] == ["ms"] * 3 and all(figure.value > 0 for figure in figures)
    assert "8 heads" in figures[0].note and "256 tokens" in figures[1].note
