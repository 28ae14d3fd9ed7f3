"""Painting at 4096 × 4096: from mouse event to painted pixels, alone and while the engine draws; what 200 strokes keep in memory."""

from __future__ import annotations

import math
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PySide6.QtCore import QEvent, QEventLoop, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QApplication
from shiboken6 import delete

from studio.app import make_application
from studio.engine import Engine, tune_interpreter
from studio.host.results import ResultsStore
from studio.ui.canvas.document import CanvasDocument, Target
from studio.ui.canvas.view import CanvasView
from studio_plugins.generate.jobs import generate
from studio_plugins.generate.request import GenerateRequest
from tests.bench.figure import Figure

SIDE, STROKES, EVENTS = 4096, 200, 30
WINDOW = (1280, 860)
EVENT_S = 0.008  # a mouse of 125 Hz
P99_MS, MEMORY_MB = 16.0, 200.0
SCENES = ((Target.MASK, 60.0, False), (Target.MASK, 500.0, False), (Target.MASK, 120.0, True), (Target.HINTS, 150.0, False))
"""What is painted on, diameter in picture pixels, and whether the view shows real size instead of the whole picture."""


def run(side: int = SIDE, strokes: int = STROKES, per_scene: int = 6) -> list[Figure]:
    """Latencies in ms and memory in MB; smaller numbers make a quick check of the bench itself."""
    make_application()
    tune_interpreter()
    view = _Stopwatch(_document(side))
    view.resize(*WINDOW)
    view.show()
    _wait(0.5)  # the layers are halved for the small scale
    try:
        alone = _paint_scenes(view, per_scene)
        with _generating():
            busy = _paint_scenes(view, per_scene)
        return [
            *_latency("painting", alone),
            *_latency("painting while the engine draws", busy),
            *_memory(side, strokes),
        ]
    finally:
        _end(view)


class _Stopwatch(CanvasView):
    """Notes how long after its due time each mouse event was seen on the screen."""

    def __init__(self, document: CanvasDocument) -> None:
        self.waits: list[float] = []
        self._asked_to_paint = False
        self._due: deque[float] = deque()
        super().__init__(document)

    def send(self, kind: QEvent.Type, at: QPointF, due: float) -> None:
        """Deliver a mouse event that was due at a time of `perf_counter`; one that comes late counts as late."""
        self._due.append(due)
        pressed = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else Qt.MouseButton.LeftButton
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
        event = QMouseEvent(kind, at, self.mapToGlobal(at), button, pressed, Qt.KeyboardModifier.NoModifier)
        self._asked_to_paint = False
        QApplication.sendEvent(self, event)
        if self._due and not self._asked_to_paint:  # outside of picture and widget there is nothing to show
            self.waits.append(1000 * (time.perf_counter() - self._due.pop()))

    def update(self, *where: Any) -> None:
        self._asked_to_paint |= all(self.rect().intersects(rect) for rect in where)
        super().update(*where)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        now = time.perf_counter()
        while self._due:
            self.waits.append(1000 * (now - self._due.popleft()))


