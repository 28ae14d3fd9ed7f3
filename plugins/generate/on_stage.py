"""What is on the stage: which run or sweep, its result, and where that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio_plugins.generate.insight import Insight
from studio_plugins.generate.quick import StoredRun
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.results import Cost, GenerateResult, SweepResult, grid_cost
from studio_plugins.generate.stage import Stage
from studio_plugins.generate.sweep import cell_request
from studio_plugins.generate.sweep_labels import sweep_labels
from studio_plugins.generate.sweep_request import SweepRequest
from studio_plugins.generate.trajectory import Trajectory


class OnStage(QObject):
    """One run (`request`) or one sweep (`sweep`), shown on stage and insight.

    `result` is None while it is drawn, `record_id` while it is not in the results store. Signals: `changed`, `status`
    (a line).
    """

    changed = Signal()
    status = Signal(str, object)

    def __init__(self, stage: Stage, insight: Insight, parent: QObject) -> None:
        super().__init__(parent)
        self._stage = stage
        self._insight = insight
        self._files: dict[str, Path] = {}
        self.request: GenerateRequest | None = None
        self.sweep: SweepRequest | None = None
        self.result: GenerateResult | SweepResult | None = None
        self.record_id: str | None = None

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the result came from; empty before there is one."""
        return dict(self.result.provenance) if self.result is not None else {}

    @property
    def unkept(self) -> GenerateResult | None:
        """The run shown, if it is finished and not in the results store."""
        return self.result if isinstance(self.result, GenerateResult) and self.record_id is None else None

    def settings_of(self, index: int) -> GenerateRequest | None:
        """The settings of a picture shown: those of the run, or of its cell of the sweep."""
        return cell_request(self.sweep, index) if self.sweep is not None else self.request

    def file_of(self, index: int) -> Path | None:
        """The file of a picture shown, when it is kept."""
        names = sorted(name for name in self._files if name.endswith(".png") and name.startswith(("picture", "cell")))
        return self._files[names[index]] if 0 <= index < len(names) else None

    def begin(self, request: GenerateRequest | SweepRequest) -> None:
        """A run or sweep starts."""
        self.result, self.record_id, self._files = None, None, {}
        if isinstance(request, SweepRequest):
            self._begin_sweep(request)
        else:
            self.request, self.sweep = request, None
            self._stage.begin_run(captions(request))
            self._insight.begin(request)
        self.changed.emit()

    def finish(self, result: GenerateResult | SweepResult, files: Mapping[str, Path]) -> None:
        """It is drawn; `files` are those of its record."""
        self.result, self.record_id, self._files = result, result.record_id, dict(files)
        if isinstance(result, SweepResult):
            self.sweep = result.request
            self._stage.show_cells(result.cells, len(result.cells))
            self._insight.show_grid_cost(len(result.cells), result.cost)
            seconds = result.cost.seconds
            self.status.emit(f"{len(result.cells)} pictures in {seconds:.1f} s. {_axes(result.request)}", None)
        else:
            self.request = result.request
            if result.steps is not None and len(result.steps.steps) != len(self._stage.steps):
                self._stage.steps = list(result.steps.steps)
            self._stage.finish(result.pictures)
            self._insight.show_cost(result.request, result.cost, result.provenance)
            kept = ", kept in the History" if result.record_id else ""
            steps = result.cost.steps + result.cost.upsample_steps
            self.status.emit(f"{steps} steps in {result.seconds:.1f} s{kept}", None)
        self.changed.emit()

    def mark_kept(self, result: GenerateResult, files: Mapping[str, Path]) -> None:
        """The run shown was saved after the fact."""
        if isinstance(self.result, GenerateResult) and self.result.pictures is result.pictures:
            self.result, self.record_id = replace(result, steps=self.result.steps), result.record_id
            self._files = dict(files)
        self.changed.emit()

    def show_stored(self, run: StoredRun) -> None:
        """A result read back from disk."""
        record = run.record
        self.record_id, self._files = record.id, dict(record.files)
        if record.kind == SweepRequest.kind:
            request = SweepRequest.checked(**record.request)
            self._begin_sweep(request)
            total = grid_cost(request, record.metrics)
            self.result = SweepResult(request, run.pictures, total, record.provenance, record.id)
            self._stage.show_cells(run.pictures, len(run.pictures))
            self._insight.show_grid_cost(len(run.pictures), total)
            self.status.emit(_axes(request), None)
        else:
            drawn = GenerateRequest.checked(**record.request)
            cost = Cost.stored(drawn, record.metrics)
            self.result = GenerateResult(drawn, run.pictures, cost, record.provenance, record_id=record.id)
            self._show_run(drawn, self.result, run.steps)
            self._insight.show_cost(drawn, cost, record.provenance)
            self.status.emit(run.problem, None)
        self.changed.emit()

    def show_example(self, request: GenerateRequest, steps: Trajectory) -> None:
        """A run that nobody waits for and that is not in the store (the pictures of the manual)."""
        self.result, self.record_id, self._files = None, None, {}
        pictures = steps.steps[-1].x0
        self._show_run(request, GenerateResult(request, pictures, Cost(), {}), steps)
        self.changed.emit()

    def _show_run(self, request: GenerateRequest, result: GenerateResult, steps: Trajectory | None) -> None:
        kept = list(steps.steps) if steps else []
        self.request, self.sweep = request, None
        self._insight.begin(request)
        self._insight.show_curves(kept)
        self._stage.show_run(result.pictures, kept, captions(request))

    def _begin_sweep(self, request: SweepRequest) -> None:
        self.sweep, self.request = request, None
        labels = sweep_labels(request)
        rows = labels.rows or ("",)
        names = [", ".join(filter(None, (column, row))) for row in rows for column in labels.columns]
        self._stage.begin_sweep(labels, names)
        self._insight.begin_sweep(request)


def captions(request: GenerateRequest) -> list[str]:
    """What stands below each picture of a run."""
    return [f"seed {request.seed + i}" for i in range(request.batch)]


def _axes(request: SweepRequest) -> str:
    labels = sweep_labels(request)
    return f"Columns: {labels.column_title}" + (f", rows: {labels.row_title}" if labels.rows else "")
