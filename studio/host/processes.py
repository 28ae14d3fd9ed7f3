"""Which process made a file, and whether it still runs. Process ids are reused, so the time of start counts too."""

from __future__ import annotations

import os
_SLACK_SECONDS = 5  # a corrected system clock shifts the reported start by a little


def process_mark() -> str:
    """A mark of this process for file names: "<pid>.<start in whole seconds since the epoch>"."""
    return f"{os.getpid()}.{_started(os.getpid())}"


def is_running(mark: str) -> bool:
    """Whether the process of a mark still runs; False for what is no mark."""
    pid, _, start = mark.partition(".")
    if not (pid.isascii() and pid.isdigit() and start.isascii() and start.isdigit()) or len(pid) > 9 or len(start) > 12:
        return False
    started = _started(int(pid))
    return started != 0 and abs(started - int(start)) <= _SLACK_SECONDS


def _started(pid: int) -> int:
    """Start of a process in whole seconds since the epoch; 0 when there is none or it is dead already."""
    import psutil

    try:
        process = psutil.Process(pid)
        return 0 if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0  # a process that we may not ask about is not ours
