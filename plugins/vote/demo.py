"""A good example for the manual, without the engine: a scene rendered as its prompt says, and the other way round."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from studio.ml.data.captions import plain_caption
from studio.ml.data.scenes import Placed, Scene, render
from studio_plugins.vote.contest import Contest, Pair
from studio_plugins.vote.entries import Entry
from studio_plugins.vote.jobs import Round, Survey
from studio_plugins.vote.request import VoteRequest
from studio_plugins.vote.votes import Ballots

if TYPE_CHECKING:
    from studio_plugins.vote.panel import VotePanel

PIXELS = 64
FIELD = "rendered"


def show(panel: VotePanel) -> None:
    """Put the example into the panel."""
    asked, turned = _scene(0.27, 0.73), _scene(0.73, 0.27)
    prompt = plain_caption(asked)
    left, right = (
        Entry("example", f"{name}.png", Path(), prompt, 0, {FIELD: name})
        for name in ("the other way round", "as asked")
    )
    panel.controls.offer([FIELD])
    panel.controls.form.set_fields({"question": "prompt"})
    panel.desk.survey = Survey((left, right), (FIELD,))
    panel.desk.request = VoteRequest(question="prompt", field=FIELD)
    contest, pair = Contest(panel.desk.request, (left, right)), Pair(left, right, FIELD)
    panel.desk.round = Round(contest, Ballots(), contest.pairs, pair, render(turned, PIXELS), render(asked, PIXELS))
    panel.show_round()


def _scene(cat: float, apple: float) -> Scene:
    """A cat and an apple with these centres, as shares of the width."""
    objects = Placed("cat", cat, 0.5, 0.42), Placed("red apple", apple, 0.5, 0.42)
    return Scene("relation", objects, "blue", relation="left of")
