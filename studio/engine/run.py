"""The engine's side of one task: its generator, and what one step of it gave."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from studio.engine.annex import Elsewhere
from studio.engine.context import JobContext
from studio.engine.errors import JobContractError, explain, is_out_of_memory
from studio.engine.events import ErrorInfo, Event, Lifecycle, refuse_tensors
from studio.engine.offload import Offload, OffloadHandle
from studio.engine.task import Task
from studio.engine.wait import Wait

log = logging.getLogger("studio.engine")


@dataclass(frozen=True, slots=True)
class Yielded:
    """The step gave an event."""

    event: Event


@dataclass(frozen=True, slots=True)
class Asked:
    """The step asked for an offloaded call, or for a job in another process."""

    offload: Offload | Elsewhere


@dataclass(frozen=True, slots=True)
class Slept:
    """The step asked to be left alone for some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Returned:
    """The job is done."""

    value: Any


@dataclass(frozen=True, slots=True)
class Raised:
    """The job failed."""

    error: ErrorInfo
    out_of_memory: bool


Outcome = Yielded | Asked | Slept | Returned | Raised


class Run:
    """A task in its lane. `seat` orders fair sharing (lower = served longer ago), `place` orders a named queue; it is not
    advanced before `due` (engine's clock)."""

    __slots__ = (
        "cancelled_at", "context", "due", "generator", "handle", "place", "retried", "seat", "stepping", "task", "thrown",
        "value", "waiting",
    )

    def __init__(self, task: Task, seat: int, place: int) -> None:
        self.task = task
        self.seat = seat
        self.place = place
        self.generator: Generator[Event | Offload | Elsewhere | Wait, Any, Any] | None = None
        self.context: JobContext | None = None
        self.handle: OffloadHandle | None = None
        self.waiting = False
        self.stepping = False
        self.retried = False
        self.value: Any = None
        self.thrown: BaseException | None = None
        self.cancelled_at: float | None = None
        self.due = float("-inf")

    def advance(self) -> Outcome:
        """One `next()` of the generator. Whatever the job raises comes back as an outcome."""
        error: BaseException | None = None
        try:
            if self.generator is None:
                self.generator = self._start()
            value, self.value = self.value, None
            error, self.thrown = self.thrown, None
            item = self.generator.throw(error) if error is not None else self.generator.send(value)
            if isinstance(item, (Offload, Elsewhere)):
                return Asked(item)
            if isinstance(item, Wait):
                return Slept(item.seconds)
            if isinstance(item, Event) and not isinstance(item, Lifecycle):
                return Yielded(item)
            raise JobContractError(
                f"The job yielded {type(item).__name__}, which is not an event: "
                "yield Progress, Preview, Metric, Snapshot, Log, Offload, Elsewhere or Wait."
            )
        except StopIteration as stop:
            return self._returned(stop.value)
        except BaseException as raised:  # SystemExit and KeyboardInterrupt of a job must not end the lane's thread
            return Raised(explain(raised, skip_frames=1), is_out_of_memory(raised))
        finally:
            # The traceback of a thrown error holds this frame: without this the two would keep each other alive.
            error = None

    def _start(self) -> Generator[Event | Offload | Elsewhere | Wait, Any, Any]:
        job = self.task._job
        assert job is not None and self.context is not None
        made: Any = job(self.task.request, self.context)
        if isinstance(made, Generator):
            return made
        if callable(getattr(made, "close", None)):
            made.close()
        name = getattr(job, "__qualname__", repr(job))
        raise JobContractError(
            f"The job “{name}” is not a generator function: it gave {type(made).__name__} and yielded no events."
        )

    @staticmethod
    def _returned(value: Any) -> Outcome:
        try:
            refuse_tensors(value)
        except TypeError as error:
            return Raised(explain(error, skip_frames=1), False)
        return Returned(value)

    def close(self) -> None:
        """Close the generator so that its `finally` blocks run; errors there are logged, the task has ended already."""
        generator, self.generator = self.generator, None
        self.value = self.thrown = None
        if generator is None:
            return
        try:
            generator.close()
        except BaseException as error:  # also RuntimeError "generator ignored GeneratorExit", SystemExit
            log.warning("Closing the job of %r failed: %s", self.task, explain(error).details)
