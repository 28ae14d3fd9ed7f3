"""The bar at the bottom: what runs, how far, how long to go, pause and cancel; device, memory, window lag."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from studio.engine import Engine, Task, TaskState
from studio.ui.elided import ElidedLabel
from studio.ui.icons import IconButton
from studio.ui.lag import LagMeter
from studio.ui.theme import restyle
from studio.ui.tokens import SPACE_M, SPACE_S

REFRESH_MS = 150
SHOWN = 2
_GIB = 2**30
_TITLE_PX = 280
_WORDS_PX = 180
_COUNTABLE = 10_000  # larger totals are bytes or the like: said in per cent
_SHOW_AFTER_S = 0.15  # what ends sooner would only flicker


def duration(seconds: float) -> str:
    """Seconds in words: "3 s", "2 min 5 s", "1 h 10 min"."""
    if seconds < 1:
        return "< 1 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def progress_words(task: Task) -> str:
    """How far a task is and how long to go."""
    if task.state is TaskState.QUEUED:
        return "waiting"
    progress = task.progress
    parts: list[str] = ["paused"] if task.state is TaskState.PAUSED else []
    if progress is None:
        return " · ".join(parts) or "starting"
    if progress.total >= _COUNTABLE:
        parts.append(f"{100 * progress.done / progress.total:.0f} %")
    elif progress.total > 0:
        parts.append(f"{progress.done:g}/{progress.total:g}")
    if progress.text:
        parts.append(progress.text)
    eta = task.eta()
    if eta is not None:
        parts.append(f"{duration(eta)} left")
    return " · ".join(parts) or "running"


class TaskRow(QWidget):
    """One task: title, bar, words, pause and cancel."""

    def __init__(self, task: Task, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.task = task
        self._title = ElidedLabel(self, most=_TITLE_PX)
        self._words = ElidedLabel(self, mode=Qt.TextElideMode.ElideMiddle, least=_WORDS_PX)  # both ends matter: how far, how long
        self._words.setProperty("tone", "faint")
        self._bar = QProgressBar(self)
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(90)
        self._pause = IconButton("pause", "Pause this task", self, size=16)
        self._pause.clicked.connect(self._toggle)
        self._cancel = IconButton("cancel", "Cancel this task. It stops within one step", self, size=16)
        self._cancel.clicked.connect(lambda _checked=False: task.cancel())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        for widget in (self._title, self._bar, self._words, self._pause, self._cancel):
            row.addWidget(widget)
        self.refresh()

    def refresh(self) -> None:
        """Read the task's state again."""
        task = self.task
        self._title.setText(task.title)
        self._words.setText(progress_words(task))
        progress = task.progress
        if progress is not None and progress.total > 0:
            self._bar.setRange(0, 1000)
            self._bar.setValue(round(1000 * min(1.0, progress.done / progress.total)))
        else:
            self._bar.setRange(0, 1000)
            self._bar.setValue(0)
        paused = task.state is TaskState.PAUSED
        self._pause.set_icon("play" if paused else "pause")
        self._pause.setToolTip("Go on with this task" if paused else "Pause this task")
        self._pause.setAccessibleName(self._pause.toolTip())
        self.setAccessibleName(f"{task.title}: {self._words.text()}")

    def _toggle(self) -> None:
        if self.task.state is TaskState.PAUSED:
            self.task.resume()
        else:
            self.task.pause()
        self.refresh()


