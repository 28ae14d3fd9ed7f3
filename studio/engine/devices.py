"""Which device computes, in which number format, with how much memory. Imports torch only when asked to choose."""

from __future__ import annotations

import importlib.util
import platform
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from studio.engine.errors import DeviceUnavailable

KINDS = ("cuda", "mps", "xpu", "cpu")


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A device for the engine bar: bytes are of the device's own memory (of the computer for "cpu" and "mps")."""

    name: str
    kind: str
    total_bytes: int
    used_bytes: int
    dtype: str


def choose(wanted: str = "auto") -> str:
    """Resolve "auto", a kind, or a full name such as "cuda:1" to a device that works here.

    Raises DeviceUnavailable when a device named explicitly is missing. "cpu" never imports torch.
    """
    if wanted == "cpu":
        return "cpu"
    kind, _, index = wanted.partition(":")
    if wanted != "auto" and (kind not in KINDS or (index and not index.isdigit())):
        raise DeviceUnavailable(f"“{wanted}” is not a device: choose auto, cpu, cuda, mps or xpu.")
    if importlib.util.find_spec("torch") is None:
        if wanted == "auto":
            return "cpu"
        raise DeviceUnavailable(f"The device “{wanted}” needs the package torch, which is not installed: choose cpu.")
    for candidate in KINDS if wanted == "auto" else (kind,):
        count = device_count(candidate)
        if int(index or 0) < count:
            return f"{candidate}:{index or 0}" if candidate in ("cuda", "xpu") else candidate
    raise DeviceUnavailable(f"The device “{wanted}” is not available on this computer: choose auto or cpu.")


def device_count(kind: str) -> int:
    """How many devices of `kind` torch can use."""
    import torch

    if kind == "cpu":
        return 1
    if kind == "mps":
        return 1 if torch.backends.mps.is_available() else 0
    module: Any = getattr(torch, kind, None)
    return int(module.device_count()) if module is not None and module.is_available() else 0


def default_dtype(device: str) -> str:
    """float32 on the CPU; bfloat16 where the accelerator computes it natively, else float16."""
    kind = device.partition(":")[0]
    if kind == "cuda":
        import torch

        # Emulated bfloat16 (before Ampere) is slower than float16.
        return "bfloat16" if torch.cuda.get_device_capability(device)[0] >= 8 else "float16"
    return {"mps": "float16", "xpu": "bfloat16"}.get(kind, "float32")


def describe(device: str) -> DeviceInfo:
    """Name and memory of `device`. For accelerators call it on the compute thread: it may wait for the driver."""
    kind = device.partition(":")[0]
    torch: Any = sys.modules.get("torch")
    if torch is None or kind not in ("cuda", "xpu"):
        memory = psutil.virtual_memory()
        name = "Apple GPU" if kind == "mps" else cpu_name()
        return DeviceInfo(name, kind, memory.total, memory.total - memory.available, default_dtype(device))
    module = getattr(torch, kind)
    free, total = module.mem_get_info(device)
    return DeviceInfo(str(module.get_device_name(device)), kind, int(total), int(total - free), default_dtype(device))


def free_cached_memory() -> None:
    """Give torch's cached but unused device memory back, if torch is loaded."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
    xpu: Any = getattr(torch, "xpu", None)
    if xpu is not None and xpu.is_available():
        xpu.empty_cache()


@cache
def cpu_name() -> str:
    """The processor's name as its maker writes it, or the architecture."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "CPU"
