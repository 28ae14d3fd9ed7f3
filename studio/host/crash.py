"""Crash logs: what took the studio down is written before it goes, and shown at the next start."""

from __future__ import annotations

import faulthandler
import hashlib
import os
import platform
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO

from studio.host.atomic import FileUnwritable, remove_quietly
from studio.host.processes import is_running, process_mark

_MAX_ERRORS = 50
_MAX_ARCHIVED = 20
_MAX_LOG = 1 << 20


@dataclass(frozen=True)
class ErrorReport:
    """An exception nobody caught: one line for people, the traceback, and the name of the thread."""

    summary: str
    details: str
    thread: str


@dataclass(frozen=True)
class CrashReport:
    """How an earlier run ended badly. `when` is ISO 8601 (UTC), `text` what was logged, `path` where it is kept."""

    when: str
    text: str
    path: Path


class CrashGuard:
    """Catches what would go unseen: uncaught exceptions of all threads, and fatal signals through faulthandler.

    While the studio runs, `running-<mark>.log` exists; it is removed by `close`. One that is found with its process
    gone is a crash. Earlier excepthooks are called too. `on_error(report)` is called, on the failing thread, for each
    new exception (the same one again only counts), so that the window can show it.
    """

    def __init__(
        self, folder: Path, *, version: str = "", on_error: Callable[[ErrorReport], None] | None = None
    ) -> None:
        self.folder = folder
        self.on_error = on_error
        self.problem = ""
        self._version = version
        self._log: TextIO | None = None
        self._running = folder / f"running-{process_mark()}.log"
        self._seen: dict[str, int] = {}
        self._lock = threading.RLock()
        self._busy = threading.local()
        self._installed = False

    def install(self) -> None:
        """Start guarding. A folder that cannot be written only sets `problem`: the studio works without a crash log."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._log = self._running.open("w", encoding="utf-8", buffering=1)
            self._log.write(
                f"Glassbox Studio {self._version}, Python {platform.python_version()}, {platform.platform()}\n"
                f"started {datetime.now(UTC).isoformat(timespec='seconds')}\n\n"
            )
            faulthandler.enable(self._log)
        except OSError as error:
            self.problem = str(FileUnwritable(self.folder, error))
        self._earlier = sys.excepthook
        self._earlier_thread = threading.excepthook
        self._own, self._own_thread = self._hook, self._thread_hook
        sys.excepthook, threading.excepthook = self._own, self._own_thread
        self._installed = True

    def close(self) -> None:
        """A clean exit: stop guarding; errors that were logged go to the archive, the running mark goes away."""
        if self._installed:
            if sys.excepthook is self._own:
                sys.excepthook = self._earlier
            if threading.excepthook is self._own_thread:
                threading.excepthook = self._earlier_thread
            self._installed = False
        if self._log is None:
            return
        faulthandler.disable()
        self._log.close()
        self._log = None
        try:
            self._archive(self._running, "errors") if self._seen else self._running.unlink(missing_ok=True)
        except OSError as error:
            self.problem = str(FileUnwritable(self.folder, error))

    def previous_crash(self) -> CrashReport | None:
        """The newest crash of earlier runs, or None. Each is moved to the archive, so it is told only once.

        Runs of other processes that are still alive are left alone.
        """
        found: list[CrashReport] = []
        for path in sorted(self.folder.glob("running-*.log")):
            mark = path.name.removeprefix("running-").removesuffix(".log")
            if path == self._running or is_running(mark):
                continue
            try:
                when = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
                with path.open("rb") as file:
                    text = file.read(_MAX_LOG).decode("utf-8", "replace")
                found.append(CrashReport(when, text, self._archive(path, "crash")))
            except OSError as error:
                self.problem = str(FileUnwritable(path, error))
        return max(found, key=lambda report: report.when, default=None)

    def record(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Log an exception that nobody caught (the hooks call this; slots and jobs may too)."""
        details = "".join(traceback.format_exception(kind, error, trace))
        key = hashlib.sha256(details.encode("utf-8", "replace")).hexdigest()
        with self._lock:
            self._seen[key] = self._seen.get(key, 0) + 1
            if self._seen[key] > 1 or len(self._seen) > _MAX_ERRORS:
                return  # a paint error comes sixty times a second: once is enough
            thread = threading.current_thread().name
            if self._log is not None:
                stamp = datetime.now(UTC).isoformat(timespec="seconds")
                try:
                    self._log.write(f"{stamp} uncaught on thread {thread}\n{details}\n")
                    self._log.flush()
                    os.fsync(self._log.fileno())
                except OSError as problem:
                    self.problem = str(FileUnwritable(self._running, problem))
        if self.on_error is not None:
            summary = "".join(traceback.format_exception_only(kind, error)).strip()
            self.on_error(ErrorReport(summary, details, thread))

    def _hook(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self._guarded(kind, error, trace)
        self._earlier(kind, error, trace)

    def _thread_hook(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self._guarded(args.exc_type, args.exc_value, args.exc_traceback)
        self._earlier_thread(args)

    def _guarded(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """`record`, unless this thread is already in it: what goes wrong while reporting must not report itself."""
        if getattr(self._busy, "now", False) or issubclass(kind, KeyboardInterrupt):
            return
        self._busy.now = True
        try:
            self.record(kind, error, trace)
        finally:
            self._busy.now = False

    def _archive(self, path: Path, kind: str) -> Path:
        """Move a log into the archive and keep only the newest ones there. Raises OSError."""
        archive = self.folder / "archive"
        archive.mkdir(exist_ok=True)
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        target = archive / f"{kind}-{stamp}.log"
        os.replace(path, target)
        for old in sorted(archive.glob(f"{kind}-*.log"))[:-_MAX_ARCHIVED]:
            remove_quietly(old)
        return target