class TaskPopup(QFrame):
    """All live tasks, above the bar."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("surface", "card")
        self.setProperty("floating", True)
        self._rows: dict[str, TaskRow] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_M)
        self._layout.setSpacing(SPACE_S)
        self._more = QLabel(self)
        self._more.setProperty("tone", "faint")
        self._layout.addWidget(self._more)
        self.hide()

    def show_tasks(self, tasks: list[Task], limit: int = 12) -> None:
        """One row a task, in the order they run."""
        wanted = {task.id: task for task in tasks[:limit]}
        for task_id in [known for known in self._rows if known not in wanted]:
            row = self._rows.pop(task_id)
            self._layout.removeWidget(row)
            row.deleteLater()
        for place, task in enumerate(wanted.values()):
            if task.id not in self._rows:
                self._rows[task.id] = TaskRow(task, self)
            self._layout.insertWidget(place, self._rows[task.id])
            self._rows[task.id].refresh()
        rest = len(tasks) - len(wanted)
        self._more.setText(f"and {rest} more" if rest > 0 else "" if tasks else "Nothing is running.")
        self._more.setVisible(bool(self._more.text()))
        self.adjustSize()


class EngineBar(QFrame):
    """`attach(engine)` once it exists; until then the bar says that the engine is starting."""

    def __init__(self, lag: LagMeter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "window")
        self.setProperty("edge", "top")
        self.setAccessibleName("Engine")
        self._engine: Engine | None = None
        self._lag_meter = lag
        self._rows: dict[str, TaskRow] = {}
        self._status = QLabel("Starting…", self)
        self._status.setProperty("tone", "muted")
        self._status.setMinimumWidth(0)
        self._status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._all = QPushButton(self)
        self._all.setProperty("role", "link")
        self._all.setToolTip("Show all tasks")
        self._all.clicked.connect(self.toggle_popup)
        self._all.hide()
        self._device = QLabel(self)
        self._lag = QLabel(self)
        for label in (self._device, self._lag):
            label.setProperty("tone", "muted")
        self._tasks = QHBoxLayout()
        self._tasks.setSpacing(SPACE_M * 2)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_M, 4, SPACE_M, 4)
        row.setSpacing(SPACE_M)
        row.addLayout(self._tasks)
        row.addWidget(self._status, 1)
        row.addStretch(0)
        row.addWidget(self._all)
        row.addWidget(_divider(self))
        row.addWidget(self._device)
        row.addWidget(_divider(self))
        row.addWidget(self._lag)
        self.setFixedHeight(38)
        self._popup: TaskPopup | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self.refresh()

    def attach(self, engine: Engine) -> None:
        """Show this engine from now on."""
        self._engine = engine
        self.refresh()

    def stop(self) -> None:
        """Stop refreshing (the window closes)."""
        self._timer.stop()

    def live_tasks(self) -> list[Task]:
        """The tasks that have not ended: running ones first."""
        if self._engine is None:
            return []
        order = {TaskState.RUNNING: 0, TaskState.PAUSED: 1, TaskState.QUEUED: 2}
        return sorted((t for t in self._engine.tasks() if not t.state.ended), key=lambda t: order.get(t.state, 3))

    def refresh(self) -> None:
        """Read everything again."""
        live = self.live_tasks()
        now = self._engine.now() if self._engine is not None else 0.0
        lasting = [t for t in live if now - t.created >= _SHOW_AFTER_S or t.id in self._rows]
        self._show_rows(lasting[: SHOWN if self.width() > 1180 else 1])
        hidden = len(lasting) - len(self._rows)
        self._all.setText(f"{hidden} more" if self._rows else f"{hidden} tasks")
        self._all.setVisible(hidden > 0)
        self._status.setVisible(not self._rows)
        if not self._rows:
            self._status.setText(self._status_words())
        self._show_device()
        self._show_lag()
        if self._popup is not None and self._popup.isVisible():
            self._popup.show_tasks(live)
            self._place_popup()

    def toggle_popup(self) -> None:
        """Show or hide the list of all tasks."""
        if self._popup is None:
            self._popup = TaskPopup(self.window())
        if self._popup.isVisible():
            self._popup.hide()
            return
        self._popup.show_tasks(self.live_tasks())
        self._place_popup()
        self._popup.show()
        self._popup.raise_()

    def status_text(self) -> str:
        return self._status.text()

    def _status_words(self) -> str:
        if self._engine is None:
            return "Starting…"
        if self._engine.startup_error is not None:
            return f"The engine started with an error: {self._engine.startup_error.message}"
        return "Ready" if self._engine.ready.is_set() else "Loading the engine…"

    def _show_rows(self, tasks: list[Task]) -> None:
        wanted = {task.id for task in tasks}
        for task_id in [known for known in self._rows if known not in wanted]:
            row = self._rows.pop(task_id)
            self._tasks.removeWidget(row)
            row.deleteLater()
        for task in tasks:
            if task.id not in self._rows:
                self._rows[task.id] = TaskRow(task, self)
                self._tasks.addWidget(self._rows[task.id])
            else:
                self._rows[task.id].refresh()

    def _show_device(self) -> None:
        if self._engine is None:
            self._device.setText("")
            return
        info = self._engine.device_info()
        used, total = info.used_bytes / _GIB, info.total_bytes / _GIB
        name = "CPU" if info.kind == "cpu" else info.name
        self._device.setText(f"{name}  {used:.1f} of {total:.0f} GiB" if total else name)
        self._device.setToolTip(
            f"{info.name}, numbers as {info.dtype}.\nMemory in use and installed" + (" of this computer." if info.kind == "cpu" else " on this device.")
        )

    def _show_lag(self) -> None:
        lag = self._lag_meter.lag()
        self._lag.setText(f"lag {lag.p99:.0f} ms")
        self._lag.setToolTip(
            "How late the window answers, over the last five seconds.\n"
            f"median {lag.median:.1f} ms, 99 % below {lag.p99:.1f} ms, at most {lag.maximum:.1f} ms"
        )
        tone = "muted" if lag.p99 < 50 else "alert"
        if self._lag.property("tone") != tone:
            self._lag.setProperty("tone", tone)
            restyle(self._lag)

    def _place_popup(self) -> None:
        assert self._popup is not None
        corner = self.mapTo(self.window(), self.rect().topRight())
        self._popup.move(corner.x() - self._popup.width() - SPACE_M, corner.y() - self._popup.height() - SPACE_S)


def _divider(parent: QWidget) -> QFrame:
    line = QFrame(parent)
    line.setFixedSize(1, 16)
    line.setProperty("role", "divider")
    return line
