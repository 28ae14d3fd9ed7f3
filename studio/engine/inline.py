"""Run one job right here, without an engine: for scripts, the command line and tests of jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from studio.engine.annex import Elsewhere
from studio.engine.context import JobContext
from studio.engine.errors import JobContractError
from studio.engine.events import Event
from studio.engine.offload import Offload
from studio.engine.task import Job
from studio.engine.wait import Wait


def run_inline(
    job: Job, request: Any = None, *, context: JobContext | None = None, on_event: Callable[[Event], None] | None = None
) -> Any:
    """Drive `job` to its end on this thread and return its result; offloaded calls and jobs for other processes run here, waits pass,
    errors come out."""
    own = context is None
    ctx = context if context is not None else JobContext()
    generator = job(request, ctx)
    try:
        item = next(generator)
        while True:
            if isinstance(item, Offload):
                try:
                    value = item.fn(*item.args, **item.kwargs)
                except Exception as error:
                    item = generator.throw(error)
                else:
                    item = generator.send(value)
            elif isinstance(item, Elsewhere):
                value = run_inline(item.job, item.request, context=ctx, on_event=on_event)
                item = generator.send(value)
            elif isinstance(item, Wait):
                time.sleep(item.seconds)
                item = next(generator)
            elif isinstance(item, Event):
                if on_event is not None:
                    on_event(item)
                item = next(generator)
            else:
                raise JobContractError(f"The job yielded {type(item).__name__}, which is not an event.")
    except StopIteration as stop:
        return stop.value
    finally:
        generator.close()
        if own:
            ctx.cleanup()
