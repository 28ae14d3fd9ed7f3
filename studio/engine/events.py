"""What a job says while it runs, and how a task ends: small frozen values, safe to hand to another thread."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np


class Event:
    """Base of everything that travels through a task's mailbox."""

    __slots__ = ()


class Lifecycle(Event):
    """Events the engine itself writes; a job must not yield them."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far a task is: `done` of `total`, in any unit; only the latest is kept."""

    done: float
    total: float
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Preview(Event):
    """A picture of the present state, uint8 HxWx3 or NxHxWx3; only the latest per label is kept.

    The array is copied and made read-only, so the job may go on writing into its own buffer.
    """

    array: np.ndarray[Any, Any]
    label: str = ""

    def __post_init__(self) -> None:
        array: Any = self.array
        if not isinstance(array, np.ndarray):
            raise TypeError(f"Preview needs a numpy array, not {type(array).__name__}: use .detach().cpu().numpy()")
        if array.dtype != np.uint8 or array.ndim not in (3, 4) or array.shape[-1] != 3:
            raise ValueError(f"Preview needs uint8 HxWx3 or NxHxWx3, not {array.dtype} of shape {array.shape}")
        object.__setattr__(self, "array", portable(array))


@dataclass(frozen=True, slots=True)
class Metric(Event):
    """One point (x, y) of a named curve; all are kept."""

    series: str
    x: float
    y: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", float(self.x))
        object.__setattr__(self, "y", float(self.y))


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot(Event):
    """Named data for a panel (numpy arrays, plain values, frozen dataclasses); only the latest per name is kept."""

    name: str
    data: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", portable(self.data))


@dataclass(frozen=True, slots=True)
class Log(Event):
    """A line of text for a person; level is info, warning or error; all are kept."""

    text: str
    level: str = "info"


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """Why a task failed: `kind` for programs, `message` for a person, `details` is the traceback."""

    kind: str
    message: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class Started(Lifecycle):
    """The first step begins. A second one means the task starts over (out of memory): forget what came before."""


@dataclass(frozen=True, slots=True, eq=False)
class Done(Lifecycle):
    """The job returned `result`. Terminal."""

    result: Any


@dataclass(frozen=True, slots=True)
class Failed(Lifecycle):
    """The job raised. Terminal."""

    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class Cancelled(Lifecycle):
    """The task was cancelled or replaced. Terminal."""

    reason: str = ""


TERMINAL = (Done, Failed, Cancelled)


def portable(data: Any) -> Any:
    """Return `data` fit to cross to another thread: arrays copied and read-only, containers rebuilt.

    Raises TypeError for a live tensor, wherever it hides in tuples, lists, dicts and dataclasses: sharing it would
    let the GUI read memory the engine is writing, and would keep device memory alive.
    """
    if isinstance(data, np.ndarray):
        copy = data.copy()
        copy.flags.writeable = False
        return copy
    if isinstance(data, dict):
        return {key: portable(value) for key, value in data.items()}
    if type(data) in (list, tuple):
        return type(data)(portable(value) for value in data)
    refuse_tensors(data)
    return data


def refuse_tensors(data: Any) -> None:
    """Raise TypeError if `data` is or holds a torch tensor (containers and dataclass fields are looked through)."""
    if any(kind.__module__ == "torch" and kind.__name__ == "Tensor" for kind in type(data).__mro__):
        raise TypeError("A live tensor must not leave the engine: hand over tensor.detach().cpu().numpy()")
    if isinstance(data, dict):
        for value in data.values():
            refuse_tensors(value)
    elif isinstance(data, (list, tuple)):
        for value in data:
            refuse_tensors(value)
    elif dataclasses.is_dataclass(data) and not isinstance(data, type):
        for field in dataclasses.fields(data):
            refuse_tensors(getattr(data, field.name, None))
