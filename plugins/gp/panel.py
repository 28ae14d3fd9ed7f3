"""The Gaussian process panel: points by hand or from a table, kernels as blocks, and everything that follows from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QPushButton

from studio.engine import Event, Task
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.host.request import what_fits
from studio.ml.data.tables import SUFFIXES, TableUnreadable
from studio.ml.gp.errors import GPError
from studio.ui.cancel_row import CancelRow
from studio.ui.elided import ElidedLabel
from studio.ui.panel_layout import PanelLayout
from studio_plugins.gp import answers, demo, sharing
from studio_plugins.gp.answers import Answer, Pull, Pulled, Question
from studio_plugins.gp.asking import request_of, scene_of
from studio_plugins.gp.controls import Controls
from studio_plugins.gp.desk import Desk
from studio_plugins.gp.document import Document, Scene
from studio_plugins.gp.examples import EXAMPLES
from studio_plugins.gp.fits import Fits
from studio_plugins.gp.insight import Insight
from studio_plugins.gp.loading import TableRead, scene_of_columns
from studio_plugins.gp.points import Points
from studio_plugins.gp.prior_editor import fitted_mean
from studio_plugins.gp.request import GpRequest
from studio_plugins.gp.rulers import LENGTH
from studio_plugins.gp.script import script
from studio_plugins.gp.stage import Stage
from studio_plugins.gp.tree import ruled, with_value
from studio_plugins.gp.view import View
from studio_plugins.gp.view_bar import ViewBar


class GpPanel(Panel):
    """Controls on the left, the plot in the middle, what it means on the right."""

    title = "Gaussian process"

    # --- life ---

    def build(self) -> None:
        self.document = Document(self)
        self.zones = PanelLayout(self)
        self.controls = Controls(self.zones)
        self.stage = Stage(self.zones)
        self.insight = Insight(self.zones)
        self.desk = Desk(self.context, self)
        self.view_bar = ViewBar(self.zones, self.document.undo)
        self.fits = Fits(self.document, self.desk, self.insight)
        self.zones.set_stage(self.stage)
        self.zones.set_primary(
            "Fit", self.fit, shortcut="Ctrl+Return",
            tip="Find the hyper-parameters that make the points most likely; each iteration is shown",
        )  # fmt: skip
        self.run_bar = CancelRow("Cancel the fit", parent=self)
        self.zones.add_secondary(self.run_bar)
        self._status = ElidedLabel(self.zones)
        self._status.setProperty("tone", "muted")
        self.zones.add_stage_tool(self._status)
        copy = QPushButton("Copy as Python", self.zones)
        copy.setToolTip("This posterior as a script with torch alone, on the clipboard")
        copy.clicked.connect(lambda _checked=False: self.copy_script())
        self.zones.add_secondary(copy)
        self._pointer = 0.0
        self._answer: Answer | None = None
        self._table: TableRead | None = None
        self._question: Question | None = None
        self._unable = False
        self._connect()
        self._show(self.document.scene, self.document.scene)
        self.stage.plot.setFocus()

    def _connect(self) -> None:
        document, plot, controls = self.document, self.stage.plot, self.controls
        document.changed.connect(self._show)
        self.stage.example.connect(self.show_example)
        plot.added.connect(self._add)
        plot.moved.connect(self._move)
        plot.removed.connect(self._remove)
        plot.trusted.connect(self._trust)
        plot.pulled.connect(self._pull)
        plot.turned.connect(self._turn)
        plot.hovered.connect(self._reach)
        plot.taken.connect(self._reach)
        plot.dragged.connect(lambda _index, x, y: self.desk.move(x, y))
        plot.let_go.connect(self._restore_stage)
        plot.ranged.connect(self._ask)
        controls.data.example.connect(self.show_example)
        controls.data.clearing.connect(self.clear)
        controls.data.bundled.connect(self.desk.load)
        controls.data.columns.connect(self._take_columns)
        controls.data.opening.connect(self.open_table)
        controls.data.pasting.connect(self.paste_table)
        self.stage.opening.connect(self.open_table)
        self.desk.table.connect(self._show_table)
        self.desk.loaded.connect(lambda scene: self._take_scene(f"data set “{scene.source}”", scene))
        controls.kernel.edited.connect(lambda kernel, merge: document.edit("change of the kernel", merge=merge, kernel=kernel))
        controls.prior.noise_edited.connect(lambda noise, merge: document.edit("change of the noise", merge=merge, noise=noise))
        controls.prior.mean_edited.connect(lambda mean, merge: document.edit("change of the mean", merge=merge, mean=mean))
        controls.prior.mean_wanted.connect(self._set_mean)
        controls.changed.connect(self.state_changed)
        self.view_bar.changed.connect(self._set_view)
        self.view_bar.fitting.connect(lambda: plot.fit(document.scene.points))
        self.desk.answered.connect(self._show_answer)
        self.desk.pulled.connect(self._show_pulled)
        self.desk.unable.connect(self._say_unable)
        self.desk.said.connect(self.message)
        self.desk.busy.connect(self.run_bar.set_busy)
        self.desk.status.connect(lambda text, _share: self._status.setText(text))
        self.run_bar.cancelled.connect(self.desk.cancel)
        self.fits.passing.connect(self._show_passing)
        self.fits.over.connect(self._restore_stage)
        self.fits.said.connect(self.message)
        self.insight.matrix.hovered.connect(lambda row, column: plot.dots.link({row, column}))
        plot.hovered.connect(lambda index: self.insight.matrix.mark(index, -1))
        plot.pointed.connect(self._point)
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
            "request": request.to_dict() if request else None, "view": self.view_bar.view.to_dict(),
            "layout": self.zones.state(),
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        self.zones.restore(state.get("layout"))
        self.view_bar.set_view(View.of(state.get("view")))
        stored = state.get("request")
        if isinstance(stored, Mapping):
            scene, _notes = self._read(stored)
            self.document.start_with(scene)
            self.stage.plot.fit(scene.points)

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
        if self._answer is None or self._question is None:
            return ()
        return sharing.exportables(self.document.scene, self._answer, self._question.grid, self.stage)

    # --- edits of the document ---

    def show_example(self, name: str) -> None:
        """Begin with points that teach something; what was there comes back with Undo."""
        self._take_scene(f"example “{EXAMPLES[name].title}”", EXAMPLES[name].scene())
        self.message(EXAMPLES[name].lesson)

    def _take_scene(self, text: str, scene: Scene) -> None:
        self.document.edit(text, **{field.name: getattr(scene, field.name) for field in fields(scene)})
        if self._table is None or scene.source != self._table.source:
            self.controls.data.offer(())
        self.stage.plot.choose(())
        self.stage.plot.fit(scene.points)
        self.message("")

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
        self._take_columns(*read.table.usable[:2])

    def _take_columns(self, x: str, y: str) -> None:
        assert self._table is not None
        try:
            scene, notes = scene_of_columns(self._table, x, y)
        except TableUnreadable as error:
            self.message(str(error), "warning")
            return
        self._take_scene(f"“{y}” over “{x}”", scene)
        self.message(" ".join(notes))

    def clear(self) -> None:
        """No points any more."""
        self.document.edit("removal of all points", points=Points(), source="", axes=("x", "y"))

    def _add(self, x: float, y: float) -> None:
        self.document.edit("new point", points=self.document.scene.points.added([x], y))

    def _move(self, chosen: Sequence[int], dx: float, dy: float) -> None:
        self.document.edit("move", points=self.document.scene.points.shifted(chosen, dx, dy))

    def _remove(self, chosen: Sequence[int]) -> None:
        self.stage.plot.choose(())
        self.document.edit("removal", points=self.document.scene.points.without(chosen))

    def _trust(self, chosen: Sequence[int], noise: float) -> None:
        scene = self.document.scene
        self.document.edit("error bar", points=scene.points.with_noise(chosen, noise, scene.noise))
        self._restore_stage()

    def _turn(self, ruler: str, value: float, end: bool) -> None:
        """A ruler is pulled: the whole way is one step of Undo."""
        scene = self.document.scene
        if ruler == LENGTH:
            found = ruled(scene.kernel)
            if found is not None:
                self.document.edit("length-scale", merge="ruler", kernel=with_value(scene.kernel, found[0], "length", value))
        else:
            self.document.edit("noise", merge="ruler", noise=value)

    def _set_mean(self, kind: str) -> None:
        self.document.edit("mean function", mean=fitted_mean(kind, self.document.scene.points))

    def fit(self) -> None:
        """Fit the hyper-parameters."""
        form = self.controls.form.valid_value()
        if form is not None:  # else the form says what is wrong, below the field
            self.fits.fit(form)

    def copy_script(self) -> None:
        """Put what the stage shows as a script on the clipboard."""
        scene, answer = self.document.scene, self._answer
        if answer is None or not len(scene.points):
            self.message("There is nothing to copy yet: click some points, or choose an example.", "warning")
            return
        try:
            text = script(scene, answer.posterior.factor.jitter, self.stage.plot.span())
        except GPError as error:
            self.message(str(error), "warning")
            return
        QGuiApplication.clipboard().setText(text)
        self.message("The script is on the clipboard.", "success")

    # --- what the stage shows ---

    def _show(self, _before: Scene, scene: Scene) -> None:
        self.stage.show_scene(scene)
        self.controls.show_scene(scene)
        self._ask()
        self.state_changed.emit()

    def _restore_stage(self) -> None:
        """A gesture or a fit ended with nothing changed: the stage shows the document again."""
        self.stage.show_scene(self.document.scene)
        self._ask()

    def _ask(self) -> None:
        """What follows from the document over the stretch of x that shows."""
        self.controls.kernel.blocks.set_span(self.stage.plot.span())
        self._wonder(self.document.scene)

    def _wonder(self, scene: Scene) -> None:
        grid, view = answers.grid(self.stage.plot.span()), self.view_bar.view
        self._question = Question(scene.model, scene.data, grid, samples=view.samples > 0, prior=view.prior)
        self.desk.ask(self._question)

    def show_now(self, work: Callable[[Question], Answer]) -> None:
        """Answer the present question here, without the engine."""
        if self._question is not None:
            self._show_answer(work(self._question))

    def _reach(self, index: int) -> None:
        if index >= 0 and self._question is not None:
            self.desk.reach(self._question, index)

    def _pull(self, chosen: Sequence[int], noise: float) -> None:
        """An error bar is pulled; nothing is changed until it is let go."""
        scene = self.document.scene
        points = scene.points.with_noise(chosen, noise, scene.noise)
        self.stage.plot.dots.show(points, chosen, scene.noise)
        self._wonder(replace(scene, points=points))

    def _set_view(self, view: View) -> None:
        before = self.stage.view
        self.stage.set_view(view)
        if (view.samples > 0, view.prior) != (before.samples > 0, before.prior):
            self._ask()
        self.state_changed.emit()

    def _show_passing(self, scene: Scene) -> None:
        """An iteration of a fit; a point in the hand comes first. The controls keep what is edited there: the document."""
        if not self.stage.plot.canvas.busy:
            self.stage.show_scene(scene)
            self._wonder(scene)

    def _point(self, x: float) -> None:
        self._pointer = x
        self.insight.point_at(x)

    def _say_unable(self, why: str) -> None:
        self._unable = True
        self.message(why, "warning")

    def _show_answer(self, answer: Answer) -> None:
        assert self._question is not None
        if self._unable:
            self._unable = False
            self.message("")
        self.stage.show_answer(answer, self._question.grid[:, 0])
        self.insight.show_answer(answer, self._pointer)
        self._answer = answer

    def _show_pulled(self, pulled: Pulled, pull: Pull) -> None:
        self.stage.show_pulled(pulled, pull.taken.question.grid[:, 0])
        self.insight.show_evidence(pulled.moved.evidence)
