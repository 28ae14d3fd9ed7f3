"""The Anatomy panel."""

from __future__ import annotations


def test_a_model_opens(anatomy_room):
    panel = anatomy_room(model="preset:gpt2", tokens=128)
    assert panel.look.measured.metered.total == 32_228_179_968
    assert panel.insight.fact("parameters").startswith("124,439,808")
