"""What every test gets: no screen, no network, no trace of the person's own data, one thread of arithmetic, and a search for leaks."""

from __future__ import annotations

import gc
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before anything imports Qt, torch or a hub client: these are read once.
os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", PYTHONHASHSEED="0")
os.environ.pop("GLASSBOX_DATA_DIR", None)

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

# The machine that runs the tests is shared and its speed says nothing about the code. Their verdict is to depend on the code
# alone: new examples are looked for with GLASSBOX_FUZZ=1.
settings.register_profile(
    "studio", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=not os.environ.get("GLASSBOX_FUZZ")
)
settings.load_profile("studio")

GRACE = 5.0
"""Seconds a thread may take to end after its test."""


_ENDED = itertools.count(1)


def pytest_configure() -> None:
    """Python's garbage collector rests inside tests: it would destroy what one window left behind in the midst of another.
    Where the studio itself has a window, `studio.ui.garbage` collects."""
    gc.disable()


def pytest_runtest_logfinish() -> None:
    """Between two tests it goes through what the test has made, at times through more."""
    ended = next(_ENDED)
    gc.collect(2 if ended % 500 == 0 else 1 if ended % 20 == 0 else 0)


@pytest.fixture(autouse=True)
def data_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder of the test's own, and a home in which nothing of the person's is found."""
    home = tmp_path_factory.mktemp("home")
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    folder = home / "glassbox"
    monkeypatch.setenv("GLASSBOX_DATA_DIR", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fail a test that leaves a thread running: alive at interpreter exit it is a crash report."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + GRACE
    while left := [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]:
        if time.monotonic() > deadline:
            pytest.fail(f"threads left running: {', '.join(thread.name for thread in left)}")
        left[0].join(0.05)


@pytest.fixture(autouse=True)
def no_window_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a window test that leaves a top-level widget or a running timer behind: it breaks a test three tests later."""
    if "qtbot" not in request.fixturenames and "qapp" not in request.fixturenames:
        yield
        return
    from PySide6.QtCore import QCoreApplication, QEvent, QTimer
    from PySide6.QtWidgets import QApplication
    from shiboken6 import isValid

    request.getfixturevalue("qapp")
    widgets_before = set(map(id, QApplication.topLevelWidgets()))
    started: list[tuple[QTimer, str]] = []
    start: Callable[..., Any] = QTimer.start

    def recorded_start(timer: QTimer, *arguments: Any) -> None:
        if all(timer is not known for known, _ in started):
            started.append((timer, f"{timer.objectName() or 'QTimer'} of {timer.parent()!r}"))
        start(timer, *arguments)

    QTimer.start = recorded_start  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        QTimer.start = start  # type: ignore[method-assign, assignment]

    def left() -> list[str]:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
        widgets = [w for w in QApplication.topLevelWidgets() if isValid(w) and id(w) not in widgets_before and w.parent() is None]
        timers = [name for timer, name in started if isValid(timer) and timer.isActive()]
        return [f"widget {type(w).__name__} {w.objectName()!r}" for w in widgets] + [f"running timer {name}" for name in timers]

    found = left()
    if found:
        gc.collect()
        found = left()
    if found:
        pytest.fail("left behind: " + "; ".join(found))
