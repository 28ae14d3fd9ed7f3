"""Agents as files: what a run has learnt goes out, an agent from elsewhere comes in to play beside the training."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from studio.engine import Event, JobContext, Offload, Progress
from studio.ml.rl.errors import BadCheckpoint, BadSetting
from studio.ml.rl.learner import Policy
from studio.ml.rl.worlds import Description, WorldSpec
from studio_plugins.rl.catalogue import title_of
from studio_plugins.rl.plans import agent_title
from studio_plugins.rl.seat import Seat
from studio_plugins.rl.training import seated
from studio_plugins.rl.yard import in_yard

if TYPE_CHECKING:
    from studio.ml.rl.sb3.space import Space

Running = Generator[Event | Offload, Any, Any]
Which = Literal["current", "best"]
ZIP = ".zip"


@dataclass(frozen=True, eq=False)
class SaveOrder:
    """Which policy of a run to write where: a folder, or for Stable-Baselines3 its zip file."""

    seat: Seat
    which: Which
    path: Path


@dataclass(frozen=True)
class SavedAgent:
    """Written; `path` is the folder or the zip file, `text` says what is in it."""

    path: Path
    text: str


def is_sb3(seat: Seat) -> bool:
    """Whether its agent is one of Stable-Baselines3, which has files of its own."""
    from studio.ml.rl.learners import kind_of

    return kind_of(seat.plan.kind).family == "sb3"


@in_yard
def save_agent(order: SaveOrder, ctx: JobContext) -> Running:
    """Write what a run's watched seed acts by. Raises BadSetting where there is none yet, FileUnwritable."""
    from studio.host.atomic import FileUnwritable
    from studio.ml.rl import agents

    seat, path = order.seat, order.path
    yield Progress(0, 1, "saving the agent")
    session = yield from seated(seat)
    learner, best = session.member(session.watched), session.bests[session.watched]
    if order.which == "best" and best is None:
        raise BadSetting("There is no best policy yet: it is chosen over 20 episodes. Train on, or save it as it is.")
    try:
        if is_sb3(seat):
            if order.which == "best":
                raise BadSetting("Agents of Stable-Baselines3 can be saved as they are, not with their best policy.")
            written = path if path.suffix == ZIP else path.with_name(path.name + ZIP)
            learner.write_zip(written)  # type: ignore[attr-defined]
            return SavedAgent(written, f"{agent_title(session.plan)}, as it is at step {learner.steps:,}")
        kept = agents.weights(learner) if best is None or order.which == "current" else best.weights
        assert kept is not None  # every agent but those of other libraries has weights of this kind
        yield Offload(agents.export, session.plan, kept, path)
    except OSError as error:
        raise FileUnwritable(path, error) from error
    when = "the best policy, of" if order.which == "best" else "as it is at"
    of = f"seed {learner.seed}, " if session.plan.seeds > 1 else ""
    return SavedAgent(path, f"{agent_title(session.plan)}, {of}{when} step {int(kept.data['steps']):,}")


@dataclass(frozen=True)
class Guest:
    """An agent in a file, that may play. told: what it is, in sentences."""

    path: Path
    title: str
    told: str


@dataclass(frozen=True, eq=False)
class OpenOrder:
    """An agent's file (a zip, or agent.json beside its safetensors), and the world it is to play in, if one is open."""

    path: Path
    world: WorldSpec | None


def open_agent(order: OpenOrder, ctx: JobContext) -> Running:
    """Read an agent; gives a Guest. Raises BadCheckpoint with the reason, also where it does not fit the world."""
    yield Progress(0, 1, f"opening {order.path.name}")
    found: Opened = yield Offload(opened, order.path)
    if order.world is not None:
        from studio.ml.rl.worlds import describe

        description: Description = yield Offload(describe, order.world)
        found.check(description, order.world)
    return Guest(order.path, found.title, found.told)


@dataclass(frozen=True, eq=False)
class Opened:
    """An agent out of a file. home: what it observed and how it acted where it was trained."""

    title: str
    told: str
    policy: Policy
    home: Description

    def check(self, about: Description, world: WorldSpec) -> None:
        """Raises BadCheckpoint where it cannot play in a world."""
        if why := misfit(self.home, about):
            raise BadCheckpoint(f"{self.title} cannot play in {title_of(world)}: {why}")


def opened(path: Path) -> Opened:
    """The agent in a zip of Stable-Baselines3, or beside agent.json. Raises RLError."""
    if path.suffix.lower() == ZIP:
        from studio.ml.rl.sb3.archive import open_zip

        found = open_zip(path)
        home = _home(found.policy.observation, found.policy.action)
        return Opened(path.name, f"{found.description}. {' '.join(found.notes)}", found.policy, home)
    from studio.ml.rl.agents import load
    from studio.ml.rl.worlds import describe

    folder = path if path.is_dir() else path.parent
    agent = load(folder)
    told = f"{agent_title(agent.plan)}, trained for {agent.steps:,} steps in {title_of(agent.plan.world)}."
    return Opened(folder.name, told, agent.policy, describe(agent.plan.world))


def _home(seen: Space, act: Space) -> Description:
    """The spaces that a zip of Stable-Baselines3 tells, as the description of a world."""
    kind: Any = "discrete" if seen.kind == "Discrete" else "pixels" if seen.pixels else "vector"
    states = seen.n if kind == "discrete" else None
    if act.kind == "Discrete":
        return Description(kind, seen.shape, states, "discrete", act.n)
    low, high = (tuple(np.asarray(side, np.float64).reshape(-1).tolist()) for side in (act.low, act.high))
    return Description(kind, seen.shape, states, "continuous", None, low=low, high=high)


def misfit(home: Description, about: Description) -> str:
    """Why an agent trained in a world like `home` cannot play in another one, or nothing."""
    if not _sees_alike(home, about):
        return f"it was trained on {_observes(home)}, and there it would observe {_observes(about)}."
    # NumPy prints eight digits, so bounds out of a zip are not the same to the last one.
    near = len(home.low) == len(about.low) and np.allclose((home.low, home.high), (about.low, about.high), 1e-5, 1e-6)
    if home.actions != about.actions or home.n != about.n or not near:
        return f"it was trained to give {_gives(home)}, and there it would have to give {_gives(about)}."
    return ""


def _sees_alike(home: Description, about: Description) -> bool:
    if home.observation != about.observation or home.states != about.states:
        return False
    turned = home.shape[2:] + home.shape[:2]  # of pixels whose channels come last: the policy turns them itself
    return home.shape == about.shape or (home.observation == "pixels" and turned == about.shape)


def _observes(about: Description) -> str:
    if about.observation == "discrete":
        return f"one of {about.states} states"
    if about.observation == "vector" and len(about.shape) == 1:
        return f"{about.shape[0]} numbers"
    kind = "pixels" if about.observation == "pixels" else "numbers"
    return f"{kind} of shape {' × '.join(map(str, about.shape))}"


def _gives(about: Description) -> str:
    if about.actions == "discrete":
        return f"one of {about.n} actions"
    bounds = ", ".join(f"{low:g} to {high:g}" for low, high in zip(about.low, about.high, strict=True))
    return f"{about.size} real numbers ({bounds})"
