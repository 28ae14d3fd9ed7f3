"""The contract between the window and a plugin: subclass Panel, fill in `build` and `on_event`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from studio.engine import Event, Task
    from studio.host.context import PanelContext
    from studio.host.export import Exportable


@dataclass(frozen=True)
class PanelMessage:
    """One line in a panel's message bar: words a person can act on, details foldable, buttons to act with."""

    text: str
    level: str = "info"
    details: str = ""
    actions: tuple[tuple[str, Callable[[], None]], ...] = ()


class Panel(QWidget):
    """Base of every panel.

    Life: `__init__(context)` (cheap), `build()` (make the widgets; `studio.ui.panel_layout.PanelLayout` gives the three
    zones), `restore(state)` of the last session, events, `closing()`. The window calls each hook guarded: an exception
    ends up in this panel's message bar and never takes the window down.
    """

    title: str = ""
    posted = Signal(object)  # PanelMessage, or None to clear the bar
    state_changed = Signal()  # emit when state() would differ: the session is saved soon after

    def __init__(self, context: PanelContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.last_message: PanelMessage | None = None
        context.attach(self)

    def build(self) -> Iterator[None] | None:
        """Make the widgets. Called once, after the window has been painted; not shown before it is over. The keyboard goes
        to the panel's `focusProxy()` then, or to its first field.

        One that takes long is a generator: at each `yield` the window draws and answers, and may close the panel, which
        then is made no further and hears no `closing()`.
        """

    def state(self) -> dict[str, Any]:
        """What the session remembers of this panel (JSON values only)."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state()` gave in an earlier session; unknown keys are to be ignored."""

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        """Put a stored request into the controls. Returns, in words, what could not be mapped."""
        return [f"“{self.title or type(self).__name__}” does not take settings of kind “{kind}”"]

    def on_event(self, task: Task, event: Event) -> None:
        """One event of a task submitted through the context, on the GUI thread. Progress, Preview and Snapshot come
        only while the panel is visible (the latest of each); Metric, Log and the terminal event always come."""

    def exportables(self) -> Sequence[Exportable]:
        """What this panel can export now; the window builds its Export menu from it."""
        return ()

    def help_text(self) -> str:
        """Markdown for the Help dock; empty means the plugin's own help.md."""
        return ""

    def demo(self) -> None:
        """Fill the panel with a good example, without running the engine: the pictures of the manual come from it."""

    def closing(self) -> None:
        """Let go of files, timers and threads. Tasks of this panel are cancelled by the window afterwards."""

    def message(
        self,
        text: str,
        level: str = "info",
        details: str = "",
        actions: Sequence[tuple[str, Callable[[], None]]] = (),
    ) -> None:
        """Show one line in this panel's message bar; `level` is info, success, warning or error. Empty text clears it."""
        self.last_message = PanelMessage(text, level, details, tuple(actions)) if text else None
        self.posted.emit(self.last_message)
