"""In a process of its own: what gets imported, how preloading goes, and that leaving is clean."""

from __future__ import annotations

import subprocess
import sys

import pytest

JOBS = """
import time
from studio.engine import Engine, Offload, Progress

def endless(request, ctx):
    while True:
        time.sleep(0.001)
        yield Progress(0, 1)

def waiting(request, ctx):
    yield Offload(time.sleep, 600, process=True)

if __name__ == "__main__":
    engine = Engine(device="cpu")
    engine.start()
    tasks = [engine.submit(endless), engine.submit(waiting), engine.submit(endless, lane="quick")]
    while not engine.stats().offloads:
        time.sleep(0.01)
"""


def python(code: str, *, file: str | None = None) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, file] if file else [sys.executable, "-c", code]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)


def test_the_engine_imports_neither_torch_nor_qt() -> None:
    code = """
import sys
from studio.engine import Engine, JobContext, Progress, run_inline
engine = Engine()
engine.start()
def job(request, ctx):
    yield Progress(0, 1)
    ctx.models.get("m", object, nbytes=1)
    return engine.device_info().kind
assert engine.ready.wait(60)
for lane in ("compute", "quick"):
    task = engine.submit(job, lane=lane)
    assert task.wait(60) and task.result == "cpu", task.error
assert engine.close()
assert not {"torch", "PySide6", "studio.ml", "studio.host", "studio.ui"} & set(sys.modules)
"""
    result = python(code)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("ending", ["assert engine.close(60)", "pass", "raise SystemExit(7)"])
def test_leaving_with_running_tasks_is_clean(ending: str, tmp_path: object) -> None:
    from pathlib import Path

    script = Path(str(tmp_path)) / "studio_exit.py"
    script.write_text(JOBS + f"    {ending}\n")
    result = python("", file=str(script))
    assert (result.returncode, result.stderr) == (7 if "7" in ending else 0, "")


def test_preloading_torch_keeps_the_first_lines_of_work_waiting_and_tunes_it() -> None:
    code = """
import sys, threading
from studio.engine import Engine, Progress, preload
engine = Engine(preload=("torch",), device="auto", threads=1)
def job(request, ctx):
    assert "torch" in sys.modules and threading.current_thread().name == "compute"
    import torch
    yield Progress(0, 1)
    return (ctx.device, ctx.dtype, torch.get_num_threads(), float(torch.ones(3).sum()))
task = engine.submit(job)
assert not engine.ready.is_set()
engine.start()
assert engine.ready.wait(250) and engine.startup_error is None, engine.startup_error
assert task.wait(60)
device, dtype, threads, total = task.result
assert threads == 1 and total == 3.0
assert dtype == "float32" if device == "cpu" else dtype in ("float16", "bfloat16"), (device, dtype)
assert engine.device_info().kind == device.partition(":")[0]
import gc
assert gc.isenabled()
assert engine.close(60)
"""
    result = python(code)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_preload_that_fails_is_told_and_the_engine_works_on() -> None:
    code = """
import logging
logging.disable()
from studio.engine import Engine, Progress
engine = Engine(preload=("no_such_package_here",))
engine.start()
assert engine.ready.wait(60)
assert engine.startup_error.kind == "module_missing" and "no_such_package_here" in engine.startup_error.message
def job(request, ctx):
    yield Progress(0, 1)
    return ctx.device
task = engine.submit(job)
assert task.wait(60) and task.result == "cpu"
assert engine.close()
"""
    result = python(code)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_worker_process_dies_with_a_studio_that_was_killed(tmp_path: object) -> None:
    import os
    import signal
    import time
    from pathlib import Path

    import psutil

    script = Path(str(tmp_path)) / "studio_killed.py"
    script.write_text(JOBS + "    print('started', flush=True)\n    time.sleep(600)\n")
    studio = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert studio.stdout is not None and studio.stdout.readline() == "started\n"
    deadline = time.monotonic() + 60
    workers: list[psutil.Process] = []
    while not workers and time.monotonic() < deadline:
        workers = [c for c in psutil.Process(studio.pid).children() if "spawn_main" in " ".join(c.cmdline())]
        time.sleep(0.05)
    assert workers
    os.kill(studio.pid, signal.SIGKILL)
    studio.wait()
    studio.stdout.close()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert alive == []
