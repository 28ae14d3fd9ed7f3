"""What the engine hands to a job besides its request."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.engine import devices
from studio.engine.cache import ModelCache


class JobContext:
    """Device, services, models and scratch space of one task. Can be made by hand to run a job without an engine."""

    def __init__(
        self, *, device: str = "cpu", dtype: str | None = None, services: Mapping[str, Any] | None = None,
        models: ModelCache | None = None, task_id: str = "local",
    ) -> None:
        self.services: Mapping[str, Any] = services if services is not None else {}
        self.models = models if models is not None else ModelCache()
        self.task_id = task_id
        self._device = device
        self._dtype = dtype
        self._scratch: Path | None = None
        self._lock = threading.Lock()

    @property
    def device(self) -> str:
        """Where tensors belong, as torch names it: "cpu", "cuda:0", "mps", "xpu:0". Imports torch if set to "auto"."""
        if self._device == "auto":
            self._device = devices.choose("auto")
        return self._device

    @property
    def dtype(self) -> str:
        """The floating type that suits the device: "float32", "float16" or "bfloat16"."""
        if self._dtype is None:
            self._dtype = devices.default_dtype(self.device)
        return self._dtype

    def scratch(self) -> Path:
        """A private folder for temporary files; it is removed when the task ends."""
        with self._lock:
            if self._scratch is None:
                self._scratch = Path(tempfile.mkdtemp(prefix=f"glassbox-{self.task_id}-"))
            return self._scratch

    def cleanup(self) -> None:
        """Remove the scratch folder. A file still held open by a killed worker is left to the system's own cleaning."""
        with self._lock:
            folder, self._scratch = self._scratch, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
