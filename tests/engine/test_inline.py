"""Running a job without an engine, and the context made by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from studio.engine import DeviceUnavailable, Event, JobContext, JobContractError, Offload, Progress, run_inline
from studio.engine import devices


def test_run_inline_gives_events_answers_and_the_result() -> None:
    events: list[Event] = []

    def job(request: int, ctx: JobContext) -> Iterator[Any]:
        (ctx.scratch() / "x").write_text("x")
        yield Progress(0, 1)
        try:
            yield Offload(int, "x")
        except ValueError:
            value = yield Offload(int, "7", process=True)
        return request + value

    assert run_inline(job, 1, on_event=events.append) == 8
    assert events == [Progress(0, 1)]


def test_run_inline_lets_errors_out_and_closes_the_job() -> None:
    closed = []

    def job(request: Any, ctx: Any) -> Iterator[Any]:
        try:
            yield request
        finally:
            closed.append(1)

    with pytest.raises(JobContractError, match="int"):
        run_inline(job, 3)
    assert closed == [1]


def test_context_defaults_and_device_names() -> None:
    ctx = JobContext(services={"a": 1})
    assert (ctx.device, ctx.dtype, ctx.services["a"], ctx.task_id) == ("cpu", "float32", 1, "local")
    assert JobContext(dtype="bfloat16").dtype == "bfloat16"
    assert devices.choose("cpu") == "cpu"
    for name in ("tpu", "cuda:x", "", "cuda:99"):
        with pytest.raises(DeviceUnavailable, match="choose"):
            devices.choose(name)


def test_cpu_is_described_without_torch() -> None:
    info = devices.describe("cpu")
    assert info.kind == "cpu" and info.name and 0 < info.used_bytes < info.total_bytes and info.dtype == "float32"
