"""Calls that cannot be cut into steps: run beside the lane, in a worker thread or in a process that can be killed."""

from __future__ import annotations

import functools
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol

import psutil

from studio.engine.errors import OffloadFailed

Answer = Callable[[Any, BaseException | None], None]

REAP_SECONDS = 2.0


class Offload:
    """`value = yield Offload(fn, *args, process=False, **kwargs)`: the generator resumes with what `fn` returned.

    What `fn` raises is raised at the `yield`. With `process=True` it runs in a fresh process (spawn; function,
    arguments and result must be picklable) which is killed when the task is cancelled; a thread cannot be killed, its
    result is dropped.
    """

    __slots__ = ("args", "fn", "kwargs", "process")

    def __init__(self, fn: Callable[..., Any], /, *args: Any, process: bool = False, **kwargs: Any) -> None:
        if not callable(fn):
            raise TypeError(f"Offload needs a function, not {type(fn).__name__}")
        self.fn = fn
        self.args = args
        self.kwargs = kwargs
        self.process = process


class OffloadHandle(Protocol):
    """A call under way."""

    def kill(self) -> None:
        """Drop the answer and end the worker process, without waiting."""

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the worker is gone; False on timeout."""

    def pause(self) -> None:
        """Take no further step, where the call has steps."""

    def resume(self) -> None:
        """Go on after `pause`."""


class Offloads:
    """Starts offloaded calls, at most `limit` at once (the others wait their turn), and can end them all."""

    def __init__(self, limit: int | None = None) -> None:
        self._slots = threading.BoundedSemaphore(limit or max(2, os.cpu_count() or 2))
        self._lock = threading.Lock()
        self._alive: set[_Worker] = set()

    def start(self, offload: Offload, answer: Answer, name: str = "") -> OffloadHandle:
        """Begin the call; `answer(value, error)` is called once from another thread unless the handle is killed."""
        worker = _Worker(offload, answer, self._slots, self._forget, name)
        with self._lock:
            self._alive.add(worker)
        worker.thread.start()
        return worker

    def _forget(self, worker: _Worker) -> None:
        with self._lock:
            self._alive.discard(worker)

    @property
    def count(self) -> int:
        """Calls under way or waiting."""
        with self._lock:
            return len(self._alive)

    def kill_all(self) -> None:
        """Kill every call under way."""
        with self._lock:
            alive = list(self._alive)
        for worker in alive:
            worker.kill()

    def join_all(self, timeout: float) -> bool:
        """Wait until every call is gone; False if one is still there after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._lock:
            alive = list(self._alive)
        return all([worker.join(max(0.0, deadline - time.monotonic())) for worker in alive])


