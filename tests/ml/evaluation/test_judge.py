"""The judge: what counts as showing what was asked."""

from __future__ import annotations

import pytest

from studio.ml.data.scenes import Placed, Scene
from studio.ml.evaluation.judge import judge
from studio.ml.evaluation.oracle import Reading, Seen

ASKED = Scene("relation", (Placed("cat", 0.25, 0.5, 0.4), Placed("dog", 0.75, 0.5, 0.4)), "blue", relation="left of")


def seen(*objects, background="blue"):
    return Reading(tuple(Seen(noun, x, y, side, 0.9) for noun, x, y, side in objects), background)


@pytest.mark.parametrize(
    ("reading", "right"),
    [
        (seen(("cat", 0.2, 0.5, 0.4), ("dog", 0.8, 0.6, 0.4)), True),
        (seen(("dog", 0.2, 0.5, 0.4), ("cat", 0.8, 0.6, 0.4)), False),
        (seen(("cat", 0.4, 0.2, 0.4), ("dog", 0.6, 0.8, 0.4)), False),
        (seen(("cat", 0.2, 0.5, 0.4)), False),
        (seen(("cat", 0.2, 0.5, 0.4), ("dog", 0.8, 0.5, 0.4), ("dog", 0.5, 0.9, 0.4)), False),
        (seen(("cat", 0.2, 0.5, 0.4), ("dog", 0.8, 0.5, 0.4), background="red"), False),
    ],
)
def test_relation(reading, right):
    assert judge(ASKED, reading).all is right


@pytest.mark.parametrize(("size", "side", "right"), [("small", 0.3, True), ("small", 0.6, False), ("large", 0.8, True), ("", 0.8, True)])
def test_size_counts_only_when_it_was_said(size, side, right):
    asked = Scene("single", (Placed("cat", 0.5, 0.5, 0.34),), "blue", size=size)
    assert judge(asked, seen(("cat", 0.5, 0.5, side))).size is right
