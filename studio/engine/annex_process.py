"""What runs in the process of an annex: an engine, driven by messages."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from studio.engine.annex import GRACE_SECONDS, Called, Ordered, Submitted, Told
from studio.engine.engine import Engine
from studio.engine.errors import explain
from studio.engine.events import Event, Failed
from studio.engine.task import Priority, Task

log = logging.getLogger("studio.engine")

EVERY = 0.03
"""Seconds between two messages: each costs the window a moment of its interpreter, however little it says."""


def serve(pipe: Connection, services: Callable[[], Mapping[str, Any]] | None) -> None:
    """Body of the process: runs until the pipe is closed, then ends its jobs and itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in the terminal is the window's business
    signal.signal(signal.SIGTERM, lambda _number, _frame: pipe.close())
    _Annexed(pipe, services() if services is not None else {}).run()
    os._exit(0)  # a world that hangs in a thread must not keep the process


class _Annexed:
    def __init__(self, pipe: Connection, services: Mapping[str, Any]) -> None:
        self._pipe = pipe
        self._engine = Engine(device="cpu", services=services)
        self._tasks: dict[int, Task] = {}
        self._lock = threading.Lock()
        self._leaving = threading.Event()

    def run(self) -> None:
        self._engine.start()
        forwarding = threading.Thread(target=self._forward, name="forward", daemon=True)
        forwarding.start()
        try:
            while True:
                try:
                    message = pickle.loads(self._pipe.recv_bytes())
                except (EOFError, OSError, TypeError):  # TypeError: the pipe was closed while it was waited for
                    break
                if message is None:
                    break
                self._heed(message)
        finally:
            self._leaving.set()
            self._engine.close(GRACE_SECONDS - 1)

    def _heed(self, message: Submitted | Ordered | Called) -> None:
        if isinstance(message, Called):
            try:
                message.fn(*message.args)
            except Exception:
                log.exception("A call from the window failed")
        elif isinstance(message, Submitted):
            task = self._engine.submit(
                message.job, message.request, title=message.title, priority=Priority(message.priority)
            )
            with self._lock:
                self._tasks[message.number] = task
        else:
            with self._lock:
                task_or_none = self._tasks.get(message.number)
            if task_or_none is not None:
                {"cancel": task_or_none.cancel, "pause": task_or_none.pause, "resume": task_or_none.resume}[message.what]()

    def _forward(self) -> None:
        """Send what tasks have said since the last look."""
        while not self._leaving.wait(EVERY):
            with self._lock:
                tasks = list(self._tasks.items())
            told = []
            for number, task in tasks:
                ended = task.state.ended
                events = task.mailbox.drain()
                if ended:
                    with self._lock:
                        del self._tasks[number]
                if events:
                    told.append(_packed(number, tuple(events)))
            if told:
                try:
                    self._pipe.send_bytes(pickle.dumps(told))
                except (OSError, ValueError):
                    self._leaving.set()


def _packed(number: int, events: tuple[Event, ...]) -> bytes:
    """Events of one job, apart from those of the others: one that cannot be sent fails alone."""
    try:
        return pickle.dumps(Told(number, events))
    except Exception as error:  # any class may define any reduction
        return pickle.dumps(Told(number, (Failed(explain(error)),)))