class _Worker:
    """One offloaded call and the thread that runs it, or that watches the process that does."""

    def __init__(
        self, offload: Offload, answer: Answer, slots: threading.BoundedSemaphore,
        forget: Callable[[_Worker], None], name: str,
    ) -> None:
        self._call: tuple[Offload, Answer] | None = (offload, answer)
        self._slots = slots
        self._forget = forget
        self._killed = threading.Event()
        self._process: SpawnProcess | None = None
        # A pipe and not only the flag: the watcher sleeps in connection.wait() and must wake at once.
        self._wake: tuple[Connection, Connection] | None = None
        if offload.process:
            self._wake = multiprocessing.Pipe(duplex=False)
        self._wake_lock = threading.Lock()
        self.thread = threading.Thread(target=self._run, name=f"offload {name}".strip(), daemon=True)

    def kill(self) -> None:
        with self._wake_lock:  # the pipe may not be closed while it is written: its number could be another file's
            if not self._killed.is_set():
                self._killed.set()
                if self._wake is not None:
                    self._wake[1].send_bytes(b"x")

    def pause(self) -> None:
        """A single call has no steps: it goes on, and its answer waits."""

    def resume(self) -> None:
        """See `pause`."""

    def join(self, timeout: float | None = None) -> bool:
        self.thread.join(timeout)
        return not self.thread.is_alive()

    def _run(self) -> None:
        assert self._call is not None
        (offload, answer), self._call = self._call, None
        try:
            while not self._slots.acquire(timeout=0.05):
                if self._killed.is_set():
                    return
            try:
                if not self._killed.is_set():
                    self._compute(offload, answer)
            finally:
                self._reap()
                self._slots.release()
        finally:
            with self._wake_lock:
                wake, self._wake = self._wake, None
                for end in wake or ():
                    end.close()
            self._forget(self)

    def _compute(self, offload: Offload, answer: Answer) -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            value = self._in_process(offload) if offload.process else offload.fn(*offload.args, **offload.kwargs)
        except BaseException as raised:  # SystemExit too: it belongs to the job, and is thrown into it
            error = raised
        if not self._killed.is_set():
            answer(value, error)
        error = None  # its traceback holds this frame: the two would keep each other alive

    def _in_process(self, offload: Offload) -> Any:
        """Run the call in a spawned process; returns its value or raises its error."""
        assert self._wake is not None
        try:
            payload = pickle.dumps((offload.fn, offload.args, offload.kwargs))
        except Exception as error:
            raise OffloadFailed(
                f"This call cannot be sent to a worker process ({error}): use a function at the top of a module."
            ) from error
        spawn = multiprocessing.get_context("spawn")
        receiver, sender = spawn.Pipe(duplex=False)
        with receiver:
            with sender:
                self._process = spawn.Process(
                    target=_child, args=(sender, payload), name="glassbox worker", daemon=True
                )
                self._process.start()
            ready = connection.wait([receiver, self._process.sentinel, self._wake[0]])
            if self._killed.is_set():
                raise OffloadFailed("The worker process was stopped.")
            try:
                message = receiver.recv_bytes() if receiver in ready or receiver.poll() else None
            except EOFError:
                message = None
        if message is None:
            self._process.join(REAP_SECONDS)
            raise OffloadFailed(death(self._process.exitcode))
        good, answer = pickle.loads(message)
        if not good:
            raise answer
        return answer

    def _reap(self) -> None:
        """End the process: it has answered or is no longer wanted."""
        process, self._process = self._process, None
        if process is None or process.pid is None:
            return
        if not self._killed.is_set():
            process.join(REAP_SECONDS)
        if process.is_alive():
            _kill_tree(process.pid)
        process.join()
        process.close()


def _kill_tree(pid: int) -> None:
    """Kill a process and everything it started."""
    try:
        parent = psutil.Process(pid)
        family = [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue


def death(code: int | None, who: str = "The worker process") -> str:
    """How a process ended, in words."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        reason = f"was ended by the system ({name})"
        advice = " It may have run out of memory: close other programs or make the task smaller."
        return f"{who} {reason}.{advice if name == 'SIGKILL' else ''}"
    return f"{who} ended without an answer (exit code {code})."


def _child(sender: Connection, payload: bytes) -> None:
    """Body of the worker process: compute, send (True, value) or (False, error), end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in the terminal is the window's business; it kills us itself
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        fn, args, kwargs = pickle.loads(payload)
        message = pickle.dumps((True, fn(*args, **kwargs)))
    except BaseException as error:  # SystemExit as well: the parent must get an answer
        message = _pack_error(error)
    sender.send_bytes(message)
    sender.close()


def _die_with_parent() -> None:
    """End this process when the studio is gone, even if it was killed: a worker must not compute for nobody."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _pack_error(error: BaseException) -> bytes:
    """Pickle an error with its traceback as a note; errors that do not survive pickling become OffloadFailed."""
    text = "".join(traceback.format_exception(error))
    error.__cause__ = error.__context__ = None
    try:
        error.add_note(f"In the worker process:\n{text}")
        message = pickle.dumps((False, error))
        pickle.loads(message)
    except Exception:  # any class of error may define any reduction; what it said is what matters
        stand_in = OffloadFailed(f"{type(error).__name__}: {error}")
        stand_in.add_note(f"In the worker process:\n{text}")
        return pickle.dumps((False, stand_in))
    return message


def in_context(offload: Offload, wrap: Callable[[Callable[[], Any]], Any]) -> Offload:
    """The same thread call, run inside `wrap` (used to pin models an offloaded loader gets)."""
    return Offload(wrap, functools.partial(offload.fn, *offload.args, **offload.kwargs))
