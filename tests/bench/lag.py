"""How late the window's timer comes while the engine imports torch, loads the model, draws and trains: a real window, a real engine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from studio.app import Studio, make_application
from studio.engine import Event, JobContext, Progress, Task
from tests.bench.figure import Figure

TRAIN_STEPS, PICTURES = 12, 3
P99_MS, MAX_MS, IMPORT_MAX_MS = 16.0, 50.0, 150.0
PATIENCE_S = 180.0


def run() -> list[Figure]:
    """p99 and maximum per phase, in milliseconds."""
    application = make_application()
    with tempfile.TemporaryDirectory() as scratch:
        studio = Studio(Path(scratch) / "data", theme="light")
        meter = studio.window.lag
        ready: list[bool] = []
        studio.ready.connect(lambda: ready.append(True))
        studio.window.painted.connect(meter.reset)
        studio.show()
        try:
            figures = _phase("importing torch", lambda: _wait(lambda: bool(ready)), meter, IMPORT_MAX_MS)
            panel: Any = studio.window.panels.panel("generate")
            engine: Any = studio.services.engine

            def draw() -> None:
                for _ in range(PICTURES):
                    panel.generate()
                _wait(lambda: bool(engine.tasks()) and all(task.ended for task in engine.tasks()))

            meter.reset()
            figures += _phase("loading the model and drawing", draw, meter)
            meter.reset()
            figures += _phase("drawing", draw, meter)

            def teach() -> None:
                task: Task = engine.submit(_training, Path(scratch) / "run", title="training", owner="bench")
                _wait(lambda: task.ended is not None)
                if task.error is not None:
                    raise RuntimeError(task.error.details)

            meter.reset()
            figures += _phase("training", teach, meter)
        finally:
            studio.window.close()
            studio.close()
            application.processEvents()
    return figures


def _phase(name: str, work: Callable[[], None], meter: Any, most: float = MAX_MS) -> list[Figure]:
    started = time.monotonic()
    work()
    late = sorted(meter.everything())
    note = f"{len(late)} samples in {time.monotonic() - started:.1f} s"
    p99 = late[min(len(late) - 1, round(0.99 * (len(late) - 1)))]
    figures = [Figure.at_most(f"window lag while {name}, maximum", late[-1], "ms", most, note)]
    if most == MAX_MS:
        figures.insert(0, Figure.at_most(f"window lag while {name}, p99", p99, "ms", P99_MS, note))
    return figures


def _wait(done: Callable[[], bool]) -> None:
    """Run Qt's loop as the application does, not as a busy poll that would hide lateness."""
    from PySide6.QtCore import QEventLoop, QTimer

    deadline = time.monotonic() + PATIENCE_S
    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: loop.quit() if done() or time.monotonic() > deadline else None)
    timer.start(50)
    loop.exec()
    timer.stop()
    if not done():
        raise TimeoutError("the engine did not finish in time")


def _training(folder: Path, ctx: JobContext) -> Generator[Event, None, None]:
    """A few optimiser steps of the emoji-base recipe, one per next()."""
    import torch

    from studio.ml.training.distributed import World
    from studio.ml.training.loop import TrainStep, train
    from studio.ml.training.recipes import recipes

    recipe = recipes()["emoji-base"]
    settings = recipe.settings.model_copy(update={"steps": TRAIN_STEPS, "batch": 16, "sample_every": 10**6, "checkpoint_every": 10**6})
    for event in train(recipe.task(), settings, folder, World(0, 1, torch.device("cpu")), log_every=1):
        if isinstance(event, TrainStep):
            yield Progress(event.step, event.total, "training")
