"""The Kernel trick panel: points in a plane, lifted into the space of a kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QPushButton

from studio.engine import Event, Task
from studio.host.commands import Command
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.host.request import RequestError, what_fits
from studio.ui.cards import EmptyState
from studio.ui.elided import ElidedLabel
from studio.ui.icons import IconButton
from studio.ui.panel_layout import PanelLayout
from studio_plugins.kernel_trick import demo, sharing
from studio_plugins.kernel_trick.controls import EXAMPLES, Controls
from studio_plugins.kernel_trick.desk import Desk
from studio_plugins.kernel_trick.document import Document
from studio_plugins.kernel_trick.insight import Insight
from studio_plugins.kernel_trick.request import MAX_POINTS, KernelTrickRequest
from studio_plugins.kernel_trick.results import Look
from studio_plugins.kernel_trick.script import script
from studio_plugins.kernel_trick.stage import Stage

HINT = "Click adds a point, drag moves it, Delete removes it, Space changes its class."


class KernelTrickPanel(Panel):
    """Kernel and machine on the left, the plane and its lift in the middle, the numbers on the right."""

    title = "Kernel trick"

    # --- life ---

    def build(self) -> Iterator[None]:
        self.document = Document(self)
        self.zones = PanelLayout(self)
        self.controls = Controls(self.zones)
        yield
        self.stage = Stage(self._empty_state(), self.zones)
        yield
        self.insight = Insight(self.zones)
        self.desk = Desk(self.context, self)
        self._begun = False
        self.zones.set_stage(self.stage)
        self.zones.set_primary(
            "Keep this boundary",
            self.desk.keep,
            shortcut="Ctrl+Return",
            tip="Keep the points and what follows in the History",
        )
        self._copy = QPushButton("Copy as Python", self.zones)
        self._copy.setToolTip("The same numbers with numpy and scikit-learn alone, as a script on the clipboard")
        self._copy.clicked.connect(lambda _checked=False: self.copy_script())
        self.zones.add_secondary(self._copy)
        self._build_bar()
        self._connect()
        self._register_commands()
        self._show_points()

    def _build_bar(self) -> None:
        undo = self.document.undo
        self._undo = IconButton("back", "Undo (Ctrl+Z)", self.zones)
        self._redo = IconButton("replay", "Redo (Ctrl+Shift+Z)", self.zones)
        self._undo.clicked.connect(lambda _checked=False: undo.undo())
        self._redo.clicked.connect(lambda _checked=False: undo.redo())
        undo.canUndoChanged.connect(self._undo.setEnabled)
        undo.canRedoChanged.connect(self._redo.setEnabled)
        self._undo.setEnabled(False)
        self._redo.setEnabled(False)
        self._status = ElidedLabel(self.zones)
        self._status.setProperty("tone", "muted")
        for widget in (self._undo, self._redo, self._status):
            self.zones.add_stage_tool(widget)

    def _connect(self) -> None:
        document, points, desk = self.document, self.stage.points, self.desk
        document.changed.connect(self._take_points)
        document.full.connect(lambda: self.message(f"{MAX_POINTS} points are the most. Remove some first.", "warning"))
        points.added.connect(self._add)
        points.dragged.connect(self._drag)
        points.moved.connect(document.move)
        points.let_go.connect(self._show_points)
        points.removed.connect(self._remove)
        points.flipped.connect(document.flip)
        self.controls.changed.connect(self._edited)
        self.controls.example.connect(self.show_example)
        self.controls.clearing.connect(self.clear)
        self.stage.turned.connect(lambda _page: self._ask())
        self.stage.pointed.connect(self.insight.show_pair)
        self.stage.fourier.count.connect(lambda count: self.controls.form.set_fields({"count": count}))
        desk.looked.connect(self._show_look)
        desk.said.connect(self.message)
        for keys, act in (
            ("Ctrl+Z", document.undo.undo),
            ("Ctrl+Shift+Z", document.undo.redo),
            ("Ctrl+Y", document.undo.redo),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(act)

    def _register_commands(self) -> None:
        def any_points() -> bool:
            return bool(self.document.points)

        offered = [
            ("keep", "Keep this boundary in the History", self.desk.keep, any_points),
            ("script", "Copy as Python", self.copy_script, any_points),
            ("clear", "Remove all points", self.clear, any_points),
            ("lift", "Play the lift into space", self.play_lift, any_points),
        ]
        for name, text, callback, enabled in offered:
            self.context.commands.register(
                Command(f"kernel_trick.{name}", text, callback, category="Kernel trick", enabled=enabled)
            )
        for name, title in EXAMPLES.items():
            self.context.commands.register(
                Command(
                    f"kernel_trick.example.{name}",
                    f"Points: {title}",
                    lambda name=name: self.show_example(name),
                    category="Kernel trick",
                )
            )

    def closing(self) -> None:
        self.context.commands.unregister_prefix("kernel_trick.")
        self.stage.lift.stop()

    def state(self) -> dict[str, Any]:
        request = self.controls.form.valid_value()
        space = self.stage.lift.space
        return {
            "request": request.to_dict() if request else None, "page": self.stage.page, "begun": self._begun,
            "view": [space.azimuth, space.elevation], "label": self.controls.label, "layout": self.zones.state(),
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        self.zones.restore(state.get("layout"))
        self.stage.show_page(state.get("page"))
        self._begun = state.get("begun") is True
        if state.get("label") in (0, 1):
            self.controls.set_label(state["label"])
        view = state.get("view")
        if (
            isinstance(view, (list, tuple))
            and len(view) == 2
            and all(isinstance(angle, (int, float)) for angle in view)
        ):
            self.stage.lift.space.turn(float(view[0]), float(view[1]))
        stored = state.get("request")
        if isinstance(stored, Mapping):
            self._take(stored)

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        if kind != KernelTrickRequest.kind:
            return [f"settings of kind “{kind}”"]
        return self._take(request)

    def _take(self, stored: Mapping[str, Any]) -> list[str]:
        """Show a stored request. Returns, in words, what could not be taken."""
        request, notes = what_fits(KernelTrickRequest, stored)
        self.controls.form.set_value(request)
        self.document.start_with(request.points)
        return notes

    def demo(self) -> None:
        demo.show(self)

    def exportables(self) -> Sequence[Exportable]:
        return sharing.exportables(self.desk.look, self.stage)

    def on_event(self, task: Task, event: Event) -> None:
        self.desk.on_event(task, event)

    # --- doing ---

    def begin(self) -> None:
        """An empty plane to click into."""
        self._begun = True
        self._show_points()

    def show_example(self, name: str) -> None:
        """Begin with points that no line separates; what was there comes back with Undo."""
        self.document.take(f"example “{EXAMPLES[name]}”", demo.example(name))  # type: ignore[arg-type]

    def clear(self) -> None:
        """No points any more."""
        self._begun = True
        self.document.take("removal of all points", ())

    def play_lift(self) -> None:
        """Show how the points rise into space."""
        self.stage.show_page("lift")
        self.stage.lift.play()

    def copy_script(self) -> None:
        """Put what is shown as a script on the clipboard."""
        look = self.desk.look
        if look is None or look.boundary is None:
            self.message("There is no boundary yet. Click points of both classes first.", "warning")
        else:
            QGuiApplication.clipboard().setText(script(look))
            self.message("The script is on the clipboard.", "success")

    def _add(self, x: float, y: float, other: bool) -> None:
        self._begun = True
        self.document.add(x, y, self.controls.label ^ other)

    def _remove(self, chosen: tuple[int, ...]) -> None:
        self.stage.points.choose(())
        self.document.remove(chosen)

    def _drag(self, index: int, x: float, y: float) -> None:
        """A point is on its way; nothing is changed until it is let go."""
        points = self.document.moved(index, x, y)
        self.stage.points.show_dots(points)
        request = self.controls.form.valid_value()
        if request is not None:
            self.desk.ask(request.replace(points=points), self.stage.page, moving=True)

    def _take_points(self) -> None:
        """The document has changed: the form, and with it the request, follows."""
        self.controls.form.set_fields({"points": self.document.points})

    def _edited(self) -> None:
        self.state_changed.emit()
        self._show_points()

    def _show_points(self) -> None:
        self.stage.show_dots(self.document.points, self._begun)
        there = bool(self.document.points)
        self._copy.setEnabled(there)
        if self.zones.primary is not None:
            self.zones.primary.setEnabled(there)
        self._status.setText(HINT if there or self._begun else "")
        self._ask()

    def _ask(self) -> None:
        if not (self._begun or self.document.points):
            return
        try:
            request = self.controls.form.value()
        except RequestError:  # said below the field
            return
        self.desk.ask(request.replace(points=self.document.points), self.stage.page)

    # --- showing ---

    def _show_look(self, look: Look) -> None:
        self.stage.show_look(look)
        self.insight.show_look(look)
        self.message(look.problem if look.problem and len(look.points) > 1 else "", "info")

    def _empty_state(self) -> EmptyState:
        return EmptyState(
            "Separate what no line separates",
            "A kernel is a dot product in another space. Take points that no straight line can part, and watch them "
            "being lifted to where a plane can.",
            icon="kernel-trick",
            actions=[
                ("A ring in a ring", lambda: self.show_example("circles")),
                ("Two moons", lambda: self.show_example("moons")),
                ("Click my own points", lambda: self.begin()),
            ],
        )
