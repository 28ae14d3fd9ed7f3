"""Where runs train: in a process of their own where the studio has one, or on this engine."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from studio.engine import Annex, Elsewhere, JobContext, Task

Job = TypeVar("Job", bound=Callable[..., Any])


@dataclass(frozen=True, eq=False)
class There:
    """A job for the process that trains."""

    annex: Annex
    job: Callable[..., Any]
    order: Any


def in_yard(job: Job) -> Job:
    """A decorator: this job works on runs, so it goes where they are."""
    job.in_yard = True  # type: ignore[attr-defined]
    return job


def is_in_yard(job: Callable[..., Any]) -> bool:
    """Whether a job goes where runs are."""
    return getattr(job, "in_yard", False)


def go(there: There, ctx: JobContext) -> Generator[Elsewhere, Any, Any]:
    """Do it there, and bring back what it returned."""
    result = yield Elsewhere(there.annex, there.job, there.order)
    return result


def order_of(task: Task) -> Any:
    """What a task was asked, wherever it runs."""
    return task.request.order if isinstance(task.request, There) else task.request
