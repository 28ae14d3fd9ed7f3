"""Agents: steps a second against Stable-Baselines3 at equal settings, tables, worlds, and what watching costs.

Everything on one thread, in seconds of processor time, which other programs do not change; runs take turns, and the
median of each counts. A share is our time over theirs: at most 1 where we must not be slower.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from studio.ml.rl import learners
from studio.ml.rl.agent import Settings
from studio.ml.rl.grid import cliff
from studio.ml.rl.kinds import KINDS
from studio.ml.rl.learner import Learner
from studio.ml.rl.lockstep import Lockstep
from studio.ml.rl.plan import Plan
from studio.ml.rl.presets import presets
from studio.ml.rl.session import Session
from studio.ml.rl.walk import Walk
from studio.ml.rl.worlds import Worlds, WorldSpec
from tests.bench.figure import Figure

SEED, ROUNDS = 0, 5
UPDATE_US = 5.0
"""200,000 updates a second."""
WATCHING = 5.0
KEEPING = 1.5
"""Ours keep the actions of every episode, seed each one apart and check what comes back; Gymnasium's do not."""
CARTPOLE, PENDULUM = WorldSpec("CartPole-v1"), WorldSpec("Pendulum-v1")
PPO = {"n_steps": 32, "batch_size": 256, "n_epochs": 20, "gae_lambda": 0.8, "gamma": 0.98}
DQN = {
    "batch_size": 64, "buffer_size": 50_000, "learning_starts": 1000, "target_update_interval": 10, "train_freq": 256,
    "gradient_steps": 128, "exploration_fraction": 0.16, "exploration_final_eps": 0.04,
    "policy_kwargs": {"net_arch": [256, 256]},
}  # fmt: skip
SAC = {"buffer_size": 12_000}
RATES = {"PPO": 1e-3, "DQN": 2.3e-3, "SAC": 1e-3}


def run() -> list[Figure]:
    """PPO, DQN and SAC; tables; worlds; watching."""
    torch.set_num_threads(1)
    return [
        against("PPO", CARTPOLE, 8, PPO, 2048, 1.0), against("DQN", CARTPOLE, 1, DQN, 1024, 1.0),
        against("SAC", PENDULUM, 1, SAC, 200, None), *tables(), vectorised(), *watching(),
    ]  # fmt: skip


