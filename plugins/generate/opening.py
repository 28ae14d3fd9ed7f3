"""Models coming in: the dialog, what is dropped here, and the list that is offered."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QMimeData
from PySide6.QtWidgets import QFileDialog

from studio.engine import Cancelled, Done, EngineClosed, Event, Failed, Log, Progress, Task
from studio.host.panel import Panel
from studio.models.catalog import CHECKPOINTS, ModelInfo
from studio.models.shelf import Shelf
from studio_plugins.generate import quick
from studio_plugins.generate.controls import Controls

_FILTER = f"Checkpoints ({' '.join(f'*{suffix}' for suffix in CHECKPOINTS)});;All files (*)"
Actions = Sequence[tuple[str, Callable[[], object]]]


class Opening:
    """Opens models in the background, puts them on the shelf and chooses them; a failure changes nothing."""

    def __init__(self, panel: Panel, shelf: Shelf, controls: Controls) -> None:
        self._panel = panel
        self._shelf = shelf
        self._controls = controls
        self._task: Task | None = None
        self._ours: set[str] = set()

    def ask(self, *, folder: bool = False) -> None:
        """Ask which file (or model folder) to open."""
        dialog = QFileDialog(self._panel, "Open a model folder" if folder else "Open a model", "", _FILTER)
        if folder:
            dialog.setFileMode(QFileDialog.FileMode.Directory)
            dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        else:
            dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self.open(Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def open(self, path: Path) -> None:
        """Read the model at `path` in the engine; it is offered and chosen once it has proved to draw."""
        self._task = self._submit(quick.open_place, path, f"opening {path.name}", replace="open model")
        if self._task is not None:
            self._tell(f"Opening “{path.name}”…", "info", actions=[("Cancel", self._task.cancel)])

    def look_again(self) -> None:
        """Find anew which models there are (one was added or removed)."""
        self._panel.message("")
        problems, forget = self._shelf.look()
        self._controls.set_models(self._shelf.models)
        self.tell_problems(problems, forget=forget)

    def tell_problems(self, problems: Sequence[str], *, forget: bool) -> None:
        """Say which models cannot be offered; `forget` those that are gone, on disk too."""
        if forget:
            self._save()
        if not self._shelf.models:
            text = f"There is no model to draw with. Install the studio again, or put one into “{self._shelf.own}”."
            self._tell(text, "error", actions=[("Open a model…", self.ask), ("Look again", self.look_again)])
        elif problems:
            self._tell(" ".join(problems), "warning")

    def on_event(self, task: Task, event: Event) -> bool:
        """One event of a task of this panel; False when the task is not one of these."""
        if task.id not in self._ours:
            return False
        if self._task is not None and task.id == self._task.id:
            self._follow(task, event)
        elif isinstance(event, Failed) and task.request is self._shelf:
            text = f"The models you opened will not be remembered. {event.error.message}"
            self._tell(text, "warning", event.error.details)
        return True

    def _follow(self, task: Task, event: Event) -> None:
        path: Path = task.request
        if isinstance(event, Progress):
            self._tell(f"{event.text[:1].upper()}{event.text[1:]}", "info", actions=[("Cancel", task.cancel)])
        elif isinstance(event, Log):
            self._tell(event.text, event.level)
        elif isinstance(event, Failed):
            again = partial(self.open, path)
            actions: Actions = [("Try again", again), ("Open another…", self.ask)]
            self._tell(event.error.message, "error", event.error.details, actions)
        elif isinstance(event, Cancelled):
            self._tell(f"“{path.name}” was not opened.", "info")
        elif isinstance(event, Done):
            self._opened(event.result)

    def _opened(self, found: ModelInfo) -> None:
        info = self._shelf.add(found)
        self._controls.set_models(self._shelf.models)
        self._controls.choose_model(info)
        self._save()
        self._tell(f"{info.title} draws now, {info.size}×{info.size} pixels. It stays in the list.", "success")

    def _save(self) -> None:
        self._submit(quick.save_shelf, self._shelf, "remembering the models opened", replace="shelf")

    def _submit(self, job: Callable[..., object], request: object, title: str, *, replace: str) -> Task | None:
        try:
            task = self._panel.context.submit(job, request, title=title[:80], lane="quick", replace=replace)
        except EngineClosed as error:
            self._tell(str(error), "warning")
            return None
        self._ours.add(task.id)
        return task

    def _tell(self, text: str, level: str, details: str = "", actions: Actions = ()) -> None:
        self._panel.message(text, level, details, [(label, _quiet(call)) for label, call in actions])


def dropped_model(data: QMimeData) -> Path | None:
    """The first local checkpoint file or folder among what is dragged."""
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    return next((path for path in paths if path.suffix.lower() in CHECKPOINTS or os.path.isdir(path)), None)


def _quiet(call: Callable[[], object]) -> Callable[[], None]:
    def act() -> None:
        call()

    return act
