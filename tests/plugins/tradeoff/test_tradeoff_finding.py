"""The sentence on GLIDE's finding: it must follow the points, whichever way they lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from studio.ml.evaluation.points import Point
from studio_plugins.tradeoff import demo
from studio_plugins.tradeoff.finding import finding
from studio_plugins.tradeoff.words import NAMES, percent


def point(kind, scale, right, score, error=0.004, pictures=100):
    measures = {"frechet": 1, "diversity": 1, "clip_score": score, "clip_error": error}
    return Point(kind=kind, scale=scale, pictures=pictures, right=right, **measures)


UNGUIDED = point("unguided", 0, 60, 0.70)


def test_glides_finding_is_recognised():
    points = [UNGUIDED, point("classifier-free", 2, 90, 0.75), point("classifier-free", 3, 97, 0.78),
              point("clip", 1, 75, 0.80), point("clip", 5, 40, 0.90)]  # fmt: skip
    found = finding(points)
    assert (found.quality, found.clip_score, found.holds) == ("classifier-free", "clip", True)
    assert "holds here" in found.sentence
    assert "97 % at s = 3 against 75 % at s = 1" in found.sentence
    assert "0.780 at s = 3 against 0.900 at s = 5" in found.sentence


def test_the_opposite_is_told_as_such():
    points = [point("classifier-free", 3, 60, 0.9), point("clip", 1, 95, 0.8)]
    found = finding(points)
    assert (found.quality, found.clip_score, found.holds) == ("clip", "classifier-free", False)
    assert "does not hold here" in found.sentence and "CLIP guidance draws more right pictures" in found.sentence


@pytest.mark.parametrize(
    ("free", "clip", "quality", "score", "words"),
    [
        (point("classifier-free", 3, 97, 0.78), point("clip", 1, 94, 0.90), "open", "clip", "Half of"),
        (point("classifier-free", 3, 97, 0.78), point("clip", 1, 60, 0.785), "classifier-free", "open", "Half of"),
        (
            point("classifier-free", 3, 12, 0.7, pictures=12), point("clip", 1, 9, 0.7, pictures=12),
            "open", "open", "do not decide",
        ),
    ],
)  # fmt: skip
def test_what_the_intervals_do_not_tell_stays_open(free, clip, quality, score, words):
    found = finding([free, clip])
    assert (found.quality, found.clip_score, found.holds) == (quality, score, None)
    assert words in found.sentence and "cannot be told apart" in found.sentence


def test_a_difference_is_judged_by_its_own_interval():
    """56 of 70 against 48 of 80: the difference is 5.2 % to 33.4 % (Newcombe 1998, table II, method 10), so it counts."""
    free, clip = point("classifier-free", 3, 56, 0.7, pictures=70), point("clip", 1, 48, 0.7, pictures=80)
    assert free.interval[0] < clip.interval[1], "the single intervals overlap all the same"
    assert finding([free, clip]).quality == "classifier-free"
    assert finding([free.model_copy(update={"right": 50}), clip]).quality == "open"


def test_one_part_the_other_way_round_is_enough_against_it():
    found = finding([point("classifier-free", 3, 60, 0.78), point("clip", 1, 95, 0.90)])
    assert (found.quality, found.clip_score, found.holds) == ("clip", "clip", False)
    assert "does not hold here" in found.sentence


def test_without_both_curves_nothing_is_claimed():
    assert "classifier-free and CLIP" in finding([UNGUIDED]).sentence
    assert "points of CLIP guidance are needed" in finding([point("classifier-free", 3, 9, 0.5)]).sentence
    unscored = [point("classifier-free", 3, 9, None, None), point("clip", 3, 9, None, None)]
    assert "needs a CLIP score" in finding(unscored).sentence
    assert all(finding(points).holds is None for points in ([], [UNGUIDED], unscored))


def test_of_equally_good_points_the_gentler_counts():
    points = [point("classifier-free", 8, 97, 0.7), point("classifier-free", 2, 97, 0.7), point("clip", 1, 50, 0.9)]
    assert "97 % at s = 2" in finding(points).sentence


def test_the_shipped_example_says_what_the_help_says():
    """The figures in help.md are those of the example; whoever draws it anew writes them anew."""
    found = demo.read()
    assert found is not None and found.complete and len(found.texts) == found.request.pictures
    result = finding(found.points)
    assert (result.quality, result.clip_score, result.holds) == ("open", "clip", None)
    text = (Path(demo.__file__).with_name("help.md")).read_text(encoding="utf-8")
    for point in found.points:
        scale = f"{point.scale:g}" if point.kind not in ("renders", "unguided") else "–"
        row = [NAMES[point.kind], scale, percent(point.accuracy)]
        row += [f"{point.frechet:.2f}", f"{point.diversity:.2f}", f"{point.clip_score:.3f}"]
        assert f"| {' | '.join(row)} |" in text, row
