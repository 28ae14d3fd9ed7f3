"""What a panel is given: the engine, the stores and the services of the window, and nothing of the window itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtGui import QColor, QIcon

if TYPE_CHECKING:
    from studio.engine import Engine, Priority, Task
    from studio.host.commands import CommandRegistry
    from studio.host.export import ExportService
    from studio.host.panel import Panel
    from studio.host.results import ResultsStore
    from studio.host.settings import SettingsStore


class ThemeLike(Protocol):
    """Colours by token name (`accent`, `muted`, `plot.grid`, `series.0`), as `studio.ui.theme.Theme` offers them."""

    @property
    def dark(self) -> bool: ...
    def color(self, token: str) -> QColor: ...
    def icon(self, name: str, token: str = "text") -> QIcon: ...


class WindowLike(Protocol):
    """What a context asks of the window it lives in."""

    @property
    def theme(self) -> ThemeLike: ...
    def watch(self, task: Task, receiver: Panel) -> None: ...
    def notify(self, text: str, level: str = "info", details: str = "") -> None: ...
    def open_result(self, result_id: str) -> None: ...
    def open_request(self, kind: str, request: Mapping[str, Any]) -> list[str]: ...


@dataclass
class PanelContext:
    """The services of one panel.

    `engine` runs jobs, `results` keeps what they make, `settings` and `commands` are shared with the window, `export`
    writes what a panel names as exportable. `panel_dir` is a folder of this panel's own (exists, writable).
    """

    panel_id: str
    engine: Engine
    results: ResultsStore
    settings: SettingsStore
    commands: CommandRegistry
    export: ExportService
    panel_dir: Path
    window: WindowLike
    _panel: Panel | None = field(default=None, repr=False)

    @property
    def theme(self) -> ThemeLike:
        """The colours in use now; a palette change event tells a widget that they changed."""
        return self.window.theme

    def attach(self, panel: Panel) -> None:
        """Name the panel that receives the events of what is submitted here (done by Panel itself)."""
        self._panel = panel

    def submit(
        self,
        job: Callable[..., Any],
        request: Any = None,
        *,
        title: str = "",
        lane: str = "compute",
        priority: Priority | None = None,
        replace: str | None = None,
        front: bool = False,
        queue: str | None = None,
    ) -> Task:
        """Queue a job; its events arrive at `Panel.on_event(task, event)` on the GUI thread.

        `replace` cancels this panel's earlier task of the same key and drops its late events; tasks of one `queue` name
        run one after another. Raises EngineClosed while the window is closing.
        """
        options: dict[str, Any] = {"title": title, "owner": self.panel_id, "lane": lane, "front": front}
        if priority is not None:
            options["priority"] = priority
        task = self.engine.submit(job, request, replace=replace, queue=queue, **options)
        if self._panel is not None:
            self.window.watch(task, self._panel)
        return task

    def notify(self, text: str, level: str = "info", details: str = "") -> None:
        """Tell the person something that outlives the panel: it is kept in the Notifications list."""
        self.window.notify(text, level, details)

    def open_result(self, result_id: str) -> None:
        """Show a stored result in the panel that owns its kind."""
        self.window.open_result(result_id)

    def open_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        """Restore a request in the panel that owns its kind; what could not be mapped comes back in words."""
        return self.window.open_request(kind, request)
