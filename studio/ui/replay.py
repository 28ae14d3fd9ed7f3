"""Run a stored request again and compare what comes out with what was kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from studio.engine import Cancelled, Done, Engine, Event, Failed, Task
from studio.host.discovery import Discovered, PluginError, load_job
from studio.host.request import RequestError
from studio.host.results import ResultMissing, ResultRecord, ResultsStore
from studio.ui.background import Background
from studio.ui.history_model import load_picture, picture_of
from studio.ui.pump import Pump

_NAMES = {
    "model_sha256": "the weights of the model", "clip_sha256": "the weights of the CLIP model",
    "classifier_sha256": "the weights of the classifier", "upsampler_sha256": "the weights of the up-sampler",
    "torch": "the version of torch", "threads": "the number of threads",
}  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Both results and, per file, the largest absolute difference (pictures: in steps of 255; arrays: as they are)."""

    before: ResultRecord
    after: ResultRecord
    differences: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    pictures: tuple[QImage | None, QImage | None] = (None, None)

    @property
    def largest(self) -> float | None:
        """The largest difference of all files, or None when no file could be compared."""
        return max(self.differences.values(), default=None)

    @property
    def verdict(self) -> str:
        """The outcome in one sentence."""
        if self.largest is None:
            return "The replay has no file that could be compared."
        if self.largest == 0:
            return "The replay is equal, bit for bit."
        changed = ", ".join(_NAMES.get(name, name.replace("_", " ")) for name in self.changed)
        return f"The largest difference is {self.largest:g}." + (f" Not the same as then: {changed}." if changed else "")

    @property
    def changed(self) -> list[str]:
        """What the replay was made with that differs from then: names in the provenance of both, such as the model's hash."""
        then, now = self.before.provenance, self.after.provenance
        return [name for name in then if name in now and then[name] != now[name]]


class Replayer(QObject):
    """`start(record)` runs the record's job; `finished(Comparison)` or `failed(message, details)` follows."""

    finished = Signal(object)
    failed = Signal(str, str)

    def __init__(self, engine: Engine, store: ResultsStore, pump: Pump, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine, self._store, self._pump, self._background = engine, store, pump, background

    def start(self, record: ResultRecord, plugins: Sequence[Discovered]) -> None:
        """Load the job on the background thread, then queue it."""

        def load() -> tuple[Any, Any]:
            request_class, job = load_job(record.kind, plugins)
            return request_class.from_json(record.request), job

        self._background.run(load, lambda loaded: self._submit(record, *loaded), self._load_failed)

    def _submit(self, record: ResultRecord, request: Any, job: Callable[..., Any]) -> None:
        counter = self._store.counter
        task = self._engine.submit(job, request, title=f"Replay: {record.title or record.kind}", owner="history")
        self._pump.watch(task, _Receiver(self, record, counter))

    def _load_failed(self, error: Exception) -> None:
        details = error.details if isinstance(error, PluginError) else ""
        text = str(error) if isinstance(error, (PluginError, RequestError)) else f"{type(error).__name__}: {error}"
        self.failed.emit(f"These settings cannot be run again. {text}", details)

    def ended(self, event: Event, before: ResultRecord, counter: int) -> None:
        """The replayed task's terminal event."""
        if isinstance(event, Failed):
            self.failed.emit(f"The replay failed. {event.error.message}", event.error.details)
        elif isinstance(event, Cancelled):
            self.failed.emit("The replay was cancelled.", "")
        elif isinstance(event, Done):
            store, result = self._store, event.result
            self._background.run(lambda: _find_and_compare(store, before, result, counter), self.finished.emit, self._compare_failed)

    def _compare_failed(self, error: Exception) -> None:
        self.failed.emit(f"The replay ran, but could not be compared. {error}", "")


class _Receiver:
    """Takes the events of one replay; always wants them."""

    def __init__(self, owner: Replayer, record: ResultRecord, counter: int) -> None:
        self._owner, self._record, self._counter = owner, record, counter

    def isVisible(self) -> bool:
        return True

    def on_event(self, task: Task, event: Event) -> None:
        if isinstance(event, (Done, Failed, Cancelled)):
            self._owner.ended(event, self._record, self._counter)


def _find_and_compare(store: ResultsStore, before: ResultRecord, result: Any, counter: int) -> Comparison:
    """The record a replay made: the one its result names, or else the newest of the same kind made since."""
    name = getattr(result, "record_id", None)
    if not isinstance(name, str):
        fresh = [store.get(n) for n in store.changed_since(counter).changed if n != before.id]
        name = max((r for r in fresh if r.kind == before.kind), key=lambda r: r.created, default=before).id
    if name == before.id:
        raise ResultMissing("of the replay")
    return compare(before, store.get(name))


def compare(before: ResultRecord, after: ResultRecord) -> Comparison:
    """Compare the files of two results by name: pictures and .npz/.npy arrays."""
    differences: dict[str, float] = {}
    notes: list[str] = []
    for name in sorted(set(before.files) & set(after.files)):
        try:
            pair = _arrays(before.files[name]), _arrays(after.files[name])
        except (OSError, ValueError) as error:
            notes.append(f"{name} cannot be compared ({error})")
            continue
        if pair[0] is None or pair[1] is None:
            continue
        if {k: v.shape for k, v in pair[0].items()} != {k: v.shape for k, v in pair[1].items()}:
            notes.append(f"{name} has another shape")
            continue
        differences[name] = max((_difference(pair[0][key], pair[1][key]) for key in pair[0]), default=0.0)
    missing = sorted(set(before.files) ^ set(after.files))
    notes += [f"{name} is in one of the two only" for name in missing]
    shown = [load_picture(p) if (p := picture_of(r)) else None for r in (before, after)]
    return Comparison(before, after, differences, tuple(notes), (shown[0], shown[1]))


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]] | None:
    """The numbers in a file, by name; None for a kind of file that holds none."""
    suffix = path.suffix.lower()
    if suffix in (".png", ".webp"):
        image = load_picture(path)
        if image is None:
            raise ValueError("not a readable picture")
        return {"pixels": pixels_of(image)}
    if suffix == ".npy":
        return {"array": np.load(path, allow_pickle=False)}
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files if archive[key].dtype.kind in "fiub"}
    return None


def pixels_of(image: QImage) -> npt.NDArray[np.uint8]:
    """A QImage as uint8 [H,W,4] (RGBA)."""
    converted = image.convertToFormat(QImage.Format.Format_RGBA8888)
    height, width = converted.height(), converted.width()
    rows = np.frombuffer(converted.constBits(), np.uint8).reshape(height, converted.bytesPerLine())
    return rows[:, : 4 * width].reshape(height, width, 4).copy()


def _difference(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    if first.size == 0:
        return 0.0
    a, b = first.astype(np.float64), second.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))  # what is unknown in both does not differ
    with np.errstate(invalid="ignore"):
        return float(np.where(same, 0.0, np.nan_to_num(np.abs(a - b), nan=np.inf)).max())
