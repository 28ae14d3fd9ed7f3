"""How fast the engine gives way: cancelling a drawing, and a drag's stream of requests on the quick lane meanwhile."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from studio.engine import Engine, Event, JobContext, Progress, Task
from studio.host.results import ResultsStore
from studio_plugins.generate.jobs import generate
from studio_plugins.generate.request import GenerateRequest
from tests.bench.figure import Figure

RATE_HZ, SECONDS, POINTS = 60, 6.0, 200
PROMPT = "a cat left of a red apple on a blue background"


def run() -> list[Figure]:
    """Cancel latency in steps, and p95 of submit-to-done on the quick lane."""
    with _engine() as engine:
        alone = _drawn(engine, steps=20)
        return [
            Figure.at_most("a picture with default settings", alone, "s", 5.0, "model loaded, one picture, saved to disk"),
            *_cancel(engine),
            _drag(engine),
        ]


@contextmanager
def _engine() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory() as scratch:
        store = ResultsStore(Path(scratch))
        engine = Engine(preload=("torch",), services={"results": store})
        engine.start()
        engine.ready.wait(60)
        _drawn(engine, steps=2)  # the model is loaded now
        yield engine
        engine.close()
        store.close()


def _request(steps: int) -> GenerateRequest:
    return GenerateRequest(prompt=PROMPT, steps=steps)


def _drawn(engine: Engine, steps: int) -> float:
    start = time.perf_counter()
    task = engine.submit(generate, _request(steps))
    task.wait(120)
    if task.error is not None:
        raise RuntimeError(task.error.details)
    return time.perf_counter() - start


def _cancel(engine: Engine) -> list[Figure]:
    """Cancel in the middle of drawings; the worst wait, in steps and in milliseconds."""
    waits, steps = [], []
    for i in range(8):
        task = engine.submit(generate, _request(60))
        begun = _until(task, 4 + i)
        now = time.perf_counter()
        step = (now - begun[1]) / max(1, begun[0])
        task.cancel()
        task.wait(30)
        waits.append(time.perf_counter() - now)
        steps.append(waits[-1] / step)
    note = "8 drawings cancelled at different moments; 1 = the step that was under way"
    return [
        Figure.at_most("cancel takes effect after, at worst", max(steps), "steps", 1.5, note),
        Figure("cancel takes effect after, at worst", 1000 * max(waits), "ms", None, True, note),
    ]


def _until(task: Task, step: int) -> tuple[int, float]:
    """Wait until the drawing has made `step` steps; steps made since the first one was seen, and when that was."""
    first: tuple[float, float] | None = None
    while task.ended is None:
        progress = task.progress
        if progress is not None and progress.done >= 1:
            first = first or (progress.done, time.perf_counter())
            if progress.done >= step:
                return int(progress.done - first[0]), first[1]
        time.sleep(0.0005)
    raise RuntimeError("the drawing ended before it could be cancelled")


def _posterior(points: tuple[np.ndarray, np.ndarray], ctx: JobContext) -> Generator[Event, None, float]:
    """What a drag costs: the posterior mean of a Gaussian process over POINTS points, from scratch."""
    x, y = points
    kernel = np.exp(-0.5 * (x[:, None] - x[None]) ** 2) + 0.01 * np.eye(len(x))
    yield Progress(0, 1)
    return float(np.linalg.solve(kernel, y).sum())


def _drag(engine: Engine) -> Figure:
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 10, POINTS))
    drawing = engine.submit(generate, _request(100))
    tasks = []
    start = time.perf_counter()
    for i in range(int(RATE_HZ * SECONDS)):
        while time.perf_counter() < start + i / RATE_HZ:
            time.sleep(0.0005)
        tasks.append(engine.submit(_posterior, (x, rng.standard_normal(POINTS)), lane="quick", replace="drag"))
        if drawing.ended is not None:
            drawing = engine.submit(generate, _request(100))
    tasks[-1].wait(10)
    drawing.cancel()
    drawing.wait(30)
    late = sorted(task.ended - task.created for task in tasks if task.state.name == "DONE" and task.ended is not None)
    p95 = late[round(0.95 * (len(late) - 1))]
    note = f"{len(tasks)} requests at {RATE_HZ}/s during a drawing, {len(late)} answered, the others overtaken"
    return Figure.at_most("replace stream on the quick lane, p95", 1000 * p95, "ms", 20.0, note)
