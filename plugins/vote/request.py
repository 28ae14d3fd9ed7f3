"""What is compared: which pictures stand for whom, who meets whom, and the question asked. Pure data, no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from studio.host.request import Request, ui

Match = Literal["seed", "prompt", "any"]
Question = Literal["better", "prompt"]

MATCHES: Mapping[str, str] = MappingProxyType(
    {"seed": "Same prompt and seed", "prompt": "Same prompt", "any": "Any two pictures"}
)
QUESTIONS: Mapping[str, str] = MappingProxyType(
    {"better": "Which picture looks better?", "prompt": "Which picture fits its prompt better?"}
)


class VoteRequest(Request):
    """A contest between groups of kept pictures: everything that determines its standing, given the votes."""

    kind: ClassVar[str] = "vote"

    question: Question = ui(
        "better",
        title="Question",
        help="What you judge by. GLIDE's authors asked for both, separately; each has a standing of its own.",
        widget="choice",
        choices=QUESTIONS,
        sweepable=False,
    )
    field: str = ui(
        "",
        title="Contestants differ in",
        help="The setting by whose value the pictures are told apart: each value is a contestant.",
        widget="choice",
        choices_from="fields",
        sweepable=False,
    )
    match: Match = ui(
        "prompt",
        title="Pictures meet that have",
        help="With the same prompt and seed the settings are the only difference; any two pictures tell less per vote.",
        widget="choice",
        choices=MATCHES,
        sweepable=False,
    )
    query: str = ui(
        "",
        title="Prompt contains",
        help="Only pictures whose prompt contains all of these words take part.",
        max_length=200,
        placeholder="any prompt",
        sweepable=False,
    )
    contestants: tuple[str, ...] = ui(
        (),
        title="Contestants",
        help="The values that take part; none means all.",
        widget="hidden",
        sweepable=False,
    )
    votes: str = ui(
        "",
        title="Votes",
        help="The file of votes (votes.jsonl in the panel's folder).",
        widget="hidden",
        sweepable=False,
    )
