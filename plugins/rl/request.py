"""Everything that determines a training: the world, one to four agents with their settings, seeds and steps."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from studio.host.request import Request, ui

MOST_RUNS, MOST_SEEDS = 4, 100
Value = bool | int | float | str

CLIFF = '{"id":"grid","grid":{"drawn":["............","............","............","SCCCCCCCCCCG"],"rewards":[],"wind":[],"slip":0.0,"step_reward":-1.0,"cliff_reward":-100.0,"moves":"URDL"}}'
"""Cliff walking, as `WorldSpec.to_json` writes it."""


class RunFields(BaseModel):
    """One run: its agent, by its name in `learners.LEARNERS`, and the settings that differ from the agent's own.

    steps: a budget of its own, for settings whose rates fall over so many; 0 is that of all runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    agent: Annotated[str, Field(min_length=1, max_length=60)]
    settings: tuple[tuple[str, Value], ...] = ()
    steps: Annotated[int, Field(ge=0, le=100_000_000)] = 0

    def values(self) -> dict[str, Value]:
        """The settings by name."""
        return dict(self.settings)


class RlRequest(Request):
    """A training of one to four agents in one world, on the same seeds."""

    kind: ClassVar[str] = "rl"

    world: str = ui(CLIFF, title="World", widget="hidden", max_length=1 << 20, sweepable=False)
    runs: tuple[RunFields, ...] = ui(
        (RunFields(agent="sarsa"), RunFields(agent="q_learning")),
        title="Runs", widget="hidden", min_length=1, max_length=MOST_RUNS, sweepable=False,
    )  # fmt: skip
    seed: int = ui(0, title="First seed", widget="seed", le=2**31 - 1 - MOST_SEEDS)
    seeds: int = ui(
        10, title="Seeds", ge=1, le=MOST_SEEDS,
        help="Every agent is trained once on each of these seeds; the curves show the middle half and how sure that is",
    )  # fmt: skip
    steps: int = ui(
        15_000, title="Steps", unit="of each seed", ge=1, le=100_000_000, log=True,
        help="Environment steps of each seed; it can be raised while it runs",
    )  # fmt: skip

    @field_validator("world", mode="after")
    @classmethod
    def _world_is_json(cls, text: str) -> str:
        try:
            told = json.loads(text)
        except ValueError as error:
            raise ValueError(f"the world is no JSON ({error})") from error
        if not isinstance(told, dict) or "id" not in told:
            raise ValueError("the world is a JSON object with an id, such as CartPole-v1")
        return json.dumps(told, separators=(",", ":"), ensure_ascii=False)

    def world_json(self) -> dict[str, Any]:
        """The world as `WorldSpec.from_json` reads it."""
        told: dict[str, Any] = json.loads(self.world)
        return told
