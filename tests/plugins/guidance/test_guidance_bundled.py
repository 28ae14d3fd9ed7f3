"""What the lab shows with the models that ship: guidance steers, and at these prices."""

from __future__ import annotations

import pytest

from studio.engine import run_inline
from studio_plugins.guidance import demo
from studio_plugins.guidance.jobs import compare
from studio_plugins.guidance.request import Column, Guidance, GuidanceRequest


def test_an_unconditional_network_draws_the_class_its_classifier_leads_to():
    columns = (Column(guidance=Guidance(prompted=False)), Column(guidance=Guidance(prompted=False, classifier=True)))
    done = run_inline(compare, GuidanceRequest(prompt="a penguin", steps=12, batch=4, seed=3, columns=columns))
    blind, led = ([verdict.sure for verdict in run.verdicts] for run in done.columns)
    assert done.columns[1].target == "penguin"
    assert max(blind) < 0.2 and min(led) > 0.5, "the oracle sees the penguin only where the classifier led to it"
    assert done.columns[1].cost.times == pytest.approx(1.40, abs=0.05)


def test_the_example_is_what_the_bundled_models_draw_now():
    """One column of the example drawn anew, and what all of it is meant to show."""
    import json

    from studio_plugins.guidance.trajectory import read

    stored = json.loads(demo.FIGURES.read_text(encoding="utf-8"))
    request = GuidanceRequest.checked(**stored["request"])
    free = request.columns[3]
    assert free.guidance == Guidance(free=True)
    done = run_inline(compare, request.replace(columns=(free,), probes=False))
    shown, drawn = read(demo.STEPS)[3], done.columns[0].steps
    difference = abs(shown[-1].picture.astype(int) - drawn[-1].picture)
    assert difference.mean() < 2, "other processors round otherwise, but draw the same picture"
    as_asked = [figures["verdicts"][0]["shown"] for figures in stored["columns"]]
    assert as_asked == [False, False, True, True, True], "no guidance, classifier, CLIP, classifier-free, both"
    times = [figures["cost"]["times"] for figures in stored["columns"]]
    assert times == pytest.approx([1.0, 1.40, 1.07, 2.0, 2.07], abs=0.01)
