"""Import heavy modules on the engine's thread without stalling the window, and tune the process for a live window."""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import os
import sys
from pathlib import Path


def tune_interpreter(switch_interval: float = 0.0005) -> None:
    """Let Python threads hand over faster (default 5 ms), so the window waits less for Python-heavy jobs.

    It is a setting of the whole process: the application calls it once, libraries and scripts should not.
    """
    sys.setswitchinterval(switch_interval)


def tune_torch(threads: int | None = None) -> None:
    """Leave one core to the window: at most cores - 1 threads inside torch. Call it on the thread that computes.

    A number set by the person in OMP_NUM_THREADS wins over the default.
    """
    import torch

    if threads is None and os.environ.get("OMP_NUM_THREADS"):
        return
    torch.set_num_threads(threads or max(1, (os.cpu_count() or 2) - 1))


def preload(module: str) -> None:
    """Import `module` with no long stall of other threads; raises what the import raises.

    The garbage collector rests meanwhile, and never looks at what was imported: hundreds of thousands of objects that
    live as long as the process would cost the window 50 to 90 ms at each full collection (measured with torch 2.13).
    """
    if module in sys.modules:
        return
    if module == "torch":
        map_torch_libraries()
    collecting = gc.isenabled()
    gc.disable()
    try:
        importlib.import_module(module)
        gc.freeze()
    finally:
        if collecting:
            gc.enable()


def map_torch_libraries() -> list[str]:
    """Map torch's large libraries into the process; returns those that were mapped.

    WORKAROUND: importing torch dlopens several hundred MB from C code that holds the GIL, which freezes the window for
    0.2 to 0.5 s (measured: longest stall 185 ms without, 12 to 37 ms with this and the resting collector). A foreign
    function called through ctypes releases the GIL, and a library that is mapped already costs the later import
    nothing. `ctypes.CDLL(path)` itself would not do: CPython's own dlopen call keeps the GIL (_ctypes/callproc.c,
    py_dl_open). Windows needs nothing: there torch itself calls LoadLibraryExW through ctypes.
    """
    if os.name != "posix":
        return []
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(spec.submodule_search_locations[0]) / "lib"
    try:
        dlopen = ctypes.CDLL(None).dlopen
    except (OSError, AttributeError):
        return []
    dlopen.argtypes = (ctypes.c_char_p, ctypes.c_int)
    dlopen.restype = ctypes.c_void_p
    suffix = "dylib" if sys.platform == "darwin" else "so"
    mapped = []
    # In torch's own order: the global dependencies first, visible to all; libtorch pulls in the CPU and GPU parts. Not
    # libtorch_python: its initialisers may call Python, which is forbidden without the GIL.
    for stem, mode in (("libtorch_global_deps", os.RTLD_GLOBAL), ("libtorch", os.RTLD_LOCAL)):
        path = folder / f"{stem}.{suffix}"
        if path.exists() and dlopen(os.fsencode(path), os.RTLD_LAZY | mode):
            mapped.append(path.name)
    return mapped
