"""The jobs that show a world apart from training: a policy plays, a person plays, an episode is seen again."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Literal

import numpy as np

from studio.engine import Event, JobContext, Log, Offload, Progress, Snapshot, Wait
from studio.ml.rl.learner import Episode, Look, Policy, TableLook
from studio_plugins.rl.agent_files import Guest, opened
from studio_plugins.rl.seat import Seat
from studio_plugins.rl.shared import Shared
from studio_plugins.rl.training import seated
from studio_plugins.rl.yard import in_yard

Running = Generator[Event | Offload | Wait, Any, Any]
CHANGED = "The world or its rewards were changed since: these are the same actions in the world of now."
_REST = 1 / 30
_PIECE = 64
"""Steps in a row before others are served."""
_APART = 1_000_003
"""Players' seeds are this far from those of training."""


class Dial(Shared):
    """What the hand turns while a job plays: written by the window, read by the job."""

    turned = ("fps", "paused", "shown", "held", "patient", "seek")

    def __init__(self, fps: float = 15.0) -> None:
        super().__init__()
        self.fps = fps
        self.paused = False
        self.shown = True
        """Whether the panel is on show; hidden, nobody plays."""
        self.steps: deque[None] = deque()
        """One entry for each single step asked for while paused."""
        self.pressed: deque[Any] = deque(maxlen=8)
        """Actions of keys, in the order they were pressed."""
        self.held: Any = None
        """The action of the key that is down now."""
        self.patient = True
        """Whether the world waits for a key before it moves."""
        self.seek: int | None = None
        """The step of a replay to show next."""

    def step(self) -> None:
        """One step, while it is paused."""
        self.steps.append(None)

    def press(self, action: Any) -> None:
        """A key was pressed."""
        self.pressed.append(action)

    def begin(self) -> None:
        """Another player: what was pressed for the one before is forgotten."""
        self.pressed.clear()
        self.held = self.seek = None

    def pause(self) -> float:
        """Seconds to rest now; 0 where a step may be made."""
        if not self.shown:
            return _REST
        if not self.paused:
            return 0.0
        if self.steps:
            self.steps.popleft()
            return 0.0
        return _REST


@dataclass(frozen=True, eq=False)
class PlayOrder:
    """Who plays in the run's world: its current policy, its best one, the person, or an agent out of a file."""

    seat: Seat
    dial: Dial
    who: Literal["current", "best", "you", "opened"] = "current"
    guest: Guest | None = None


@dataclass(frozen=True, eq=False)
class ReplayOrder:
    """Which episode of a run to see again."""

    seat: Seat
    dial: Dial
    episode: Episode


@dataclass(frozen=True, eq=False)
class Played:
    """A moment of a player. step of length: where a replay is; length is 0 for those that play on."""

    look: Look
    who: str
    step: int = 0
    length: int = 0
    finished: bool = False


@dataclass
class _Scene:
    """The present episode of a player, and what it looks like."""

    table: TableLook | None
    grid: Any
    number: int = 0
    trail: list[int] = field(default_factory=list)
    total: float = 0.0
    time: int = 0

    def look(self, observation: Any, frame: Any, text: str, action: Any, reward: float) -> Look:
        table = self.table
        if table is not None:
            table = replace(table, state=int(observation), trail=tuple(self.trail[-1000:]), transition=None)
        return Look(
            0, self.number, self.time, self.total, "collect", np.array(observation), frame, text, self.grid, action,
            reward, table,
        )  # fmt: skip


@in_yard
def play(order: PlayOrder, ctx: JobContext) -> Running:
    """Play one episode after another at the dial's pace, until cancelled. Raises RLError, AnnexEnded."""
    from studio.ml.rl.worlds import Worlds

    session, dial = (yield from seated(order.seat)), order.dial
    yield Progress(0, 1, "opening a world to play in")
    worlds = Worlds(session.plan.world, 1, session.plan.seed + _APART)
    try:
        guest = None
        if order.guest is not None:
            found = yield Offload(opened, order.guest.path)
            found.check(worlds.description, session.plan.world)
            guest = found.policy
        observations = worlds.reset()
        for number in count():
            policy = guest or _player(order, session)
            scene = _Scene(session.view().look.table, session.plan.world.grid, number)
            _enter(scene, observations)
            yield _shown(order, scene, worlds, observations[0], None, 0.0)
            over = False
            while not over:
                action = yield from _choice(dial, policy, observations[0], worlds)
                stepped = worlds.step(np.array([action]))
                over = bool(stepped.terminated[0] or stepped.truncated[0])
                scene.time, scene.total = scene.time + 1, scene.total + float(stepped.rewards[0])
                last = stepped.final[0]
                if scene.table is not None:
                    scene.trail.append(int(last))
                yield _shown(order, scene, worlds, last, action, float(stepped.rewards[0]), over)
                yield Wait(1 / max(dial.fps, 0.1))
                observations = stepped.observations
    finally:
        worlds.close()


