"""A lane: the scheduler that advances generators one step at a time, and the thread that may drive it."""

from __future__ import annotations

import functools
import itertools
import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol

from studio.engine.annex import Elsewhere
from studio.engine.context import JobContext
from studio.engine.errors import explain
from studio.engine.events import Cancelled, Done, ErrorInfo, Event, Failed, Log, Started
from studio.engine.offload import Offload, OffloadHandle
from studio.engine.run import Asked, Outcome, Raised, Returned, Run, Slept, Yielded
from studio.engine.stats import Heartbeat, Recorder
from studio.engine.task import Task, TaskState

log = logging.getLogger("studio.engine")


class LaneHost(Protocol):
    """What a lane needs from the engine around it."""

    def now(self) -> float: ...
    def context_for(self, task: Task) -> JobContext: ...
    def start_offload(self, task: Task, offload: Offload | Elsewhere, deliver: Callable[[Event], None],
                      answer: Callable[[Any, BaseException | None], None]) -> OffloadHandle: ...
    def recover_memory(self, task: Task) -> str: ...
    def out_of_memory_error(self, task: Task, error: ErrorInfo) -> ErrorInfo: ...
    def task_released(self, task: Task) -> None: ...
    def step_done(self, lane: str) -> None: ...


class Lane:
    """Highest priority first, then least recently served.

    All state is guarded by the engine's one lock, which is never held while a job runs. `step()` does one scheduling
    action and returns, so a test can drive a lane without threads; `serve()` is the loop of the lane's thread.
    """

    def __init__(self, name: str, lock: threading.RLock, host: LaneHost) -> None:
        self.name = name
        self.recorder = Recorder()
        self._host = host
        self._lock = lock
        self._wake = threading.Condition(lock)
        self._runs: dict[str, Run] = {}
        self._doomed: list[Run] = []
        self._seats = itertools.count(1)
        self._places = itertools.count(1)
        self._fronts = itertools.count(-1, -1)
        self._closing = False
        self._stepping: tuple[Task, float] | None = None
        self._current: Run | None = None
        self.thread: threading.Thread | None = None

    # -- called from any thread, with the engine's lock held ------------------------------------------------------

    def add(self, task: Task, *, front: bool, instead: Run | None = None) -> None:
        """Queue a task: at the end, at the front, or on the seat of the run it replaces.

        Keeping the seat matters for a drag: a stream of replacements that each went to the end would starve.
        """
        if front:
            run = Run(task, next(self._fronts), next(self._fronts))
        elif instead is not None:
            run = Run(task, instead.seat, instead.place)
        else:
            run = Run(task, next(self._seats), next(self._places))
        self._runs[task.id] = run
        self._wake.notify_all()

    def find(self, task_id: str) -> Run | None:
        """The live run of a task, if it is in this lane."""
        return self._runs.get(task_id)

    def live(self) -> list[Run]:
        """All runs whose task has not ended."""
        return list(self._runs.values())

    def cancel(self, run: Run, reason: str, *, drop_events: bool = False) -> bool:
        """End the task now; its generator is closed by the lane within one step."""
        if run.task.state.ended:
            return False
        if drop_events:
            run.task.mailbox.clear()
        run.task._end(Cancelled(reason))
        run.cancelled_at = self._host.now()
        del self._runs[run.task.id]
        if run.handle is not None:
            run.handle.kill()
        if not run.stepping:
            self._doomed.append(run)
        self._wake.notify_all()
        return True

    def pause(self, run: Run) -> bool:
        """Skip this run until it is resumed."""
        paused = run.task._pause()
        if paused and run.handle is not None:
            run.handle.pause()
        return paused

    def resume(self, run: Run) -> bool:
        """Take up a paused run again."""
        self._wake.notify_all()
        resumed = run.task._resume()
        if resumed and run.handle is not None:
            run.handle.resume()
        return resumed

    def close(self) -> None:
        """Take no more work; the thread leaves once everything is released."""
        self._closing = True
        self._wake.notify_all()

    # -- the scheduler --------------------------------------------------------------------------------------------

    def step(self) -> bool:
        """Release cancelled runs, else advance one run by one step; False if there was nothing to do."""
        with self._lock:
            doomed, self._doomed = self._doomed, []
            run = None if doomed else self._pick()
            if run is not None:
                self._begin(run)
        for dead in doomed:
            self._release(dead)
        if run is None:
            return bool(doomed)
        outcome = self._advance(run)
        with self._lock:
            after = self._finish(run, outcome)
        del outcome
        if after is not None:
            after(run)
        self._current = None
        self._host.step_done(self.name)
        return True

    def serve(self) -> None:
        """Loop of the lane's thread; returns after `close()` when nothing is left."""
        while True:
            try:
                if self.step():
                    continue
            except Exception:  # a fault of the engine itself must cost one task, not the whole lane
                log.exception("The lane %s met an internal error", self.name)
                self._give_up_step()
                continue
            with self._lock:
                if self._doomed or self._pick() is not None:
                    continue
                if self._closing and not self._runs:
                    return
                self._wake.wait(self._until_due())

    def heartbeat(self) -> Heartbeat:
        """What the lane does now; from any thread."""
        with self._lock:
            alive = self.thread is not None and self.thread.is_alive()
            if self._stepping is None:
                return Heartbeat(self.name, alive, None, "", 0.0, self.recorder.steps)
            task, since = self._stepping
            return Heartbeat(self.name, alive, task.id, task.title, self._host.now() - since, self.recorder.steps)

    def _pick(self) -> Run | None:
        """The run to serve next; None while all have ended, are paused, or wait for a call or a time."""
        now = self._host.now()
        return min((run for run in self._candidates() if run.due <= now), key=_fair_key, default=None)

    def _candidates(self) -> list[Run]:
        """Who competes, now or once its time has come: of each named queue only its head, and everything else."""
        heads: dict[str, Run] = {}
        free: list[Run] = []
        for run in self._runs.values():
            task = run.task
            if task.state is TaskState.PAUSED or run.stepping:
                continue
            if task.queue is not None:
                head = heads.get(task.queue)
                if head is None or _queue_key(run) < _queue_key(head):
                    heads[task.queue] = run
            elif not run.waiting:
                free.append(run)
        return free + [run for run in heads.values() if not run.waiting]

    def _until_due(self) -> float | None:
        """Seconds until the first of those that wait for a time may go on; None when none does."""
        due = min((run.due for run in self._candidates()), default=None)
        return None if due is None else max(0.0, due - self._host.now())

    def _begin(self, run: Run) -> None:
        task, now = run.task, self._host.now()
        run.stepping = True
        self._current = run
        run.seat = next(self._seats)
        self._stepping = (task, now)
        if task.started is None:
            task.started = now
            task.state = TaskState.RUNNING
            task._deliver(Started())
            self.recorder.queue.append(now - task.created)

    def _advance(self, run: Run) -> Outcome:
        if run.context is None:
            run.context = self._host.context_for(run.task)
        with run.context.models.using(run.task.id):
            return run.advance()

    def _finish(self, run: Run, outcome: Outcome) -> Callable[[Run], None] | None:
        """Book the outcome of a step; returns what is left to do without the lock."""
        task, now = run.task, self._host.now()
        self.recorder.steps += 1
        if self._stepping is not None:
            self.recorder.step.append(now - self._stepping[1])
        self._stepping = None
        if task.state.ended:
            return self._release
        if isinstance(outcome, Raised) and outcome.out_of_memory and not run.retried:
            return self._retry  # still marked as stepping: nobody else touches the run meanwhile
        run.stepping = False
        if isinstance(outcome, Yielded):
            task._deliver(outcome.event)
            return None
        if isinstance(outcome, Asked):
            run.waiting = True
            deliver, answer = functools.partial(self._deliver, run), functools.partial(self._answer, run)
            run.handle = self._host.start_offload(task, outcome.offload, deliver, answer)
            if task.state is TaskState.PAUSED:
                run.handle.pause()
            return None
        if isinstance(outcome, Slept):
            run.due = now + outcome.seconds
            return None
        del self._runs[task.id]
        if isinstance(outcome, Returned):
            task._end(Done(outcome.value))
            self.recorder.turnaround.append(now - task.created)
        else:
            error = self._host.out_of_memory_error(task, outcome.error) if outcome.out_of_memory else outcome.error
            task._end(Failed(error))
        return self._release

    def _deliver(self, run: Run, event: Event) -> None:
        """A job in another process has said something; on the thread that hears it."""
        with self._lock:
            run.task._deliver(event)

    def _answer(self, run: Run, value: Any, error: BaseException | None) -> None:
        """An offloaded call has ended; on the worker's thread."""
        with self._lock:
            if run.task.state.ended:
                return
            run.waiting = False
            run.handle = None
            run.value, run.thrown = value, error
            self._wake.notify_all()

    def _retry(self, run: Run) -> None:
        """Free what can be freed, then let the job start over, once."""
        run.retried = True
        run.close()
        text = self._host.recover_memory(run.task)
        with self._lock:
            run.stepping = False
            ended = run.task.state.ended
            if not ended:
                run.task._start_over()
                run.task._deliver(Started())
                run.task._deliver(Log(text, "warning"))
        if ended:
            self._release(run)

    def _release(self, run: Run) -> None:
        """Let go of everything an ended run holds; whatever goes wrong, the task counts as released."""
        try:
            run.close()
            if run.context is not None:
                run.context.models.release(run.task.id)
                run.context.cleanup()
        finally:
            with self._lock:
                run.task._job = None
                if run.cancelled_at is not None:
                    self.recorder.cancel.append(self._host.now() - run.cancelled_at)
                self._host.task_released(run.task)

    def _give_up_step(self) -> None:
        """After an internal error: the task that was being stepped fails, the lane goes on."""
        with self._lock:
            run, self._current, self._stepping = self._current, None, None
            if run is None:
                return
            self._runs.pop(run.task.id, None)
            run.stepping = False
            if run.task._end(Failed(ErrorInfo("internal", "The engine met an internal error and stopped this task."))):
                self._doomed.append(run)


def _fair_key(run: Run) -> tuple[int, int]:
    return (-run.task.priority, run.seat)


def _queue_key(run: Run) -> tuple[int, bool, int]:
    return (-run.task.priority, run.task.started is None, run.place)
