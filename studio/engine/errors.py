"""The engine's exceptions, and the translation of any exception into words a person can act on."""

from __future__ import annotations

import errno
import sys
import traceback
from types import TracebackType

from studio.engine.events import ErrorInfo


class EngineError(Exception):
    """Base of the errors the engine raises itself."""


class EngineClosed(EngineError):
    """Work was submitted after `close()`."""


class OutOfMemory(EngineError):
    """The device or the computer has too little free memory for what was asked."""


class JobContractError(EngineError):
    """A job is not a generator function, or yielded something that is not an event."""


class OffloadFailed(EngineError):
    """A worker process ended without an answer, or its answer could not be carried back."""


class AnnexEnded(OffloadFailed):
    """The second process has ended, and with it all that its jobs held."""


class FailedElsewhere(EngineError):
    """A job that ran in another process failed there; `info` says why, in the words of that process."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


class DeviceUnavailable(EngineError):
    """The device asked for is not in this machine or not supported by the installed torch."""


OOM_LEVERS = "use a smaller batch or picture, choose half precision, or turn on offload to the computer's memory"

_OOM_PHRASES = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether `error`, or an error it was raised from, means that memory ran out (CUDA, MPS, XPU or CPU)."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (MemoryError, OutOfMemory)):
            return True
        torch = sys.modules.get("torch")
        torch_oom = getattr(torch, "OutOfMemoryError", None)
        if isinstance(torch_oom, type) and isinstance(seen, torch_oom):
            return True
        if isinstance(seen, RuntimeError) and any(phrase in str(seen).lower() for phrase in _OOM_PHRASES):
            return True
        if isinstance(seen, OSError) and seen.errno == errno.ENOMEM:
            return True
        seen = seen.__cause__
    return False


def explain(error: BaseException, *, skip_frames: int = 0) -> ErrorInfo:
    """Describe `error` for a person; `skip_frames` outermost frames (the engine's own) are left out of the details."""
    if isinstance(error, FailedElsewhere):
        return error.info
    tb = error.__traceback__
    for _ in range(skip_frames):
        tb = tb.tb_next if tb is not None else None
    kind, message = _words(error)
    hint = getattr(error, "hint", "")
    if isinstance(hint, str) and hint and hint not in message:
        message = f"{_sentence(message)} {hint}"
    return ErrorInfo(kind, message, _details(error, tb))


def _details(error: BaseException, tb: TracebackType | None) -> str:
    try:
        return "".join(traceback.format_exception(type(error), error, tb))
    except Exception as broken:  # an exception whose own __str__ raises must still be reported
        return f"{type(error).__name__} (its text could not be formatted: {type(broken).__name__})"


def _words(error: BaseException) -> tuple[str, str]:
    """Kind and message of `error`."""
    if is_out_of_memory(error):
        return "out_of_memory", f"Not enough memory: {OOM_LEVERS}."
    if isinstance(error, OSError):
        return _os_words(error)
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and isinstance(error, pydantic.ValidationError):
        problems = [(".".join(str(part) for part in item["loc"]), item["msg"]) for item in error.errors()[:5]]
        return "invalid", "Some settings are not valid. " + "; ".join(f"{where}: {what}" for where, what in problems)
    if isinstance(error, ModuleNotFoundError):
        return "module_missing", f"The Python package “{error.name}” is not installed: install it, then restart."
    if isinstance(error, JobContractError):
        return "job_contract", _text(error)
    if isinstance(error, AnnexEnded):
        return "annex_ended", _text(error)
    if isinstance(error, OffloadFailed):
        return "worker_died", _text(error)
    if isinstance(error, (SystemExit, KeyboardInterrupt, GeneratorExit)):
        return "stopped", f"The job tried to end the whole program ({type(error).__name__}); only the job was stopped."
    text = _text(error)
    name = type(error).__name__
    own_words = not type(error).__module__.startswith("builtins")
    return "error", text if own_words and text else f"{name}: {text}" if text else f"The job failed ({name})."


def _os_words(error: OSError) -> tuple[str, str]:
    where = f": {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk_full", f"The disk is full{where}. Free some space or choose another data folder, then try again."
    if error.errno == errno.EROFS:
        return "permission", f"The folder is read-only{where}. Choose another data folder."
    if isinstance(error, FileNotFoundError):
        return "file_missing", f"File or folder not found{where}. Check that it was not moved or renamed."
    if isinstance(error, PermissionError):
        return "permission", f"No permission to use this file or folder{where}. Check its owner and rights."
    if error.strerror:
        return "os_error", f"{error.strerror}{where}"
    return "os_error", _text(error) or type(error).__name__


def _text(error: BaseException) -> str:
    try:
        return str(error).strip()
    except Exception as broken:  # a broken __str__ must not hide the failure it belongs to
        return f"(no text: its __str__ raised {type(broken).__name__})"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."
