"""The pages beside the function: each asks for what it shows when it comes on show, and when the posterior changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from studio.ml.gp.components import Component
from studio.ml.gp.jet import Array
from studio_plugins.gp.answers import Answer
from studio_plugins.gp.deeper import Look, Slopes
from studio_plugins.gp.desk import Desk
from studio_plugins.gp.document import Document, Scene
from studio_plugins.gp.jobs import SEARCH_LIMIT, Hunt
from studio_plugins.gp.stage import Stage

if TYPE_CHECKING:
    from studio.ml.gp.search import Growth

_NO_POINTS = "Click some points first, or choose an example: without them there is only the prior."
_ONE_INPUT = "This page is for functions over one input."
_GAUSSIAN = "This page needs a Gaussian posterior: choose Gaussian or Student-t noise, and the exact method."


class Pages(QObject):
    """Signals: `said` (text, level), `taken` (Model of a search)."""

    said = Signal(str, str)
    taken = Signal(object)

    def __init__(self, document: Document, stage: Stage, desk: Desk) -> None:
        super().__init__(desk)
        self._document, self._stage, self._desk = document, stage, desk
        self._answer: Answer | None = None
        self._grid: Array | None = None
        stage.turned.connect(lambda _name: self._refresh())
        stage.search.wanted.connect(self.search)
        stage.search.taken.connect(self.taken)
        desk.grown.connect(stage.search.show_growth)
        desk.hunted.connect(self._end_search)
        for line, show in ((desk.parts, self._show_parts), (desk.slopes, self._show_slopes)):
            line.answered.connect(show)
            line.failed.connect(lambda _look, error: self._fail(str(error)))
        document.changed.connect(self._forget)

    def look(self, answer: Answer, grid: Array) -> None:
        """The posterior is another one now."""
        self._answer, self._grid = answer, grid
        self._refresh()

    def search(self, rounds: int) -> None:
        """Search for the structure of a kernel that explains the points."""
        scene = self._document.scene
        if scene.likelihood != "gaussian":
            self.said.emit("The search compares kernels under Gaussian noise: choose that for the observations first.", "warning")
        elif scene.points.inputs != 1 or len(scene.points) > SEARCH_LIMIT:
            self.said.emit(
                f"The search fits dozens of kernels exactly: it takes up to {SEARCH_LIMIT:,} points over one input.", "warning"
            )
        elif len(scene.points) < 3:
            self.said.emit("A search needs three points or more: fewer say nothing about structure.", "warning")
        else:
            self._stage.search.clear()
            self._desk.hunt(Hunt(scene.data, scene.mean, rounds))

    def _refresh(self) -> None:
        page = self._stage.page
        if page not in ("components", "slope"):
            return
        shown: Any = self._stage.components if page == "components" else self._stage.slope
        if self._answer is None or self._grid is None or not len(self._document.scene.points):
            shown.show_text(_NO_POINTS)
        elif self._grid.shape[1] != 1:
            shown.show_text(_ONE_INPUT)
        elif self._answer.gaussian is None:
            shown.show_text(_GAUSSIAN)
        else:
            line = self._desk.parts if page == "components" else self._desk.slopes
            line.ask(Look(self._answer.gaussian, self._grid))

    def _show_parts(self, look: Look, parts: list[Component]) -> None:
        self._stage.components.show_parts(parts, look.grid[:, 0], self._axes())

    def _show_slopes(self, look: Look, found: Slopes) -> None:
        self._stage.slope.show_slopes(found, look.grid[:, 0], self._axes())

    def _fail(self, why: str) -> None:
        self.said.emit(why, "warning")

    def _axes(self) -> tuple[str, str]:
        axes = self._document.scene.axes
        return axes[0], axes[-1]

    def _end_search(self, grown: Growth) -> None:
        self._stage.search.show_growth(grown, over=True)

    def _forget(self, before: Scene, after: Scene) -> None:
        """A search was of other points."""
        if after.points is not before.points and after.points != before.points:
            self._desk.stop_hunt()
            self._stage.search.clear()
