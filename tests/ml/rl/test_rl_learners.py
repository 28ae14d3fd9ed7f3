"""The list of agents: which world each one is for, what it begins with, and that reading it loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace

import pytest

from studio.ml.rl.grid import cliff
from studio.ml.rl.knobs import knob_of
from studio.ml.rl.learners import LEARNERS, make
from studio.ml.rl.worlds import Description, WorldSpec, describe

GRID = WorldSpec("grid", grid=cliff())
PIXELS = Description("pixels", (4, 84, 84), None, "discrete", 6)
ABOUT = {
    "grid": describe(GRID), "cartpole": describe(WorldSpec("CartPole-v1")),
    "pendulum": describe(WorldSpec("Pendulum-v1")),
    "pixels": PIXELS,
}  # fmt: skip


def test_reading_the_list_loads_nothing_heavy() -> None:
    code = (
        "import sys, studio.ml.rl.learners, studio.ml.rl.session, studio.ml.rl.statistics, studio.ml.rl.tensorboard;"
        "print(sorted({'torch', 'gymnasium', 'stable_baselines3', 'scipy', 'safetensors'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize("name", LEARNERS)
def test_every_agent_says_what_it_is_for(name: str) -> None:
    kind = LEARNERS[name]
    takes = {about for about, description in ABOUT.items() if not kind.refuses(description)}
    expected = {
        "tabular": {"grid"}, "sb3": set(ABOUT), "ppo": set(ABOUT), "a2c": set(ABOUT),
        "dqn": {"grid", "cartpole", "pixels"}, "sac": {"pendulum"},
    }  # fmt: skip
    assert takes == expected.get(name, expected.get(kind.family))
    assert all(str(kind.refuses(ABOUT[about])).endswith(".") for about in set(ABOUT) - takes)


@pytest.mark.parametrize("name", LEARNERS)
def test_every_agent_begins_with_settings_it_can_be_made_with(name: str) -> None:
    kind = LEARNERS[name]
    world = WorldSpec("Pendulum-v1") if name == "sac" else GRID
    settings = kind.default(describe(world))
    assert type(settings) is kind.settings and kind.default(PIXELS) is not None
    assert all(knob_of(field).label and knob_of(field).help for field in fields(settings))
    learner = make(name, world, settings, 3, 1000)
    assert (learner.kind, learner.seed, learner.settings, learner.steps) == (name, 3, settings, 0)
    assert kind.on_policy is None or learner.on_policy == kind.on_policy
    learner.advance()
    assert 1 <= learner.steps <= 64 and learner.look().steps == learner.steps
    learner.close()


def test_replay_buffers_of_pictures_are_small_to_begin_with() -> None:
    assert LEARNERS["dqn"].default(PIXELS) == replace(LEARNERS["dqn"].default(ABOUT["cartpole"]), buffer_size=10_000)
