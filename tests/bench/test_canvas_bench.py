"""That the bench of the canvas paints and measures; its figures are judged by `glassbox bench`, on a quiet machine."""

from __future__ import annotations

from contextlib import nullcontext

from tests.bench import canvas


def test_the_bench_paints_and_counts_every_event(qapp, monkeypatch) -> None:
    monkeypatch.setattr(canvas, "_generating", nullcontext)  # the model's own tests draw
    figures = canvas.run(side=600, strokes=4, per_scene=1)
    assert [figure.unit for figure in figures] == ["ms", "ms", "MB"] and all(figure.value > 0 for figure in figures[:2])
    assert f"{len(canvas.SCENES) * canvas.EVENTS} events" in figures[0].note and "5 steps can be undone" in figures[2].note
