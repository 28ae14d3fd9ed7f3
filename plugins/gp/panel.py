"""The Gaussian process panel: points by hand or from a table, kernels as blocks, and everything that follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QMenu, QPushButton

from studio.engine import Event, Task
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.host.request import what_fits
from studio.ml.data.tables import SUFFIXES, TableUnreadable
from studio.ml.gp.errors import GPError
from studio.ui.cancel_row import CancelRow
from studio.ui.elided import ElidedLabel
from studio.ui.panel_layout import PanelLayout
from studio_plugins.gp import demo, sharing
from studio_plugins.gp.answers import Answer, Pull, Pulled, Question
from studio_plugins.gp.asking import request_of, scene_of
from studio_plugins.gp.controls import Controls
from studio_plugins.gp.desk import Desk
from studio_plugins.gp.document import Document, Scene
from studio_plugins.gp.edits import Edits
from studio_plugins.gp.examples import EXAMPLES
from studio_plugins.gp.fits import Fits
from studio_plugins.gp.insight import Insight
from studio_plugins.gp.jobs import Sampled
from studio_plugins.gp.loading import TableRead, scene_of_columns
from studio_plugins.gp.packing import MANY
from studio_plugins.gp.pages import Pages
from studio_plugins.gp.request import GpRequest
from studio_plugins.gp.results import kept_small
from studio_plugins.gp.script import script
from studio_plugins.gp.stage import Stage
from studio_plugins.gp.view import View
from studio_plugins.gp.view_bar import ViewBar


class GpPanel(Panel):
    """Controls on the left, the plot in the middle, what it means on the right."""

    title = "Gaussian process"

    # --- life ---

    def build(self) -> Iterator[None]:
        self.document = Document(self)
        self.zones = PanelLayout(self)
        self.controls = Controls(self.zones)
        self.stage = Stage(self.zones)
        yield from self.stage.build()
        self.insight = Insight(self.zones)
        yield
        self.desk = Desk(self.context, self)
        self.view_bar = ViewBar(self.zones, self.document.undo)
        self.edits = Edits(self.document, self.stage, self.controls)
        self.fits = Fits(self.document, self.desk, self.insight, self.stage.grid)
        self.pages = Pages(self.document, self.stage, self.desk)
        self.zones.set_stage(self.stage)
        self.zones.set_primary(
            "Fit", self.fit, shortcut="Ctrl+Return",
            tip="Find the hyper-parameters that make the points most likely; each iteration is shown",
        )  # fmt: skip
        self.run_bar = CancelRow("Cancel the fit, the search, or what else takes long", parent=self)
        self.zones.add_secondary(self.run_bar)
        self._status = ElidedLabel(self.zones)
        self._status.setProperty("tone", "muted")
        self.zones.add_stage_tool(self._status)
        copy = QPushButton("Copy as Python", self.zones)
        copy.setToolTip("This posterior as a script, on the clipboard")
        menu = QMenu(copy)
        menu.addAction("with torch alone").triggered.connect(lambda: self.copy_script("torch"))
        menu.addAction("with GPyTorch").triggered.connect(lambda: self.copy_script("gpytorch"))
        copy.setMenu(menu)
        self.zones.add_secondary(copy)
        self._pointer: tuple[float, ...] = (0.0,)
        self._answer: Answer | None = None
        self._table: TableRead | None = None
        self._question: Question | None = None
        self._answered: Question | None = None
        self._unable = False
        self._connect()
        self._show(self.document.scene, self.document.scene)
        self.setFocusProxy(self.stage.plot)

    def _connect(self) -> None:
        document, stage, controls = self.document, self.stage, self.controls
        plot, surface = stage.plot, stage.surface
        document.changed.connect(self._show)
        stage.example.connect(self.show_example)
        stage.opening.connect(self.open_table)
        stage.turned.connect(lambda _name: self._turned())
        for signal in (plot.hovered, plot.taken, surface.hovered, surface.taken):
            signal.connect(self._reach)
        plot.dragged.connect(lambda index, x, y: self._drag(index, (x,), y))
        surface.dragged.connect(lambda index, x1, x2: self._drag(index, (x1, x2), float(document.scene.points.y[index])))
        for ranged in (plot.ranged, surface.ranged):
            ranged.connect(self._ask)
        for chosen in (plot.chosen, surface.chosen):
            chosen.connect(lambda _indices: controls.point.show_scene(document.scene, stage.selection))
        controls.data.example.connect(self.show_example)
        controls.data.clearing.connect(self.edits.clear)
        controls.data.bundled.connect(self.desk.load)
        controls.data.columns.connect(self._take_columns)
        controls.data.opening.connect(self.open_table)
        controls.data.pasting.connect(self.paste_table)
        controls.method.spread_wanted.connect(lambda: self.desk.spread(document.scene))
        self.desk.table.connect(self._show_table)
        self.desk.loaded.connect(lambda scene: self._take_scene(f"data set “{scene.source}”", scene))
        self.desk.spread_out.connect(self.edits.place_inducing)
        controls.changed.connect(self.state_changed)
        self.edits.passing.connect(self._wonder)
        self.edits.undone.connect(self._restore_stage)
        self.edits.said.connect(self.message)
        self.view_bar.changed.connect(self._set_view)
        self.view_bar.fitting.connect(lambda: stage.fit(document.scene.points))
        self.desk.answered.connect(self._show_answer)
        self.desk.pulled.connect(self._show_pulled)
        self.desk.unable.connect(self._say_unable)
        self.desk.said.connect(self.message)
        self.desk.busy.connect(self.run_bar.set_busy)
        self.desk.status.connect(lambda text, _share: self._status.setText(text))
        self.run_bar.cancelled.connect(self.desk.cancel)
        self.fits.passing.connect(self._show_passing)
        self.fits.over.connect(self._restore_stage)
        self.fits.averaged.connect(self._show_averaged)
        self.fits.said.connect(self.message)
        self.pages.said.connect(self.message)
        self.pages.taken.connect(self.edits.take_model)
        self.insight.matrix.hovered.connect(lambda row, column: stage.link({row, column}))
        for hovered in (plot.hovered, surface.hovered):
            hovered.connect(lambda index: self.insight.matrix.mark(index, -1))
        plot.pointed.connect(lambda x: self._point((x,)))
        surface.pointed.connect(lambda x1, x2: self._point((x1, x2)))
        for keys, act in (
            ("Ctrl+Z", document.undo.undo), ("Ctrl+Shift+Z", document.undo.redo), ("Ctrl+Y", document.undo.redo),
            ("Ctrl+V", self.paste_table),
        ):  # fmt: skip
            QShortcut(QKeySequence(keys), self).activated.connect(act)

    def closing(self) -> None:
        self.desk.close()
        self.stage.close_down()

    def state(self) -> dict[str, Any]:
        request = self._request()
        return {
            "request": kept_small(request).to_dict() if request else None, "view": self.view_bar.view.to_dict(),
            "layout": self.zones.state(), "page": self.stage.page,
            "left_out": len(self.document.scene.points) if request and kept_small(request) is not request else 0,
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        self.zones.restore(state.get("layout"))
        self.view_bar.set_view(View.of(state.get("view")))
        stored = state.get("request")
        if isinstance(stored, Mapping):
            scene, _notes = self._read(stored)
            self.document.start_with(scene)
            self.stage.fit(scene.points)
        self.stage.show_page(state.get("page"))
        left_out = state.get("left_out")
        if isinstance(left_out, int) and left_out:
            source = self.document.scene.source or "the plot"
            self.message(
                f"The {left_out:,} points of {source} are too many to be kept between sessions: open their table again. "
                "Kernel, noise and mean are as they were.", "warning",
            )  # fmt: skip

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        if kind != GpRequest.kind:
            return [f"settings of kind “{kind}”"]
        scene, notes = self._read(request)
        self._take_scene("settings taken over", scene)
        return notes

    def _read(self, stored: Mapping[str, Any]) -> tuple[Scene, list[str]]:
        """The scene of stored settings, their form filled in; and in words what could not be taken."""
        request, notes = what_fits(GpRequest, stored)
        self.controls.form.set_value(request)
        try:
            return scene_of(request), notes
        except (GPError, ValueError) as error:
            return self.document.scene, [*notes, str(error)]

    def _request(self) -> GpRequest | None:
        """What is on the stage and in the form; None while the form has an error."""
        form = self.controls.form.valid_value()
        return None if form is None else request_of(self.document.scene, form)

    def on_event(self, task: Task, event: Event) -> None:
        self.desk.on_event(task, event)

    def demo(self) -> None:
        demo.show(self)

    def exportables(self) -> Sequence[Exportable]:
        if self._answer is None or self._answered is None:
            return ()
        return sharing.exportables(self.document.scene, self._answer, self._answered.grid, self.stage)

    # --- edits of the document ---

    def show_example(self, name: str) -> None:
        """Begin with points that teach something; what was there comes back with Undo."""
        self._take_scene(f"example “{EXAMPLES[name].title}”", EXAMPLES[name].scene())
        self.message(EXAMPLES[name].lesson)

    def _take_scene(self, text: str, scene: Scene) -> None:
        self.stage.choose_none()
        self.document.edit(text, **{field.name: getattr(scene, field.name) for field in fields(scene)})
        if self._table is None or scene.source != self._table.source:
            self.controls.data.offer(())
        self.stage.show_page("function")
        self.stage.fit(scene.points)
        self.message("")
        if len(scene.points) > MANY:
            self.desk.pack(scene.points)

    def open_table(self) -> None:
        """Ask for a file; the window goes on meanwhile."""
        dialog = QFileDialog(self, "Open a table")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters([f"Tables ({' '.join('*' + suffix for suffix in SUFFIXES)})", "All files (*)"])
        dialog.fileSelected.connect(lambda path: self.desk.open_table(Path(path)))
        dialog.open()

    def paste_table(self) -> None:
        """Take the cells on the clipboard as points."""
        self.desk.paste_table(QGuiApplication.clipboard().text())

    def _show_table(self, read: TableRead) -> None:
        self._table = read
        self.controls.data.offer(read.table.usable)
        first, second = read.table.usable[:2]
        self._take_columns((first,), second)

    def _take_columns(self, inputs: tuple[str, ...], y: str) -> None:
        assert self._table is not None
        try:
            scene, notes = scene_of_columns(self._table, inputs, y)
        except TableUnreadable as error:
            self.message(str(error), "warning")
            return
        self._take_scene(f"“{y}” over {' and '.join(f'“{name}”' for name in inputs)}", scene)
        self.message(" ".join(notes))

    def fit(self) -> None:
        """Fit the hyper-parameters."""
        form = self.controls.form.valid_value()
        if form is not None:  # else the form says what is wrong, below the field
            self.fits.fit(form)

    def copy_script(self, library: str = "torch") -> None:
        """Put what the stage shows as a script on the clipboard."""
        scene, answer = self.document.scene, self._answer
        if answer is None or self._answered is None or not len(scene.points):
            self.message("There is nothing to copy yet: click some points, or choose an example.", "warning")
            return
        try:
            text = script(scene, answer, self._answered.grid, library)
        except GPError as error:
            self.message(str(error), "warning")
            return
        QGuiApplication.clipboard().setText(text)
        self.message("The script is on the clipboard.", "success")

    # --- what the stage shows ---

    def _show(self, _before: Scene, scene: Scene) -> None:
        self.stage.show_scene(scene)
        self.controls.show_scene(scene, self.stage.selection)
        self._ask()
        self.state_changed.emit()

    def _restore_stage(self) -> None:
        """A gesture or a fit ended with nothing changed: the stage shows the document again."""
        self.stage.show_scene(self.document.scene)
        self._ask()

    def _turned(self) -> None:
        self.view_bar.show_functions(self.stage.page == "function" and self.stage.inputs == 1)
        self.state_changed.emit()

    def _ask(self) -> None:
        """What follows from the document over the stretch of x that shows."""
        self.controls.kernel.blocks.set_span(self.stage.span())
        self._wonder(self.document.scene)

    def _wonder(self, scene: Scene) -> None:
        view = self.view_bar.view
        functions = scene.points.inputs == 1
        self._question = Question(
            scene.model, scene.data, self.stage.grid(), scene.way, functions and view.samples > 0, functions and view.prior,
            self.fits.learned(scene),
        )  # fmt: skip
        self.desk.ask(self._question)

    def show_now(self, work: Callable[[Question], Answer]) -> None:
        """Answer the present question here, without the engine."""
        if self._question is not None:
            self._show_answer(self._question, work(self._question))

    def _reach(self, index: int) -> None:
        if index >= 0 and self._question is not None and self._question.follows_the_hand:
            self.desk.reach(self._question, index)

    def _drag(self, index: int, place: tuple[float, ...], y: float) -> None:
        """A point is in the hand: by the short way where there is one, else the whole question again."""
        if self._question is not None and self._question.follows_the_hand:
            self.desk.move(place, y)
        else:
            self._wonder(self.edits.dragged(index, place, y))

    def _set_view(self, view: View) -> None:
        before = self.stage.view
        self.stage.set_view(view)
        if (view.samples > 0, view.prior) != (before.samples > 0, before.prior):
            self._ask()
        self.state_changed.emit()

    def _show_passing(self, scene: Scene) -> None:
        """An iteration of a fit; a point in the hand comes first. The controls keep what is edited there: the document."""
        if not self.stage.busy:
            self.stage.show_scene(scene)
            self._wonder(scene)

    def _show_averaged(self, found: Sampled) -> None:
        if found.mean is not None and found.sd is not None and found.grid.shape[1] == 1:
            self.stage.function.show_averaged(found.grid[:, 0], found.mean, found.sd)

    def _point(self, place: tuple[float, ...]) -> None:
        self._pointer = place
        self.insight.point_at(place)

    def _say_unable(self, why: str) -> None:
        self._unable = True
        self.message(why, "warning")

    def _show_answer(self, question: Question, answer: Answer) -> None:
        inputs = question.grid.shape[1]
        if inputs != self.stage.inputs:
            return  # asked before the points got another input
        if self._unable:
            self._unable = False
            self.message("")
        self.stage.show_answer(answer, question)
        self.insight.show_answer(answer, len(question.grid), (*self._pointer, 0.0)[:inputs])
        self._answer, self._answered = answer, question
        self.pages.look(answer, question.grid)

    def _show_pulled(self, pulled: Pulled, pull: Pull) -> None:
        self.stage.show_pulled(pulled, pull)
        self.insight.show_evidence(pulled.moved.evidence)
