"""The bench's front door: names, exit status, and figures handed over from the measuring process."""

from __future__ import annotations

import pytest

from tests.bench import __main__ as bench
from tests.bench.figure import Figure


def test_a_figure_past_its_limit_fails_the_bench(monkeypatch, capsys):
    figures = {"lag": [Figure.at_most("lag", 5, "ms", 10)], "startup": [Figure.at_most("start", 2, "s", 1)]}
    monkeypatch.setattr(bench, "_measured", lambda name: figures[name])
    assert bench.main(["lag"]) == 0
    assert bench.main(["lag", "startup"]) == 1
    printed = capsys.readouterr().out
    assert "ok   lag: 5 ms (limit 10 ms)" in printed and "FAIL start: 2 s (limit 1 s)" in printed


def test_an_unknown_bench_is_named(capsys):
    with pytest.raises(SystemExit):
        bench.main(["speed-of-light"])
    assert "there is no bench speed-of-light" in capsys.readouterr().err


def test_every_listed_bench_can_run():
    import importlib

    assert all(callable(importlib.import_module(f"tests.bench.{name}").run) for name in bench.BENCHES)
