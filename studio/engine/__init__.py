"""The compute engine: jobs are generators, advanced one step at a time. Knows nothing of Qt, panels or models."""

from studio.engine.annex import Annex, Elsewhere
from studio.engine.cache import ModelCache
from studio.engine.context import JobContext
from studio.engine.devices import DeviceInfo
from studio.engine.engine import Engine
from studio.engine.errors import (
    AnnexEnded,
    DeviceUnavailable,
    EngineClosed,
    EngineError,
    JobContractError,
    OffloadFailed,
    OutOfMemory,
    explain,
)
from studio.engine.events import (
    Cancelled,
    Done,
    ErrorInfo,
    Event,
    Failed,
    Lifecycle,
    Log,
    Metric,
    Preview,
    Progress,
    Snapshot,
    Started,
)
from studio.engine.inline import run_inline
from studio.engine.mailbox import Mailbox
from studio.engine.offload import Offload
from studio.engine.preload import tune_interpreter
from studio.engine.stats import Heartbeat, LaneStats, Latency, Stats
from studio.engine.task import Job, Priority, Task, TaskState
from studio.engine.wait import Wait

__all__ = [
    "Annex", "AnnexEnded", "Cancelled", "DeviceInfo", "DeviceUnavailable", "Done", "Elsewhere", "Engine", "EngineClosed",
    "EngineError", "ErrorInfo", "Event", "Failed", "Heartbeat", "Job", "JobContext", "JobContractError", "LaneStats",
    "Latency", "Lifecycle", "Log", "Mailbox", "Metric", "ModelCache", "Offload", "OffloadFailed", "OutOfMemory", "Preview", "Priority", "Progress",
    "Snapshot", "Started", "Stats", "Task", "TaskState", "Wait", "explain", "run_inline", "tune_interpreter",
]
