"""What there is to choose: the worlds of this machine, and the agents for one of them. Looked up on the engine."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.ml.rl.learners import LEARNERS, LearnerKind
from studio.ml.rl.presets import Preset, presets_for, sb3_presets
from studio.ml.rl.worlds import Description, WorldSpec

Running = Generator[Event | Offload, Any, Any]

@dataclass(frozen=True, eq=False)
class Offer:
    """An agent, whether this world is for it (`refused` says why not), and the settings to begin with.

    on_policy: None where its settings decide. tuned: settings that are known to learn in this world, or None.
    tunings: of Stable-Baselines3, by algorithm.
    """

    agent: str
    title: str
    family: str
    on_policy: bool | None
    refused: str
    own: Any
    tuned: Preset | None = None
    tunings: Mapping[str, Preset] = field(default_factory=dict)

    @property
    def settings(self) -> Any:
        """What to begin with."""
        return self.own if self.tuned is None else self.tuned.settings

    @property
    def steps(self) -> int:
        """The budget that goes with tuned settings, else 0."""
        return 0 if self.tuned is None else self.tuned.steps

    @property
    def about(self) -> str:
        if self.on_policy is None:
            return "Any algorithm of Stable-Baselines3"
        on, off = "On-policy: learns about the way it acts", "Off-policy: learns about another way to act"
        return on if self.on_policy else off


@dataclass(frozen=True, eq=False)
class Described:
    """A world that could be opened, and all agents with what they say to it. first: its first picture, or None."""

    spec: WorldSpec
    description: Description
    offers: tuple[Offer, ...]
    first: Any = None

    def offer(self, agent: str) -> Offer:
        """Raises KeyError."""
        return next(offer for offer in self.offers if offer.agent == agent)

    @property
    def fit(self) -> tuple[Offer, ...]:
        """Those that can learn here."""
        return tuple(offer for offer in self.offers if not offer.refused)


def describe(spec: WorldSpec, ctx: JobContext) -> Running:
    """Open a world once, to know what it is. Raises RLError."""
    yield Progress(0, 1, f"opening {spec.title}")
    found: Described = yield Offload(described, spec)
    return found


def open_file(path: Path, ctx: JobContext) -> Running:
    """Find the first world in a file that the person trusts, and open it in a process of its own. Raises RLError."""
    yield Progress(0, 1, f"opening {path.name}")
    found: Described = yield Offload(_in_file, path)
    return found


def _in_file(path: Path) -> Described:
    from studio.ml.rl.worlds import UnknownWorld, offered, trust

    names = offered(path)
    if not names:
        raise UnknownWorld(f"{path.name} has no class or function at its top level; write a gymnasium.Env in it.")
    return described(trust(path, names[0]))


def described(spec: WorldSpec) -> Described:
    """Imports the world's libraries. Raises RLError."""
    from studio.ml.rl.worlds import describe as look_at

    about, tuned, foreign = look_at(spec), presets_for(spec), sb3_presets(spec)
    first = _first_picture(spec) if about.seen == "rgb" else None
    return Described(spec, about, tuple(_offer(kind, about, tuned, foreign) for kind in LEARNERS.values()), first)


def _first_picture(spec: WorldSpec) -> Any:
    from studio.ml.rl.worlds import Worlds

    worlds = Worlds(spec, 1, 0)
    try:
        worlds.reset()
        return worlds.frame(0)
    finally:
        worlds.close()


def _offer(kind: LearnerKind, about: Description, tuned: Mapping[str, Preset], foreign: Mapping[str, Preset]) -> Offer:
    refused = kind.refuses(about) or ""
    if kind.family == "sb3" and find_spec("stable_baselines3") is None:
        refused = "Needs the package stable-baselines3: pip install glassbox-studio[sb3]"
    own = kind.settings() if refused else kind.default(about)
    found = tuned.get(kind.name) if kind.family != "sb3" else foreign.get("PPO") or foreign.get("SAC")
    tunings = foreign if kind.family == "sb3" else {}
    return Offer(kind.name, kind.title, kind.family, kind.on_policy, refused, own, None if refused else found, tunings)
