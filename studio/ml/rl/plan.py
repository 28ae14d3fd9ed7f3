"""What is run, and what a window is shown of it: values without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from studio.ml.rl.errors import BadSetting, RLError
from studio.ml.rl.learner import Episode, Look, Phase
from studio.ml.rl.learners import kind_of
from studio.ml.rl.marks import Place
from studio.ml.rl.record import Curve
from studio.ml.rl.worlds import WorldSpec


@dataclass(frozen=True)
class Plan:
    """What is to be run. kind: in `learners.LEARNERS`. seeds: seed, seed + 1, and so on. steps: of each seed."""

    world: WorldSpec
    kind: str
    settings: Any
    seed: int = 0
    seeds: int = 1
    steps: int = 100_000

    def __post_init__(self) -> None:
        if not 1 <= self.seeds <= 1000:
            raise BadSetting(f"A run has from 1 to 1,000 seeds, not {self.seeds}.")
        if self.steps < 1:
            raise BadSetting(f"A run takes at least one step, not {self.steps}.")

    def to_json(self) -> dict[str, Any]:
        settings = {f.name: getattr(self.settings, f.name) for f in fields(self.settings)}
        plain = {"kind": self.kind, "seed": self.seed, "seeds": self.seeds, "steps": self.steps}
        return {"world": self.world.to_json(), "settings": settings, **plain}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Plan:
        """What `to_json` gave. Raises BadSetting, UnknownWorld."""
        try:
            settings = kind_of(told["kind"]).settings(**told["settings"])
            plain = {name: int(told[name]) for name in ("seed", "seeds", "steps")}
            return cls(WorldSpec.from_json(told["world"]), str(told["kind"]), settings, **plain)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, RLError):
                raise
            raise BadSetting(f"This is not the plan of a run ({error!r}).") from error


@dataclass(frozen=True)
class Note:
    """An edit on the curves. steps: of the watched seed when it was made."""

    steps: int
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class RunView:
    """All that a window shows of a run, as copies.

    steps, updates, phase, look, episodes, best: of the watched seed. total: steps of all seeds. seconds: of computing,
    all seeds together; rate: steps a second while computing. curves: by measure, one for each seed; "return" and
    "length" always. marks: to rewind to, the oldest first. episodes: finished lately, the newest last; best: the one of
    highest return. trouble: why seeds stopped, in sentences. number: of two looks at a run, the later has the larger.
    """

    plan: Plan
    steps: int
    total: int
    updates: int
    phase: Phase
    seconds: float
    rate: float
    watched: int
    look: Look
    curves: Mapping[str, tuple[Curve, ...]] = field(repr=False)
    marks: tuple[Place, ...] = field(repr=False)
    episodes: tuple[Episode, ...] = field(repr=False)
    best: Episode | None = field(repr=False)
    notes: tuple[Note, ...]
    finished: bool
    trouble: str
    number: int
