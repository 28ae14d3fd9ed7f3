"""From a mouse move over a dragged point to painted mean, band and likelihood, while a network trains on the compute thread."""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from studio.app import Studio, make_application
from studio.engine import Event, JobContext, Progress
from tests.bench.figure import Figure

SIZES, MOVES, EVERY_MS, P95_MS = (50, 500, 2000), 300, 16, 16.0
PATIENCE_S = 120.0


def run() -> list[Figure]:
    """p95 and median of the time from each move to its picture, for each number of points."""
    application = make_application()
    with tempfile.TemporaryDirectory() as scratch:
        studio = Studio(Path(scratch) / "data", theme="light")
        ready: list[bool] = []
        studio.ready.connect(lambda: ready.append(True))
        studio.window.resize(1500, 900)
        studio.show()
        try:
            _wait(lambda: bool(ready) and bool(studio.window.panels.plugins))
            studio.window.panels.open("gp")
            _wait(lambda: studio.window.panels.panel("gp") is not None)
            panel: Any = studio.window.panels.panel("gp")
            engine: Any = studio.services.engine
            training = engine.submit(_training, Path(scratch) / "run", title="training", owner="bench")
            _wait(lambda: training.progress is not None)
            figures = [figure for n in SIZES for figure in _drag(panel, n, training)]
            training.cancel()
            _wait(lambda: not training.stopping)
        finally:
            studio.window.close()
            studio.close()
            application.processEvents()
    return figures


def _drag(panel: Any, n: int, training: Any) -> list[Figure]:
    """Take the point in the middle, move it round and round, let it go."""
    from PySide6.QtCore import QPoint, Qt
    from PySide6.QtTest import QTest
    from studio_plugins.gp.document import Scene
    from studio_plugins.gp.points import Points

    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-5, 5, n))
    panel._take_scene("bench", Scene(Points.of(x, np.sin(x) + rng.normal(0, 0.2, n)), noise=0.2))
    _wait(lambda: not panel.desk.posterior.busy)
    plot = panel.stage.plot
    canvas, surface = plot.canvas, plot.canvas.viewport()

    def pixel(px: float, py: float) -> QPoint:
        wide, high = canvas.pixels(np.array([px]), np.array([py]))
        return QPoint(round(float(wide[0])), round(float(high[0])))

    middle = n // 2
    home = (float(x[middle]), float(panel.document.scene.points.y[middle]))
    watch = _Watch(panel)
    QTest.mouseMove(surface, pixel(*home))  # the pointer hovers: the others are factored from here on
    QTest.mousePress(surface, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, pixel(*home))
    steps_before = training.progress.done
    for step in range(1, MOVES + 1):
        turn = 2 * math.pi * step / 120
        place = pixel(home[0] + 2 * math.sin(turn), home[1] + 0.8 * (1 - math.cos(turn)))
        watch.moved()
        QTest.mouseMove(surface, place)
        due = time.perf_counter() + EVERY_MS / 1000
        _wait(lambda due=due: time.perf_counter() >= due, every=1)
    _wait(lambda: not watch.open)
    trained = training.progress.done - steps_before
    QTest.mouseRelease(surface, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    _wait(lambda: not panel.desk.posterior.busy)
    watch.stop()
    first, *rest = watch.late
    late = sorted(rest)
    note = f"{MOVES} moves at 60/s, {trained:.0f} training steps meanwhile; the first, with the factorisation, {1000 * first:.0f} ms"
    p95 = late[min(len(late) - 1, math.ceil(0.95 * len(late)) - 1)]
    return [
        Figure.at_most(f"drag at n = {n}, move to picture, p95", 1000 * p95, "ms", P95_MS, note),
        Figure(f"drag at n = {n}, move to picture, median", 1000 * late[len(late) // 2], "ms", None, True),
    ]


class _Watch:
    """Times each move until the window has painted the answer to it, or to a later one."""

    def __init__(self, panel: Any) -> None:
        from PySide6.QtCore import QTimer

        self.open: list[tuple[int, float]] = []
        self.late: list[float] = []
        self._sent: dict[tuple[float, float], int] = {}
        self._answered = -1
        self._count = itertools.count()
        self._connections = [
            (panel.stage.plot.dragged, lambda _index, x, y: self._sent.__setitem__((x, y), self.open[-1][0])),
            (panel.desk.pulled, lambda _pulled, pull: setattr(self, "_answered", self._sent.get((*pull.place, pull.y), -1))),
            # The insight column is painted in the same round, after the plot: look once that is over.
            (panel.stage.plot.canvas.painted, lambda: QTimer.singleShot(0, partial(self._painted, self._answered))),
        ]
        for signal, slot in self._connections:
            signal.connect(slot)

    def moved(self) -> None:
        self.open.append((next(self._count), time.perf_counter()))

    def _painted(self, answered: int) -> None:
        """The picture that is on the screen now was begun when the answers up to this one had come."""
        now = time.perf_counter()
        self.late += [now - since for number, since in self.open if number <= answered]
        self.open = [entry for entry in self.open if entry[0] > answered]

    def stop(self) -> None:
        for signal, slot in self._connections:
            signal.disconnect(slot)


def _wait(done: Callable[[], bool], every: int = 20) -> None:
    """Run Qt's loop as the application does, not as a busy poll that would hide lateness."""
    from PySide6.QtCore import QEventLoop, QTimer, Qt

    deadline = time.monotonic() + PATIENCE_S
    loop, timer = QEventLoop(), QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(lambda: loop.quit() if done() or time.monotonic() > deadline else None)
    timer.start(every)
    loop.exec()
    timer.stop()
    if not done():
        raise TimeoutError("what was waited for did not come")


def _training(folder: Path, ctx: JobContext) -> Generator[Event, None, None]:
    """Optimiser steps of the emoji-base recipe, one per next(), until it is cancelled."""
    import torch

    from studio.ml.training.distributed import World
    from studio.ml.training.loop import TrainStep, train
    from studio.ml.training.recipes import recipes

    recipe = recipes()["emoji-base"]
    endless = {"steps": 10**6, "batch": 16, "sample_every": 10**6, "checkpoint_every": 10**6}
    settings = recipe.settings.model_copy(update=endless)
    for event in train(recipe.task(), settings, folder, World(0, 1, torch.device("cpu")), log_every=1):
        if isinstance(event, TrainStep):
            yield Progress(event.step, event.total, "training")