def against(
    algorithm: str, spec: WorldSpec, count: int, told: dict[str, Any], steps: int, limit: float | None
) -> Figure:
    """Collecting and learning of `steps` steps, ours and theirs, at the settings that rl-zoo tuned for this world."""
    ours, theirs = our_agent(algorithm, spec), their_agent(algorithm, spec, count, told)

    def advance() -> None:
        goal = ours.steps + steps
        while ours.steps < goal:
            ours.advance()

    # DQN and SAC learn after their random steps only; those are taken before anything is measured.
    first = -(-int(told.get("learning_starts", 100)) // steps) + 1
    times = medians({"ours": advance, "theirs": lambda: theirs.learn(steps, reset_num_timesteps=False)}, ROUNDS, first)
    share = times["ours"] / times["theirs"]
    note = f"{1 / share:.2f} times as fast: {steps / times['ours']:,.0f} steps/s against {steps / times['theirs']:,.0f}"
    title = f"{algorithm} in {spec.id}, {count} worlds, as a share of Stable-Baselines3's time"
    ours.close()
    if limit is None:
        return Figure(title, share, "", None, True, note)
    return Figure.at_most(title, share, "", limit, note)


def our_agent(algorithm: str, spec: WorldSpec) -> Learner:
    """Ours with the preset of that world; rates stand still and ε is at its last value, as theirs are."""
    (preset,) = (p for p in presets() if p.world.id == spec.id and p.kind == algorithm.lower())
    still = {name: False for name in ("decay", "clip_decay") if hasattr(preset.settings, name)}
    if algorithm == "DQN":
        still["double"] = False
    return learners.make(preset.kind, spec, replace(preset.settings, **still), SEED, 1)


def their_agent(algorithm: str, spec: WorldSpec, count: int, told: dict[str, Any]) -> Any:
    """Theirs, in its own vectorised worlds."""
    import stable_baselines3
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.logger import Logger

    venv = make_vec_env(spec.id, count, SEED)
    made = getattr(stable_baselines3, algorithm)
    agent = made("MlpPolicy", venv, learning_rate=RATES[algorithm], seed=SEED, device="cpu", **told)
    agent.set_logger(Logger(None, []))
    return agent


def tables() -> list[Figure]:
    """Updates of the readable agents, bare and as a run, and of many seeds in step, on the cliff."""
    settings, figures = Settings(), []
    for name in ("sarsa", "q_learning", "expected_sarsa"):
        agent = KINDS[name](Walk(cliff().model, SEED), settings, SEED)

        def walk(agent: Any = agent) -> None:
            for _ in range(20_000):
                agent.step()

        each = 1e6 * medians({"ours": walk}, ROUNDS)["ours"] / 20_000
        note = f"{1e6 / each:,.0f} a second"
        figures.append(Figure(f"an update of the readable {name}", each, "µs", None, True, note))
    figures.append(through_the_door())
    together = Lockstep(cliff().model, "q_learning", range(100), 300, settings)
    began = time.process_time()
    for _progress in together:
        pass
    each = 1e6 * (time.process_time() - began) / together.steps
    note = f"{1e6 / each:,.0f} a second; 100 seeds"
    return [*figures, Figure.at_most("an update of Q-learning, seeds in step", each, "µs", UPDATE_US, note)]


def through_the_door(steps: int = 20_000) -> Figure:
    """The same Q-learning as a run of the panel has it, with all that a window shows noted down."""
    kind = learners.kind_of("q_learning")
    session = Session(Plan(WorldSpec("grid", grid=cliff()), kind.name, kind.settings(), SEED, 1, 10**9))

    def train() -> None:
        goal = session.steps + steps
        while session.steps < goal:
            session.advance()

    each = 1e6 * medians({"ours": train}, ROUNDS)["ours"] / steps
    note = f"{1e6 / each:,.0f} a second"
    return Figure.at_most("an update of Q-learning as a run of the panel", each, "µs", UPDATE_US, note)


def vectorised(count: int = 8, steps: int = 2000) -> Figure:
    """Steps of bare worlds, with their replays and seeds, against Gymnasium's own vector of the same worlds."""
    import gymnasium

    ours = Worlds(CARTPOLE, count, SEED)
    ours.reset()
    theirs = gymnasium.make_vec(CARTPOLE.id, count, vectorization_mode="sync")
    theirs.reset(seed=SEED)
    actions = np.random.Generator(np.random.PCG64(SEED)).integers(0, 2, (steps, count))

    def step(world: Any) -> Callable[[], None]:
        def all_steps() -> None:
            for action in actions:
                world.step(action)

        return all_steps

    times = medians({"ours": step(ours), "theirs": step(theirs)}, ROUNDS)
    share, each = times["ours"] / times["theirs"], {name: count * steps / t for name, t in times.items()}
    note = f"{1 / share:.2f} times as fast: {each['ours']:,.0f} steps/s against {each['theirs']:,.0f}"
    ours.close()
    theirs.close()
    return Figure.at_most(f"{count} worlds of {CARTPOLE.id}, as a share of Gymnasium's vector", share, "", KEEPING, note)


def watching(steps: int = 2048, rounds: int = 9) -> list[Figure]:
    """The same run with and without being watched, as the panel does it.

    It has views with frames at the display's rate at most, and never sooner than 25 times what the last one cost.
    """
    from studio_plugins.rl.seat import Seat
    from studio_plugins.rl.training import TrainOrder, Watch

    (preset,) = (p for p in presets() if p.world.id == CARTPOLE.id and p.kind == "ppo")
    plan = Plan(CARTPOLE, "ppo", preset.settings, SEED, 1, 10**6)
    alone, watched = Session(plan), Session(plan)
    watch, looks = Watch(TrainOrder(Seat("A", plan))), [0, 0.0]

    def unseen() -> None:
        goal = alone.steps + steps
        while alone.steps < goal:
            alone.advance()

    def seen() -> None:
        goal = watched.steps + steps
        while watched.steps < goal:
            watched.advance()
            if watch.due():
                began = time.monotonic()
                watched.view(frame=True)
                watch.looked(began)
                looks[0] += 1
                looks[1] += time.monotonic() - began

    times = medians({"alone": unseen, "watched": seen}, rounds)
    cost = 100 * (times["watched"] / times["alone"] - 1)
    note = f"{looks[0]} views of {1000 * looks[1] / max(1, looks[0]):.1f} ms"
    assert alone.steps == watched.steps
    same = all(
        np.array_equal(a, watched.member(0).keep().arrays[name]) for name, a in alone.member(0).keep().arrays.items()
    )
    return [
        Figure.at_most("training while it is watched, longer by", cost, "%", WATCHING, note),
        Figure.at_most("runs that watching changed", 0 if same else 1, "", 0),
    ]


def medians(runs: Mapping[str, Callable[[], object]], rounds: int, first: int = 1) -> dict[str, float]:
    """Median processor time of each, in seconds; they take turns, after `first` calls each that do not count."""
    timed: dict[str, list[float]] = {name: [] for name in runs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(rounds + first):
            for name, once in runs.items():
                began = time.process_time()
                once()
                if number >= first:
                    timed[name].append(time.process_time() - began)
    return {name: statistics.median(times) for name, times in timed.items()}
