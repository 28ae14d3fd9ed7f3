"""Four runs training in a real window: its lag, a Gaussian process dragged beside them, and what watching takes from training."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.app import Studio, make_application
from tests.bench.figure import Figure
from tests.bench.gp_drag import _drag, _wait

SECONDS, ROUNDS = 6.0, 6
P99_MS, WATCHING = 16.0, 5.0
DRAGGED = 500
SCENES = {
    "four tables": ('{"id":"grid"}', ("sarsa", "q_learning", "expected_sarsa", "double_q")),
    "four networks": ('{"id":"CartPole-v1"}', ("ppo", "dqn", "a2c", "ppo")),
}


def run() -> list[Figure]:
    """Window lag, the drag, and steps a second watched and unwatched, for tables and for networks."""
    application = make_application()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as scratch:
        studio = Studio(Path(scratch) / "data", theme="light")
        ready: list[bool] = []
        studio.ready.connect(lambda: ready.append(True))
        studio.window.resize(1600, 1000)
        studio.show()
        try:
            _wait(lambda: bool(ready) and bool(studio.window.panels.plugins))
            panels = studio.window.panels
            for name in ("gp", "rl"):
                panels.open(name)
                _wait(lambda name=name: panels.panel(name) is not None)
            panel: Any = panels.panel("rl")
            _wait(lambda: panel.controls.described is not None)
            for title, (world, agents) in SCENES.items():
                begin(panel, world, agents)
                figures += lag(studio, panel, title)
                figures.append(watching(panel, title))
                panels.open("gp")
                figures += _dragged(panels.panel("gp"), panel, title)
                panels.open("rl")
                panel.desk.clear()
                _wait(lambda: not panel.desk.pending())
        finally:
            studio.window.close()
            studio.close()
            application.processEvents()
    return figures


def begin(panel: Any, world: str, agents: Sequence[str]) -> None:
    """Train these from the panel, without an end, each at its own speed."""
    from studio_plugins.rl.controls import Chosen
    from studio_plugins.rl.request import RlRequest

    wanted = RlRequest().world if world == '{"id":"grid"}' else world
    panel._take({**RlRequest().to_dict(), "world": wanted, "seeds": 1, "steps": 100_000_000})
    _wait(lambda: panel.controls.described is not None and panel.controls.described.spec.id in world)
    described = panel.controls.described
    panel.controls.set_runs([Chosen(agent, described.offer(agent).settings) for agent in agents])
    panel.controls.set_together(False)
    panel.begin()
    _wait(lambda: len(panel.desk.views) == len(agents))


def lag(studio: Any, panel: Any, title: str) -> list[Figure]:
    """How late the window's timer comes."""
    meter = studio.window.lag
    _rest(1.0)
    meter.reset()
    before = _steps(panel)
    _rest(SECONDS)
    late = sorted(meter.everything())
    note = f"{len(late)} samples, {(_steps(panel) - before) / SECONDS:,.0f} steps/s of all runs together"
    p99 = late[min(len(late) - 1, round(0.99 * (len(late) - 1)))]
    return [
        Figure.at_most(f"window lag with {title}, p99", p99, "ms", P99_MS, note),
        Figure(f"window lag with {title}, maximum", late[-1], "ms", None, True),
    ]


def watching(panel: Any, title: str) -> Figure:
    """Steps a second while the panel shows its runs, against the same runs while it shows nothing; they take turns."""
    rates: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(ROUNDS):
        for watched in (True, False) if turn % 2 else (False, True):  # what they do changes as they learn
            panel.desk.watch(watched)
            _rest(0.5)
            before, began = _counted(panel), time.perf_counter()
            _rest(SECONDS)
            rates[watched].append((_counted(panel) - before) / (time.perf_counter() - began))
    panel.desk.watch(True)
    seen, unseen = statistics.median(rates[True]), statistics.median(rates[False])
    cost = 100 * (1 - seen / unseen)
    return Figure.at_most(f"watching {title} costs, of their steps a second", cost, "%", WATCHING, f"{seen:,.0f} against {unseen:,.0f}")


def _dragged(gp: Any, panel: Any, title: str) -> list[Figure]:
    """A point of a Gaussian process is dragged while they train."""
    task = next(task for task in map(panel.desk.task_of, panel.desk.seats) if task is not None)
    figures = _drag(gp, DRAGGED, task)
    return [Figure(f"beside {title}: {f.name}", f.value, f.unit, f.limit, f.ok, f.note) for f in figures]


def _steps(panel: Any) -> int:
    return sum(view.total for view in panel.desk.views.values())


def _counted(panel: Any) -> int:
    """The same from the engine's own count, which goes on while nobody looks."""
    tasks = [panel.desk.task_of(seat) for seat in panel.desk.seats]
    return sum(int(task.progress.done) for task in tasks if task is not None and task.progress is not None)


def _rest(seconds: float) -> None:
    due = time.perf_counter() + seconds
    _wait(lambda: time.perf_counter() >= due)
