"""A second process with an engine of its own, for jobs that would keep the interpreter from the window.

Python's threads share one interpreter: a job that computes in plain Python holds up every painting of the window, and the
painting holds it up. `result = yield Elsewhere(annex, job, request)` runs the job in the annex instead, step by step as
here, and its events arrive in the task as if it had run here. Pause, resume and cancel reach it at once. What is sent must
be picklable: a job is a function at the top of a module.

The process is started by the first job, stays for the next ones, and ends with this one.
"""

from __future__ import annotations

import itertools
import multiprocessing
import pickle
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, NamedTuple

from studio.engine.errors import AnnexEnded, FailedElsewhere, OffloadFailed
from studio.engine.events import Cancelled, Done, Event, Failed, Started
from studio.engine.offload import Answer, death
from studio.engine.task import Job, Priority

Services = Callable[[], Mapping[str, Any]]
Deliver = Callable[[Event], None]
GRACE_SECONDS = 5.0
"""How long an annex may take to end its jobs when it is closed."""


class Elsewhere:
    """`value = yield Elsewhere(annex, job, request)`: the generator resumes with what the job returned there."""

    __slots__ = ("annex", "job", "request")

    def __init__(self, annex: Annex, job: Job, request: Any = None) -> None:
        self.annex, self.job, self.request = annex, job, request


class Submitted(NamedTuple):
    """To the annex: a job to run."""

    number: int
    job: Job
    request: Any
    title: str
    priority: int


class Ordered(NamedTuple):
    """To the annex: "cancel", "pause" or "resume" a job."""

    number: int
    what: str


class Called(NamedTuple):
    """To the annex: call a function at once, between two steps or in the midst of one."""

    fn: Callable[..., object]
    args: tuple[Any, ...]


class Told(NamedTuple):
    """From the annex: events of a job; the last one of all says how it ended."""

    number: int
    events: tuple[Event, ...]


class Annex:
    """`services`: a picklable function that makes, over there, what jobs find in `ctx.services`. Thread-safe."""

    def __init__(self, services: Services | None = None, name: str = "glassbox annex") -> None:
        self._services, self._name = services, name
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._open: dict[int, _There] = {}
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._closed = False

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        process = self._process
        return process is not None and process.is_alive()

    def start(self) -> None:
        """Start the process if it does not run; takes some milliseconds here and about a second there."""
        with self._lock:
            if self._closed or self.alive:
                return
            from studio.engine.annex_process import serve

            spawn = multiprocessing.get_context("spawn")
            here, there = spawn.Pipe()
            self._process = spawn.Process(target=serve, args=(there, self._services), name=self._name, daemon=True)
            try:
                self._process.start()
            except (OSError, RuntimeError) as error:
                self._process = None
                raise OffloadFailed(f"The second process of the studio could not be started: {error}.") from error
            there.close()
            self._pipe = here
            reader = threading.Thread(target=self._read, args=(here, self._process), name=self._name, daemon=True)
            reader.start()

    def run(self, elsewhere: Elsewhere, title: str, priority: Priority, deliver: Deliver, answer: Answer) -> _There:
        """Begin a job there; `deliver` hears its events and `answer(value, error)` its end, from another thread."""
        with self._lock:
            there = _There(self, next(self._numbers), deliver, answer)
            try:
                self.start()
                there.process = self._process
                self._open[there.number] = there
                self._send(Submitted(there.number, elsewhere.job, elsewhere.request, title, int(priority)))
            except OffloadFailed as error:
                self._open.pop(there.number, None)
                answer(None, error)
        return there

    def call(self, fn: Callable[..., object], *args: Any) -> None:
        """Call a function there if the process runs; what it returns is lost. For single values that a job reads."""
        with self._lock:
            if self.alive:
                self._send(Called(fn, args))

    def close(self) -> None:
        """End all jobs and the process; returns at once, a thread waits for the end and enforces it."""
        with self._lock:
            self._closed = True
            process = self._process
            self._open.clear()
            self._send(None)
        if process is not None:
            threading.Thread(target=_end, args=(process,), name=f"{self._name}, ending", daemon=True).start()

    def order(self, number: int, what: str) -> None:
        """Tell the annex what to do with a job; "cancel" forgets it here."""
        with self._lock:
            if what == "cancel":
                self._open.pop(number, None)
            if self.alive:
                self._send(Ordered(number, what))

    def _send(self, message: Submitted | Ordered | Called | None) -> None:
        """None asks it to leave."""
        if self._pipe is None:
            return
        try:
            self._pipe.send_bytes(pickle.dumps(message))
        except OSError:
            pass  # it has just ended: the reader tells every job
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise OffloadFailed(f"This job cannot be sent to another process ({error}).") from error

    def _read(self, pipe: Connection, process: SpawnProcess) -> None:
        """Body of the reading thread: hands out what comes until the process ends."""
        while True:
            try:
                message = pipe.recv_bytes()
            except (EOFError, OSError):
                break
            for told in pickle.loads(message):
                self._hear(pickle.loads(told))
        process.join(GRACE_SECONDS)
        pipe.close()
        self._bury(process)

    def _hear(self, told: Told) -> None:
        with self._lock:
            there = self._open.get(told.number)
        if there is None:
            return
        for event in told.events:
            if isinstance(event, (Done, Failed, Cancelled)):
                with self._lock:
                    self._open.pop(told.number, None)
                there.end(event)
            elif not isinstance(event, Started):
                there.deliver(event)

    def _bury(self, process: SpawnProcess) -> None:
        """A process has ended: whoever still waits for it is told so. Another may have been started in its place."""
        with self._lock:
            waiting = [there for there in self._open.values() if there.process is process]
            for there in waiting:
                del self._open[there.number]
            if process is self._process:
                self._process = self._pipe = None
        for there in waiting:
            there.answer(None, AnnexEnded(death(process.exitcode, "The second process of the studio")))


class _There:
    """A job in the annex, as its task here holds it. process: the one that has it."""

    process: SpawnProcess | None = None

    def __init__(self, annex: Annex, number: int, deliver: Deliver, answer: Answer) -> None:
        self._annex, self.number, self.deliver, self.answer = annex, number, deliver, answer

    def kill(self) -> None:
        self._annex.order(self.number, "cancel")

    def pause(self) -> None:
        self._annex.order(self.number, "pause")

    def resume(self) -> None:
        self._annex.order(self.number, "resume")

    def join(self, timeout: float | None = None) -> bool:
        return True

    def end(self, event: Done | Failed | Cancelled) -> None:
        if isinstance(event, Done):
            self.answer(event.result, None)
        elif isinstance(event, Failed):
            self.answer(None, FailedElsewhere(event.error))
        else:
            self.answer(None, OffloadFailed(f"The job was stopped ({event.reason})."))


def _end(process: SpawnProcess) -> None:
    process.join(GRACE_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
