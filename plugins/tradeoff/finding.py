"""What the points on screen say of GLIDE's finding, in one sentence worked out from them.

GLIDE (arXiv 2112.10741, section 4 and figure 6): classifier-free guidance beats CLIP guidance, and CLIP guidance wins
only on the CLIP score, the number it climbs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from studio.ml.evaluation.points import Guidance, Point
from studio_plugins.tradeoff.words import NAMES, percent

Winner = Literal["classifier-free", "clip", "open"]
Z = 1.96
"""Standard errors of a 95 % interval."""


class Estimate(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Finding:
    """Who draws more right pictures and who has the higher CLIP score; "open" where the intervals do not tell.

    holds: True when both are as GLIDE found, False when either is the other way round, None while that is open.
    """

    quality: Winner
    clip_score: Winner
    holds: bool | None
    sentence: str


def finding(points: Sequence[Point]) -> Finding:
    """Compare the best points of classifier-free and CLIP guidance, each by its own scale."""
    free, clip = _of(points, "classifier-free"), _of(points, "clip")
    scored = [point for point in (*free, *clip) if point.clip_score is not None]
    if not free or not clip or len(scored) < len(free) + len(clip):
        return Finding("open", "open", None, _missing(free, clip))
    right = {"classifier-free": _best(free, _accuracy), "clip": _best(clip, _accuracy)}
    similar = {"classifier-free": _best(free, _score), "clip": _best(clip, _score)}
    quality = _winner(_right(right["classifier-free"]), _right(right["clip"]))
    score = _winner(_similar(similar["classifier-free"]), _similar(similar["clip"]))
    as_glide = (quality == "classifier-free") + (score == "clip")
    holds = False if quality == "clip" or score == "classifier-free" else True if as_glide == 2 else None
    shares = _pair(right["classifier-free"], right["clip"], lambda point: percent(point.accuracy))
    cosines = _pair(similar["classifier-free"], similar["clip"], lambda point: f"{_score(point):.3f}")
    sentence = f"{_verdict(as_glide, holds)} {_quality_words(quality)} ({shares}), and {_score_words(score)} ({cosines})."
    return Finding(quality, score, holds, sentence)


def _of(points: Sequence[Point], guidance: Guidance) -> list[Point]:
    return [point for point in points if point.kind == guidance]


def _best(points: Sequence[Point], by: Callable[[Point], float]) -> Point:
    """The highest; of equal ones that of the smaller scale."""
    return max(points, key=lambda point: (by(point), -point.scale))


def _accuracy(point: Point) -> float:
    return point.accuracy


def _score(point: Point) -> float:
    return -math.inf if point.clip_score is None else point.clip_score


def _right(point: Point) -> Estimate:
    return Estimate(point.accuracy, *point.interval)


def _similar(point: Point) -> Estimate:
    spread = Z * (point.clip_error or 0.0)
    return Estimate(_score(point), _score(point) - spread, _score(point) + spread)


def _winner(free: Estimate, clip: Estimate) -> Winner:
    """Whose value is higher, where 0 lies outside the 95 % interval of the difference (Newcombe 1998, method 10)."""
    if free.value - clip.value > math.hypot(free.value - free.low, clip.high - clip.value):
        return "classifier-free"
    return "clip" if clip.value - free.value > math.hypot(clip.value - clip.low, free.high - free.value) else "open"


def _pair(free: Point, clip: Point, value: Callable[[Point], str]) -> str:
    return f"{value(free)} at s = {free.scale:g} against {value(clip)} at s = {clip.scale:g}"


def _verdict(as_glide: int, holds: bool | None) -> str:
    """`as_glide` of the two parts are as GLIDE found."""
    if holds is None:
        return "Half of GLIDE’s finding shows here:" if as_glide else "These pictures do not decide on GLIDE’s finding:"
    return "GLIDE’s finding holds here:" if holds else "GLIDE’s finding does not hold here:"


def _quality_words(winner: Winner) -> str:
    return {
        "classifier-free": "classifier-free guidance draws more right pictures than CLIP guidance",
        "clip": "CLIP guidance draws more right pictures than classifier-free guidance",
        "open": "the best shares of right pictures of classifier-free and CLIP guidance cannot be told apart",
    }[winner]


def _score_words(winner: Winner) -> str:
    return {
        "classifier-free": "classifier-free guidance has the higher CLIP score too",
        "clip": "CLIP guidance has the higher CLIP score",
        "open": "their highest CLIP scores cannot be told apart",
    }[winner]


def _missing(free: Sequence[Point], clip: Sequence[Point]) -> str:
    """Which curve is still to come."""
    missing = [NAMES["classifier-free"]] * (not free) + [NAMES["clip"]] * (not clip)
    if missing:
        return f"To compare with GLIDE’s finding, points of {' and '.join(missing)} guidance are needed."
    return "To compare with GLIDE’s finding, every point needs a CLIP score."
