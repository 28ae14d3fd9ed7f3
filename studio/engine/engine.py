"""The engine: one compute thread that owns torch and the devices, one quick lane, and the tasks in them."""

from __future__ import annotations

import atexit
import gc
import itertools
import logging
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from studio.engine import devices, preload
from studio.engine.annex import Elsewhere
from studio.engine.cache import ModelCache
from studio.engine.context import JobContext
from studio.engine.devices import DeviceInfo
from studio.engine.errors import OOM_LEVERS, EngineClosed, explain
from studio.engine.events import ErrorInfo, Event
from studio.engine.lanes import Lane
from studio.engine.offload import Offload, OffloadHandle, Offloads, in_context
from studio.engine.run import Run
from studio.engine.stats import Heartbeat, Stats
from studio.engine.task import Job, Priority, Task

log = logging.getLogger("studio.engine")

LANES = ("compute", "quick")
ENDED_KEPT = 32
ENDED_LIMIT = 1024
MEMORY_EVERY = 0.5


class Engine:
    """Runs jobs, one step at a time, off the GUI thread. All methods may be called from any thread and return at once.

    `device`: "auto" or a torch device name. `preload`: modules imported on the compute thread before its first job.
    `services`: what jobs may use, e.g. {"results": store}. `cache_bytes`: budget of the model cache per device.
    `threads`: torch's CPU threads (default cores - 1), applied after torch was preloaded. `collect`: how reference cycles
    are freed; a window does it on its own thread. `clock` and `offloads` are replaced in tests, where lanes are driven by `step()` and no thread is started.
    """

    def __init__(
        self, *, device: str = "auto", preload: Sequence[str] = (), services: Mapping[str, Any] | None = None,
        cache_bytes: int | None = None, threads: int | None = None, clock: Callable[[], float] = time.monotonic,
        offloads: Offloads | None = None, collect: Callable[[], object] = gc.collect,
    ) -> None:
        self.models = ModelCache(cache_bytes, collect)
        self.services: Mapping[str, Any] = services if services is not None else {}
        self.ready = threading.Event()
        self.startup_error: ErrorInfo | None = None
        self._wanted_device = device
        self._device: str | None = None
        self._info: DeviceInfo | None = None
        self._info_at = float("-inf")
        self._preload = tuple(preload)
        self._threads = threads
        self._clock = clock
        self._offloads = offloads if offloads is not None else Offloads()
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self._lanes = {name: Lane(name, self._lock, self) for name in LANES}
        self._tasks: dict[str, Task] = {}
        self._ids = itertools.count(1)
        self._closed = False
        self._atexit: Callable[[], None] | None = None

    # -- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the threads; `ready` is set once the preloading on the compute thread is over. Once only."""
        with self._lock:
            if self._closed:
                raise EngineClosed("The engine is closed: make a new one.")
            if any(lane.thread is not None for lane in self._lanes.values()):
                return
            reference = weakref.ref(self)

            def forgotten() -> None:
                engine = reference()
                if engine is not None:
                    engine.close()

            self._atexit = forgotten
            atexit.register(forgotten)
            for lane in self._lanes.values():
                # Daemon: a step that never returns must not keep a closed program alive; close() joins them first.
                lane.thread = threading.Thread(target=self._serve, args=(lane,), name=lane.name, daemon=True)
                lane.thread.start()

    def _serve(self, lane: Lane) -> None:
        if lane.name == "compute":
            self._warm_up()
        lane.serve()

    def _warm_up(self) -> None:
        """Preload, choose the device, tune torch; a failure is kept in `startup_error`, jobs then run on the CPU."""
        try:
            for module in self._preload:
                if self._closed:
                    return
                preload.preload(module)
            if "torch" in sys.modules and self._preload:
                preload.tune_torch(self._threads)
                self._device = devices.choose(self._wanted_device)
                self._refresh_memory()
        except Exception as error:
            log.exception("Starting the engine met an error")
            self.startup_error = explain(error)
            self._device = "cpu"
        finally:
            self.ready.set()

    def close(self, timeout: float = 5.0) -> bool:
        """Cancel everything, close all generators, kill workers, join the threads; False if a thread is still alive."""
        deadline = time.monotonic() + timeout
        with self._lock:
            self._closed = True
            for lane in self._lanes.values():
                for run in lane.live():
                    lane.cancel(run, "the studio is closing")
                lane.close()
        self._offloads.kill_all()
        for lane in self._lanes.values():
            if lane.thread is None:
                while lane.step():
                    continue
            elif lane.thread is not threading.current_thread():
                lane.thread.join(max(0.0, deadline - time.monotonic()))
        clean = self._offloads.join_all(max(0.0, deadline - time.monotonic()))
        clean = clean and not any(lane.thread is not None and lane.thread.is_alive() for lane in self._lanes.values())
        self.models.clear()
        with self._lock:
            hook, self._atexit = self._atexit, None
        if hook is not None:
            atexit.unregister(hook)
        return clean

    @property
    def closed(self) -> bool:
        """True after `close()` was called."""
        return self._closed

    # -- work -----------------------------------------------------------------------------------------------------

    def submit(
        self, job: Job, request: Any = None, *, title: str = "", owner: str = "", lane: str = "compute",
        priority: Priority = Priority.FOREGROUND, replace: str | None = None, front: bool = False,
        queue: str | None = None,
    ) -> Task:
        """Run `job(request, ctx)`; returns at once.

        Tasks share their lane step by step. Tasks with the same `queue` name run one after another instead.
        `replace=key` first cancels the live task of the same owner with that key and drops its events. `front=True`
        goes before others of equal priority: next to be served, or next in its queue. Raises EngineClosed.
        """
        if lane not in self._lanes:
            raise ValueError(f"There is no lane “{lane}”: choose one of {', '.join(self._lanes)}.")
        if not callable(job):
            raise TypeError(f"A job is a generator function, not {type(job).__name__}")
        with self._lock:
            if self._closed:
                raise EngineClosed("The studio is closing: no new work is taken.")
            task = Task(
                self, job, request, id=f"t{next(self._ids)}", title=title or getattr(job, "__name__", "task"),
                owner=owner, lane=lane, priority=Priority(priority), key=replace, queue=queue,
            )
            replaced = self._replace(task) if replace is not None else None
            self._tasks[task.id] = task
            self._lanes[lane].add(task, front=front, instead=replaced)
            self._prune()
        return task

    def _replace(self, task: Task) -> Run | None:
        """Cancel live tasks with the owner and key of `task`; returns the run whose seat it may take."""
        seat = None
        for name, lane in self._lanes.items():
            for run in lane.live():
                if run.task.key == task.key and run.task.owner == task.owner:
                    lane.cancel(run, "replaced by newer settings", drop_events=True)
                    if name == task.lane:
                        seat = run
        return seat

    def task(self, task_id: str) -> Task | None:
        """The task with this id, if it is still known."""
        with self._lock:
            return self._tasks.get(task_id)

    def tasks(self) -> list[Task]:
        """All live tasks and a bounded number of ended ones, in the order they were submitted."""
        with self._lock:
            return list(self._tasks.values())

    def cancel(self, task_id: str, reason: str = "cancelled") -> bool:
        """Stop a task within one step; False if it is unknown or has ended."""
        with self._lock:
            lane, run = self._find(task_id)
            return lane.cancel(run, reason) if lane is not None and run is not None else False

    def cancel_owner(self, owner: str, reason: str = "its panel was closed") -> int:
        """Stop all tasks of an owner; returns how many."""
        with self._lock:
            return sum(self.cancel(task.id, reason) for task in self.tasks() if task.owner == owner)

    def pause(self, task_id: str) -> bool:
        """Take no further step of a task; False if it is unknown, paused or ended."""
        with self._lock:
            lane, run = self._find(task_id)
            return lane.pause(run) if lane is not None and run is not None else False

    def resume(self, task_id: str) -> bool:
        """Go on with a paused task; False if it is not paused."""
        with self._lock:
            lane, run = self._find(task_id)
            return lane.resume(run) if lane is not None and run is not None else False

    def _find(self, task_id: str) -> tuple[Lane | None, Run | None]:
        for lane in self._lanes.values():
            run = lane.find(task_id)
            if run is not None:
                return lane, run
        return None, None

    def wait_idle(self, timeout: float | None = None) -> bool:
        """Block until no task is live and every generator is closed; False on timeout. Never call it in the GUI."""
        with self._lock:
            return self._idle.wait_for(lambda: all(task._released.is_set() for task in self._tasks.values()), timeout)

    def step(self, lane: str = "compute") -> bool:
        """Drive a lane by hand when the engine was not started; False if there was nothing to do."""
        return self._lanes[lane].step()

    def _prune(self) -> None:
        """Forget the oldest ended tasks; one whose last events nobody has read yet is kept much longer."""
        ended = [task for task in self._tasks.values() if task.state.ended]
        surplus = len(ended) - ENDED_KEPT
        for task in ended:
            if surplus <= 0:
                return
            if task._released.is_set() and (task.mailbox.empty or surplus > ENDED_LIMIT - ENDED_KEPT):
                del self._tasks[task.id]
                surplus -= 1

    # -- looking at it --------------------------------------------------------------------------------------------

    def device_info(self) -> DeviceInfo:
        """Device and memory for display; cheap, never touches the driver on the calling thread."""
        info = self._info
        return info if info is not None and info.kind != "cpu" else devices.describe("cpu")

    def heartbeat(self) -> dict[str, Heartbeat]:
        """What each lane does now, and since when: for "step running for N s"."""
        return {name: lane.heartbeat() for name, lane in self._lanes.items()}

    def stack(self, lane: str = "compute") -> str:
        """Where the lane's thread is in its code right now, for the details of a "busy" message."""
        thread = self._lanes[lane].thread
        frame = sys._current_frames().get(thread.ident) if thread is not None and thread.ident is not None else None
        return "".join(traceback.format_stack(frame)) if frame is not None else ""

    def stats(self) -> Stats:
        """Latency figures of both lanes, and what the model cache holds."""
        with self._lock:
            recorders = {name: (lane.recorder.copy(), len(lane.live())) for name, lane in self._lanes.items()}
        lanes = {name: recorder.stats(live) for name, (recorder, live) in recorders.items()}
        return Stats(lanes, self.models.bytes_by_device(), self._offloads.count)

    def _refresh_memory(self) -> None:
        if self._device is not None and self._device != "cpu" and self.now() - self._info_at >= MEMORY_EVERY:
            self._info_at = self.now()
            try:
                self._info = devices.describe(self._device)
            except RuntimeError:
                # A device in a bad state fails every call; the jobs that need it say so, figures alone must not.
                log.warning("Reading the memory of %s failed", self._device, exc_info=True)
                self._info_at = float("inf")

    # -- for the lanes --------------------------------------------------------------------------------------------

    def now(self) -> float:
        """The engine's clock, in seconds."""
        return self._clock()

    def context_for(self, task: Task) -> JobContext:
        """The context handed to a job; the quick lane computes on the CPU."""
        device = "cpu" if task.lane == "quick" else self._device or self._wanted_device
        return JobContext(device=device, services=self.services, models=self.models, task_id=task.id)

    def start_offload(
        self, task: Task, offload: Offload | Elsewhere, deliver: Callable[[Event], None],
        answer: Callable[[Any, BaseException | None], None],
    ) -> OffloadHandle:
        """Run a call beside the lanes, or a job in another process; models a thread gets from the cache are pinned."""
        if isinstance(offload, Elsewhere):
            return offload.annex.run(offload, task.title, task.priority, deliver, answer)
        if not offload.process:
            call_id = task.id

            def pinned(call: Callable[[], Any]) -> Any:
                with self.models.using(call_id):
                    return call()

            offload = in_context(offload, pinned)
        return self._offloads.start(offload, answer, task.title)

    def recover_memory(self, task: Task) -> str:
        """Evict every idle model, those of `task` included; returns a line for the person."""
        self.models.release(task.id)
        freed = self.models.evict_idle()
        return f"Out of memory: {freed / 2**20:.0f} MiB of idle models were released; the task starts again."

    def out_of_memory_error(self, task: Task, error: ErrorInfo) -> ErrorInfo:
        """The message after the second failure: it names the levers."""
        info = self.device_info() if task.lane == "compute" else devices.describe("cpu")
        where = f"{info.name} ({info.total_bytes / 2**30:.1f} GiB)"
        message = f"Not enough memory on {where}, even after releasing idle models: {OOM_LEVERS}."
        return ErrorInfo(error.kind, message, error.details)

    def task_released(self, task: Task) -> None:
        """A task has ended and holds nothing any more; called with the lock held."""
        task._released.set()
        self._idle.notify_all()

    def step_done(self, lane: str) -> None:
        """After each step, on the lane's thread."""
        if lane == "compute":
            self._refresh_memory()