def _document(side: int) -> CanvasDocument:
    rng = np.random.default_rng(0)
    document = CanvasDocument()
    document.set_picture(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
    return document


def _paint_scenes(view: _Stopwatch, strokes: int) -> list[float]:
    view.waits.clear()
    for target, diameter, real_size in SCENES:
        view.settings.set(target=target)
        view.settings.set_brush(diameter=diameter, hardness=0.6, opacity=0.8)
        if real_size:
            view.actual_size()
        else:
            view.fit()
        _ready(view)
        for index in range(strokes):
            _stroke(view, _path(index, QPointF(view.width(), view.height())))
    return sorted(view.waits)


def _path(index: int, size: QPointF) -> list[QPointF]:
    """A curve across the widget, out of the picture and back, another for each index."""
    shares = np.linspace(0, 1, EVENTS)
    phase = index * 0.7
    x = size.x() * (0.5 + 0.52 * np.sin(2.3 * shares + phase))
    y = size.y() * (0.5 + 0.45 * np.cos(3.1 * shares + 1.7 * phase))
    return [QPointF(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def _stroke(view: _Stopwatch, path: list[QPointF]) -> None:
    """One stroke in Qt's own loop, its events due every 8 ms."""
    kinds = [QEvent.Type.MouseButtonPress, *[QEvent.Type.MouseMove] * (len(path) - 2), QEvent.Type.MouseButtonRelease]
    ahead = deque(enumerate(zip(kinds, path, strict=True)))
    begin = time.perf_counter() + EVENT_S
    loop, timer = QEventLoop(), QTimer()

    def send_what_is_due() -> None:
        while ahead and begin + ahead[0][0] * EVENT_S <= time.perf_counter():
            index, (kind, at) = ahead.popleft()
            view.send(kind, at, begin + index * EVENT_S)
        if not ahead and time.perf_counter() > begin + (len(path) + 4) * EVENT_S:
            loop.quit()

    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(send_what_is_due)
    timer.start(1)
    loop.exec()
    timer.stop()


@contextmanager
def _generating() -> Iterator[None]:
    """The bundled model draws on the compute thread, one picture after another."""
    with tempfile.TemporaryDirectory() as scratch:
        store = ResultsStore(Path(scratch))
        engine = Engine(preload=("torch",), services={"results": store})
        engine.start()
        engine.ready.wait(60)
        request = GenerateRequest(prompt="a cat left of a red apple on a blue background", steps=1000)
        task = engine.submit(generate, request)
        while task.progress is None or task.progress.done < 2:
            if task.ended is not None:
                raise RuntimeError(task.error.details if task.error is not None else "the drawing ended early")
            time.sleep(0.01)
        try:
            yield
            if task.ended is not None:
                raise RuntimeError("the drawing ended before the painting did; it needs more steps")
        finally:
            engine.close()
            store.close()


def _latency(name: str, waits: list[float]) -> list[Figure]:
    last = len(waits) - 1
    p50, p99 = waits[last // 2], waits[math.ceil(0.99 * last)]
    note = f"{len(waits)} events at 125 Hz in {len(SCENES)} scenes, median {p50:.1f} ms, maximum {waits[-1]:.1f} ms"
    return [Figure.at_most(f"mouse event to painted pixels, {name}, p99", p99, "ms", P99_MS, note)]


def _memory(side: int, strokes: int) -> list[Figure]:
    """Strokes over the whole picture, as long as it is wide, on mask and hints in turn."""
    view = _Stopwatch(_document(side))
    view.resize(*WINDOW)
    view.show()
    for target in (Target.HINTS, Target.MASK):
        view.settings.set(target=target)
        _ready(view)
    process = psutil.Process()
    before = process.memory_info().rss
    for index in range(strokes):
        view.settings.set(target=Target.HINTS if index % 2 else Target.MASK)
        view.settings.set_brush(diameter=side / 40, hardness=0.6, opacity=0.8)
        for place, at in enumerate(path := _path(index, QPointF(view.width(), view.height()))):
            last = place == len(path) - 1
            kind = QEvent.Type.MouseButtonPress if place == 0 else QEvent.Type.MouseButtonRelease if last else QEvent.Type.MouseMove
            view.send(kind, at, time.perf_counter())
        QApplication.processEvents()
    grown, kept = process.memory_info().rss - before, view.document.undo
    note = f"{kept.count()} steps can be undone, in {kept.nbytes / 1e6:.0f} MB; beyond mask, hints and their smaller levels"
    _end(view)
    return [Figure.at_most(f"memory after {strokes} strokes", grown / 1e6, "MB", MEMORY_MB, note)]


def _ready(view: CanvasView) -> None:
    """As long as a person takes who has just chosen what to paint on."""
    end = time.perf_counter() + 5
    while not view.prepared and time.perf_counter() < end:
        _wait(0.05)


def _end(view: CanvasView) -> None:
    """Close the window and let go of its memory."""
    view.stop()
    view.close()
    document = view.document
    delete(view)
    delete(document)


def _wait(seconds: float) -> None:
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()
