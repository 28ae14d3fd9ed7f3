"""What goes wrong in a job stays in its task, in words a person can act on; memory running out is tried once more."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pydantic
import pytest
from studio.engine import (
    Done,
    Engine,
    ErrorInfo,
    Failed,
    JobContext,
    Log,
    Metric,
    OutOfMemory,
    Progress,
    Started,
    Task,
    TaskState,
    explain,
)
from studio.engine.errors import is_out_of_memory

Drive = Callable[..., int]


def raising(error: BaseException) -> Callable[[Any, Any], Iterator[Any]]:
    def run(request: Any, ctx: Any) -> Iterator[Any]:
        yield Progress(0, 1)
        raise error

    return run


def failed(engine: Engine, job: Any, drive: Drive) -> ErrorInfo:
    task = engine.submit(job)
    drive(engine)
    assert task.state is TaskState.FAILED and task.error is not None
    assert task.mailbox.drain()[-1] == Failed(task.error)
    return task.error


class Settings(pydantic.BaseModel):
    steps: int = pydantic.Field(gt=0)


def invalid() -> pydantic.ValidationError:
    with pytest.raises(pydantic.ValidationError) as caught:
        Settings(steps=-1)
    return caught.value


class Hinted(Exception):
    hint = "Choose another file."


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (FileNotFoundError(errno.ENOENT, "no", "/a/b.png"), "file_missing", "/a/b.png"),
        (PermissionError(errno.EACCES, "no", "/a"), "permission", "rights"),
        (OSError(errno.ENOSPC, "no space", "/a"), "disk_full", "Free some space"),
        (OSError(errno.EROFS, "read-only", "/a"), "permission", "another data folder"),
        (OSError(errno.EIO, "Input/output error", "/a"), "os_error", "Input/output error: /a"),
        (ModuleNotFoundError("No module", name="gymnasium"), "module_missing", "“gymnasium” is not installed"),
        (invalid(), "invalid", "steps: Input should be greater than 0"),
        (Hinted("The file is cut short"), "error", "The file is cut short. Choose another file."),
        (KeyError("x"), "error", "KeyError: 'x'"),
        (ZeroDivisionError(), "error", "The job failed (ZeroDivisionError)."),
        (Mute(), "error", "its __str__ raised ValueError"),
        (SystemExit(1), "stopped", "only the job was stopped"),
        (KeyboardInterrupt(), "stopped", "only the job was stopped"),
    ],
)
def test_errors_become_words(error: BaseException, kind: str, words: str, engine: Engine, drive: Drive) -> None:
    info = failed(engine, raising(error), drive)
    assert info.kind == kind and words in info.message
    assert type(error).__name__ in info.details
    good = engine.submit(lambda request, ctx: (Progress(i, 1) for i in range(1)))
    drive(engine)
    assert good.state is TaskState.DONE


def test_details_begin_in_the_job_not_in_the_engine(engine: Engine, drive: Drive) -> None:
    info = failed(engine, raising(ValueError("here")), drive)
    assert "in run" in info.details and "advance" not in info.details


def test_a_job_that_is_no_generator_fails_clearly(engine: Engine, drive: Drive) -> None:
    async def coroutine(request: Any, ctx: Any) -> None: ...

    async def async_generator(request: Any, ctx: Any) -> Any:
        yield Progress(0, 1)

    for job in (lambda request, ctx: 3, lambda request, ctx: [Progress(0, 1)], coroutine, async_generator):
        assert "not a generator function" in failed(engine, job, drive).message


@pytest.mark.parametrize("item", [None, 3, "text", Done(1), Started(), Progress])
def test_a_job_that_yields_something_else_fails_clearly(item: Any, engine: Engine, drive: Drive) -> None:
    closed = []

    def run(request: Any, ctx: Any) -> Iterator[Any]:
        try:
            yield item
        finally:
            closed.append(True)

    info = failed(engine, run, drive)
    assert info.kind == "job_contract" and "not an event" in info.message and closed == [True]


def test_a_result_that_holds_a_tensor_is_refused(engine: Engine, drive: Drive) -> None:
    import torch

    def run(request: Any, ctx: Any) -> Iterator[Any]:
        yield Progress(0, 1)
        return {"x": torch.zeros(1)}

    assert "detach" in failed(engine, run, drive).message


def test_errors_while_closing_are_logged_and_change_nothing(
    engine: Engine, drive: Drive, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(request: Any, ctx: Any) -> Iterator[Any]:
        try:
            yield Progress(0, 1)
        finally:
            raise SystemExit("broken finally")

    def stubborn(request: Any, ctx: Any) -> Iterator[Any]:
        try:
            yield Progress(0, 1)
        finally:
            yield Metric("late", 0, 0)

    tasks = [engine.submit(broken), engine.submit(stubborn)]
    for _ in tasks:
        engine.step()
    for task in tasks:
        task.cancel()
    with caplog.at_level(logging.WARNING, logger="studio.engine"):
        drive(engine)
    assert [task.state for task in tasks] == [TaskState.CANCELLED] * 2 and all(task.wait(0) for task in tasks)
    assert "broken finally" in caplog.text and "ignored GeneratorExit" in caplog.text
    assert not any(isinstance(event, Metric) for event in tasks[1].mailbox.drain())


def test_the_lane_lives_on_after_everything(running: Engine) -> None:
    for error in (SystemExit(1), KeyboardInterrupt(), GeneratorExit(), MemoryError(), Mute()):
        task = running.submit(raising(error))
        assert task.wait(30) and task.state is TaskState.FAILED
    assert all(beat.alive for beat in running.heartbeat().values())


def test_out_of_memory_is_recognised() -> None:
    import torch

    wrapped = RuntimeError("loading failed")
    wrapped.__cause__ = MemoryError()
    for error in (
        MemoryError(), OutOfMemory("x"), torch.OutOfMemoryError("CUDA out of memory"), wrapped,
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried ..."),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ):
        assert is_out_of_memory(error), error
        assert explain(error).kind == "out_of_memory"
    for other in (RuntimeError("shape mismatch"), ValueError("out of memory"), OSError(errno.ENOENT, "no")):
        assert not is_out_of_memory(other)


def test_a_real_allocation_failure_of_torch_is_recognised() -> None:
    import torch

    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**56, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def hungry(engine: Engine, fails: int, runs: list[Task]) -> Callable[[Any, JobContext], Iterator[Any]]:
    """A job that runs out of memory in its first `fails` attempts, at its second step."""

    def run(request: Any, ctx: JobContext) -> Iterator[Any]:
        runs.append(request)
        ctx.models.get("mine", object, nbytes=10)
        yield Metric("loss", len(runs), 0)
        if len(runs) <= fails:
            raise MemoryError
        return len(runs)

    return run


def test_out_of_memory_evicts_what_is_idle_and_starts_over_once(engine: Engine, drive: Drive) -> None:
    runs: list[Any] = []

    def keeper(request: Any, ctx: JobContext) -> Iterator[Any]:
        ctx.models.get("theirs", object, nbytes=10)
        yield Progress(0, 1)
        yield Progress(1, 1)

    other = engine.submit(keeper)
    engine.models.get("idle", object, nbytes=10)
    engine.step()
    other.pause()
    task = engine.submit(hungry(engine, 1, runs))
    engine.step()
    assert set(engine.models.keys()) == {"theirs", "idle", "mine"}
    engine.step()
    assert engine.models.keys() == ["theirs"], "only what a live task uses survives"
    drive(engine)
    assert task.state is TaskState.DONE and task.result == 2 and len(runs) == 2
    events = task.mailbox.drain()
    assert [type(event) for event in events] == [Started, Log, Metric, Done], "the first attempt is forgotten"
    assert "starts again" in events[1].text
    other.resume()
    drive(engine)
    assert other.state is TaskState.DONE


def test_out_of_memory_twice_fails_and_names_the_lever(engine: Engine, drive: Drive) -> None:
    runs: list[Any] = []
    info = failed(engine, hungry(engine, 9, runs), drive)
    assert len(runs) == 2 and info.kind == "out_of_memory"
    for lever in ("smaller batch", "half precision", "offload"):
        assert lever in info.message
    assert "MemoryError" in info.details


def test_scratch_and_pins_go_with_the_task(engine: Engine, drive: Drive) -> None:
    folders = []

    def run(request: Any, ctx: JobContext) -> Iterator[Any]:
        folders.append(ctx.scratch())
        (folders[-1] / "x").write_text("x")
        assert ctx.scratch() == folders[-1]
        ctx.models.get("m", object, nbytes=1)
        yield Progress(0, 1)

    done, cancelled = engine.submit(run), engine.submit(run)
    engine.step()
    engine.step()
    assert folders[0] != folders[1] and all(folder.is_dir() for folder in folders)
    assert engine.models.evict_idle() == 0
    cancelled.cancel()
    drive(engine)
    assert done.state is TaskState.DONE and not any(folder.exists() for folder in folders)
    assert engine.models.evict_idle() == 1


def test_a_fault_of_the_engine_itself_costs_one_task(
    running: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any) -> str:
        raise RuntimeError("the driver is gone")

    monkeypatch.setattr(running, "recover_memory", broken)
    task = running.submit(raising(MemoryError()))
    assert task.wait(60) and task.error is not None and task.error.kind == "internal"
    monkeypatch.setattr(JobContext, "cleanup", broken)
    done = running.submit(lambda request, ctx: (Progress(i, 1) for i in range(1)))
    assert done.wait(60) and done.state is TaskState.DONE
    monkeypatch.undo()
    again = running.submit(raising(MemoryError()))
    assert again.wait(60) and again.error is not None and again.error.kind == "out_of_memory"
    assert "the driver is gone" in caplog.text
