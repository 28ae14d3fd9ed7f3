"""The Anatomy panel: where the parameters, operations, memory and time of a transformer go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, Qt, QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from studio.engine import Event, Task
from studio.host.commands import Command
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.host.request import RequestError, what_fits
from studio.ui.cards import EmptyState
from studio.ui.elided import ElidedLabel
from studio.ui.panel_layout import PanelLayout
from studio.ui.tokens import SPACE_S
from studio_plugins.anatomy import demo, sharing
from studio_plugins.anatomy.controls import Controls
from studio_plugins.anatomy.desk import Desk
from studio_plugins.anatomy.insight import Insight
from studio_plugins.anatomy.jobs import CountOrder
from studio_plugins.anatomy.request import FIRST, LARGEST, PRESET, AnatomyRequest
from studio_plugins.anatomy.results import Counted, Look, Opened, Timed, look_at, with_known
from studio_plugins.anatomy.script import script
from studio_plugins.anatomy.stage import PAGES, Stage

REST_MS = 200
"""After a change, others within so many milliseconds are counted only when they have come to rest."""
_OWN_SIZES = {"width": 0, "layers": 0, "heads": 0}
"""As the model has them; once it is open, its own numbers stand in the form."""
_INVITATION = (
    "Where do the parameters of a transformer go?",
    "Take a model apart: each module, what it costs in operations, memory and time, and the formulas beside what was "
    "counted. No weights are needed, so a configuration of 70 billion parameters opens as fast as a small one.",
)


class AnatomyPanel(Panel):
    """Model and length on the left, the layer and its costs in the middle, the formulas on the right."""

    title = "Anatomy"

    # --- life ---

    def build(self) -> None:
        self.setAcceptDrops(True)
        self.zones = PanelLayout(self)
        self.controls = Controls(self.zones)
        self._invitation = self._empty_state()
        self.stage = Stage(self._invitation, self.zones)
        self.insight = Insight(self.zones)
        self.desk = Desk(self.context, self)
        self.look: Look | None = None
        self._opened: Opened | None = None
        self._counted: Counted | None = None
        self._timed: Timed | None = None
        self._wanted = ""
        """The model that is being opened, or is open."""
        self._asked: tuple[object, ...] | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._count)
        self._suit = self._setting = False
        """Whether the length shall suit the model that is being opened; whether the form is set, not edited."""
        self.zones.set_stage(self.stage)
        self.zones.set_primary(
            "Time one layer", self.time_layer, shortcut="Ctrl+Return",
            tip="Run one real layer with these lengths on this machine",
        )  # fmt: skip
        self._keep = QPushButton("Keep", self.zones)
        self._keep.setToolTip("Keep counts, operations, script and settings in the History")
        self._keep.clicked.connect(lambda _checked=False: self.keep())
        self._copy = QPushButton("Copy as Python", self.zones)
        self._copy.setToolTip("The same counts with torch and transformers alone, as a script on the clipboard")
        self._copy.clicked.connect(lambda _checked=False: self.copy_script())
        row = QWidget(self.zones)
        beside = QHBoxLayout(row)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(SPACE_S)
        beside.addWidget(self._keep)
        beside.addWidget(self._copy)
        self.zones.add_secondary(row)
        self._status = ElidedLabel(self.zones)
        self._status.setProperty("tone", "muted")
        self.zones.add_stage_tool(self.stage.tabs)
        self.zones.add_stage_tool(self.stage.stacks)
        self.zones.add_stage_tool(self._status)
        self._connect()
        self._register_commands()
        self._enable()
        self.desk.list_models()

    def _connect(self) -> None:
        controls, desk, stage = self.controls, self.desk, self.stage
        controls.changed.connect(self._edited)
        controls.chosen.connect(self.open_model)
        controls.opening_folder.connect(lambda: self.choose_place(folder=True))
        controls.opening_file.connect(lambda: self.choose_place(folder=False))
        controls.resetting.connect(self._own_sizes)
        desk.opened.connect(self._take_opened)
        desk.unopened.connect(self._say_unopened)
        desk.counted.connect(self._take_counted)
        desk.uncounted.connect(lambda why: self._warn(why))
        desk.timed.connect(self._take_timed)
        desk.listed.connect(controls.show_listed)
        desk.said.connect(self.message)
        desk.status.connect(lambda text, _share: self._status.setText(text))
        stage.turned.connect(lambda _page: self.state_changed.emit())
        stage.tokens.connect(lambda tokens: controls.set({"tokens": tokens}))
        stage.chosen.connect(self.insight.show_part)
        stage.timing.connect(self.time_layer)
        stage.stack.connect(self._turn_to)

    def _register_commands(self) -> None:
        def shown() -> bool:
            return self.look is not None

        offered: list[tuple[str, str, Callable[[], None], Callable[[], bool] | None]] = [
            ("time", "Time one layer of this model", self.time_layer, shown),
            ("keep", "Keep this anatomy in the History", self.keep, shown),
            ("script", "Copy the anatomy as Python", self.copy_script, shown),
            ("folder", "Open a transformers folder…", lambda: self.choose_place(folder=True), None),
            ("config", "Open a config.json…", lambda: self.choose_place(folder=False), None),
            ("own", "Back to the model's own sizes", self._own_sizes, shown),
        ]
        for page, (title, _tip) in PAGES.items():
            offered.append((f"page.{page}", f"Anatomy: {title}", partial(self.stage.show_page, page), shown))
        for name, text, callback, enabled in offered:
            self.context.commands.register(
                Command(f"anatomy.{name}", text, callback, category="Anatomy", enabled=enabled)
            )

    def closing(self) -> None:
        self.context.commands.unregister_prefix("anatomy.")
        self._rest.stop()

    def state(self) -> dict[str, Any]:
        request = self.controls.form.valid_value()
        return {
            "request": request.to_dict() if request else None, "page": self.stage.page, "live": bool(self._wanted),
            "layout": self.zones.state(),
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        self.zones.restore(state.get("layout"))
        self.stage.show_page(state.get("page"))
        stored = state.get("request")
        if isinstance(stored, Mapping):
            self._take(stored, live=state.get("live") is True)

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        if kind != AnatomyRequest.kind:
            return [f"settings of kind “{kind}”"]
        return self._take(request, live=True)

    def _take(self, stored: Mapping[str, Any], *, live: bool) -> list[str]:
        """Show stored settings. Returns, in words, what could not be taken."""
        request, notes = what_fits(AnatomyRequest, stored)
        self._setting = True
        self.controls.form.set_value(request)
        self._setting = False
        if live:
            self._open(request.model)
        return notes

    def demo(self) -> None:
        demo.show(self)

    def exportables(self) -> Sequence[Exportable]:
        return sharing.exportables(self.look, self.stage)

    def on_event(self, task: Task, event: Event) -> None:
        self.desk.on_event(task, event)

    # --- doing ---

    def open_model(self, model: str) -> None:
        """Open a preset, a bundled model, a folder or a configuration, in its own sizes."""
        self._setting = True
        self.controls.set({"model": model, "stack": "", **_OWN_SIZES})
        self._setting = False
        self._suit = True
        self._open(model)

    def _open(self, model: str) -> None:
        self._wanted = model
        self.state_changed.emit()
        if self._opened is None:
            self._invitation.set_text("Opening the model", "The first one takes some seconds: transformers is loaded.")
        self.desk.open(model)

    def choose_place(self, *, folder: bool) -> None:
        """Ask for a folder or a configuration; the window goes on meanwhile."""
        dialog = QFileDialog(self, "Open a transformers folder" if folder else "Open a config.json")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory if folder else QFileDialog.FileMode.ExistingFile)
        if not folder:
            dialog.setNameFilters(["Configurations (*.json)", "All files (*)"])
        dialog.fileSelected.connect(lambda path: self.open_model(str(Path(path))))
        dialog.open()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = _dropped(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.open_model(str(path))

    def time_layer(self) -> None:
        """Time one real layer with the settings on show."""
        if self.look is None or self.look.stack is None or self.look.anatomy.blueprint.own:
            self.message("Only layers of transformers are timed here. Choose a preset, or open a folder.", "warning")
            return
        self.stage.show_page("time")
        self.desk.time(self.look)

    def keep(self) -> None:
        """Keep what is shown."""
        if self.look is not None:
            self.desk.keep(self.look)

    def copy_script(self) -> None:
        """Put the counts as a script on the clipboard."""
        if self.look is None or self.look.anatomy.blueprint.own:
            self.message("A script needs a model of transformers. Choose a preset, or open a folder.", "warning")
            return
        QGuiApplication.clipboard().setText(script(self.look))
        self.message("The script is on the clipboard.", "success")

    def _own_sizes(self) -> None:
        """Width, layers and heads as the configuration has them."""
        self.controls.set(_OWN_SIZES)

    def _turn_to(self, path: str) -> None:
        """Another stack, in its own sizes."""
        self._suit_length(path)
        self.controls.set({"stack": path, **_OWN_SIZES})

    def _edited(self) -> None:
        if not self._setting:
            self.state_changed.emit()
            self._show()

    # --- showing ---

    def show_known(self, request: AnatomyRequest, opened: Opened, counted: Counted) -> None:
        """Show what is known already, without asking the engine."""
        self._wanted, self._opened, self._counted, self._asked = opened.model, opened, counted, counted.key
        self._setting = True
        self.controls.form.set_value(request)
        self._setting = False
        self.controls.show_model(opened.model, opened.anatomy.blueprint.title)
        self._show()

    def _take_opened(self, opened: Opened) -> None:
        if opened.model != self._wanted:
            return
        self._opened, self._counted, self._asked = opened, None, None
        if self._suit:
            self._suit = False
            self._suit_length("")
        self.controls.show_model(opened.model, opened.anatomy.blueprint.title)
        packed = [note for note in opened.anatomy.blueprint.notes if "quantised" in note]
        self.message(packed[0] if packed else "", "info")
        self._show()

    def _take_counted(self, counted: Counted) -> None:
        self._counted = counted
        if counted.measured.problem:
            self._warn(counted.measured.problem)
        self._show()

    def _take_timed(self, timed: Timed) -> None:
        self._timed = timed
        self._show()

    def _show(self) -> None:
        """Lay the form over the opened model: the arithmetic now, the counts when the engine has them."""
        if self._opened is None:
            return
        try:
            request = self.controls.form.value()
        except RequestError:  # said below the field
            return
        if request.model != self._opened.model:
            return
        look = look_at(request, self._opened.anatomy)
        self._fill_sizes(look)
        self.look = look = with_known(look, self._counted, self._timed)
        self.controls.show_look(look)
        self.stage.show_look(look)
        self.insight.show_look(look)
        self._enable()
        built = look.stack is not None and not look.anatomy.blueprint.own
        if built and look.counted is None and look.key != self._asked:
            if self._rest.isActive():  # a hand is moving: count when it rests
                self._rest.start()
            else:
                self._count()
                self._rest.start()

    def _count(self) -> None:
        """Ask for the counts of what is on show."""
        look = self.look
        if self._opened is None or look is None or look.counted is not None or look.key == self._asked:
            return
        self._asked = look.key
        self.desk.count(CountOrder(look.request, look.change, look.key, self._opened))

    def _fill_sizes(self, look: Look) -> None:
        """Numbers in the place of “as the model has them”, where the form can hold them."""
        if look.stack is None or look.problem:
            return
        own = {"width": look.stack.block.width, "layers": look.stack.layers, "heads": look.stack.block.heads}
        blank = {name: value for name, value in own.items() if not getattr(look.request, name)}
        if blank and all(value <= LARGEST[name] for name, value in blank.items()):
            self._setting = True
            self.controls.set(blank)
            self._setting = False

    def _suit_length(self, path: str) -> None:
        """All tokens of a picture, and no more tokens of a text than the stack was made for."""
        stacks = self._opened.anatomy.stacks if self._opened is not None else ()
        stack = next((found for found in stacks if path in ("", found.path)), None)
        request = self.controls.form.valid_value()
        if stack is None or request is None or self._opened is None:
            return
        made_for = self._opened.anatomy.lengths.get(stack.path, 0)
        if made_for and (stack.kind == "vision" or request.tokens > made_for):
            self._setting = True
            self.controls.set({"tokens": made_for})
            self._setting = False

    def _say_unopened(self, model: str, why: str, details: str) -> None:
        if model != self._wanted:
            return
        if self._opened is not None:  # what is on show stays
            self._wanted = self._opened.model
            self._setting = True
            self.controls.set({"model": self._opened.model})
            self._setting = False
            self.controls.show_model(self._opened.model, self._opened.anatomy.blueprint.title)
        else:
            self._wanted = ""
            self._invitation.set_text(*_INVITATION)
        self.message(why, "error", details)

    def _warn(self, why: str) -> None:
        self.message(why, "warning")

    def _enable(self) -> None:
        there = self.look is not None
        self._keep.setEnabled(there)
        self._copy.setEnabled(self.look is not None and not self.look.anatomy.blueprint.own)
        if self.zones.primary is not None:
            built = self.look is not None and not self.look.anatomy.blueprint.own
            self.zones.primary.setEnabled(built and self.look is not None and self.look.stack is not None)

    def _empty_state(self) -> EmptyState:
        return EmptyState(
            *_INVITATION,
            icon="anatomy",
            actions=[
                ("Look at GPT-2", lambda: self.open_model(FIRST)),
                ("Look at Llama-2-70B", lambda: self.open_model(f"{PRESET}llama-70b")),
                ("Open a folder…", lambda: self.choose_place(folder=True)),
            ],
        )


def _dropped(data: QMimeData) -> Path | None:
    """The folder or configuration that is dragged."""
    paths = (Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile())
    return next((path for path in paths if path.suffix.lower() == ".json" or not path.suffix), None)