def _player(order: PlayOrder, session: Any) -> Policy | None:
    """The run's own policy that plays the next episode; None where the person does."""
    policy: Policy | None = None if order.who == "you" else session.policy(order.who)
    return policy


def _enter(scene: _Scene, observations: Any) -> None:
    if scene.table is not None:
        scene.trail.append(int(observations[0]))


def _choice(dial: Dial, policy: Policy | None, observation: Any, worlds: Any) -> Running:
    """The next action: of the policy, or of the person once there is one."""
    while (rest := dial.pause()) > 0:
        yield Wait(rest)
    if policy is not None:
        return policy.act(observation)
    while dial.patient:
        if dial.pressed:
            return dial.pressed.popleft()
        yield Wait(_REST)
    # In real time the last key that was tapped since the frame before counts, else the one that is down.
    tapped = dial.pressed.pop() if dial.pressed else None
    dial.pressed.clear()
    action = dial.held if tapped is None else tapped
    return idle_action(worlds.description) if action is None else action


def idle_action(description: Any) -> Any:
    """What happens in a world that does not wait while no key is down: no force, or the action named so, or the first."""
    if description.actions == "continuous":
        low, high = np.array(description.low), np.array(description.high)
        return np.clip(np.zeros_like(low), low, high).astype(np.float32)
    names = [name.lower() for name in description.names]
    return next((k for k, name in enumerate(names) if name in ("noop", "none", "nothing", "coast", "no-op")), 0)


def _shown(
    order: PlayOrder, scene: _Scene, worlds: Any, observation: Any, action: Any, reward: float, finished: bool = False
) -> Snapshot:
    text = worlds.text(0) if worlds.description.seen == "ansi" else ""
    look = scene.look(observation, worlds.frame(0), text, action, reward)
    return Snapshot("play", Played(look, order.who, finished=finished))


@in_yard
def replay(order: ReplayOrder, ctx: JobContext) -> Running:
    """Show an episode of training again, step by step, forwards and back, until cancelled. Raises RLError, AnnexEnded."""
    from studio.ml.rl.worlds import Replay

    session, dial, episode = (yield from seated(order.seat)), order.dial, order.episode
    yield Progress(0, 1, "opening the episode")
    table, world = session.view().look.table, session.plan.world
    again = Replay(world, episode.seed, episode.actions)
    try:
        trail, total = yield from _acted(again, table is not None)
        if differs(total, episode):
            yield Log(CHANGED)
        at, dial.seek = 0, None
        while True:
            while not again.forward(at, _PIECE):
                yield Progress(again.time, at, "acting the episode again")
            moment = again.show()
            scene = _Scene(table, world.grid, episode.number, trail[: at + 1], moment.total, at)
            look = scene.look(moment.observation, moment.frame, moment.text, moment.action, moment.reward)
            yield Snapshot("play", Played(look, "replay", at, again.length, at == again.length))
            yield Wait(1 / max(dial.fps, 0.1))
            at = yield from _next_step(dial, at, again.length)
    finally:
        again.close()


def differs(total: float, episode: Episode) -> bool:
    """Whether the same actions earned something else in their own time."""
    return abs(total - episode.total) > 1e-6 * max(1.0, abs(total))


def _acted(again: Any, numbered: bool) -> Running:
    """The whole episode once: its states, where they are numbered, and its return."""
    trail: list[int] = []
    for time in range(again.length + 1):
        again.forward(time)
        if numbered:
            trail.append(int(again.show(frame=False).observation))
        if time % _PIECE == 0:
            yield Progress(time, again.length, "acting the episode again")
    return trail, again.total


def _next_step(dial: Dial, at: int, length: int) -> Running:
    """Where to go next: where the hand points, or one step on; at the end, and while paused, it waits."""
    while True:
        if dial.seek is not None:
            at, dial.seek = max(0, min(dial.seek, length)), None
            return at
        if at < length and dial.pause() == 0:
            return at + 1
        yield Wait(_REST)
