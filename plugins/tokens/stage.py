"""The centre: the words, the picture with the chosen word's map over it, all maps side by side, and the timeline."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from studio.host.pictures import Pixels
from studio.ml.diffusion.attention_maps import Shares, View
from studio.ui.cards import EmptyState
from studio.ui.timeline import Timeline
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.tokens.chips import ChipRows, Chips
from studio_plugins.tokens.looking import Look, LookBar
from studio_plugins.tokens.painting import overlay, percent, small_maps
from studio_plugins.tokens.pick_view import Cell, PickView
from studio_plugins.tokens.run import Plan, TokenRun, TokenStep
from studio_plugins.tokens.strip import Strip

STRIP, LEAST_STRIP = 132, 64


class Stage(QWidget):
    """Shows one run: `begin` with its plan, `add_step` for each step, `finish` with the picture; or `show_run` at once.

    `shown` fires whenever something else is looked at: step, word, layer, head, place.
    """

    shown = Signal()

    def __init__(self, empty: EmptyState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run: TokenRun | None = None
        self.picture: Pixels | None = None
        self._following, self._moving = True, False
        self._new_words = True
        self._resumed: tuple[Look, int] | None = None
        self._last: tuple[TokenRun, View, Shares] | None = None
        self.chips, self.look_bar, self.view, self.strip = Chips(self), LookBar(self), PickView(self), Strip(self)
        self.timeline = Timeline(self)
        self.empty = empty
        self.strip.setMinimumHeight(LEAST_STRIP)
        self.view.describe = self._describe
        parts = QSplitter(Qt.Orientation.Vertical, self)
        parts.addWidget(self.view)
        parts.addWidget(self.strip)
        parts.setStretchFactor(0, 1)
        parts.setStretchFactor(1, 0)
        parts.setCollapsible(0, False)
        parts.setSizes([500, STRIP])
        above = QWidget(self)
        rows = QVBoxLayout(above)
        rows.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        rows.setSpacing(SPACE_S)
        rows.addWidget(self.look_bar)
        rows.addWidget(ChipRows(self.chips, above))
        body = QWidget(self)
        whole = QVBoxLayout(body)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        for widget, stretch in ((above, 0), (parts, 1), (self.timeline, 0)):
            whole.addWidget(widget, stretch)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(empty)
        self._stack.addWidget(body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._stack)
        self.timeline.moved.connect(self._moved)
        self.chips.chosen.connect(lambda _row: self.refresh())
        self.strip.selected.connect(self.chips.choose)
        self.look_bar.changed.connect(self.refresh)
        self.view.picked.connect(lambda _cell: self.shown.emit())

    # --- a run ---

    def begin(self, plan: Plan) -> None:
        """A run has started; its steps follow. The word looked at stays where the prompt is the same."""
        self._new_words = self.run is None or self.run.plan.names != plan.names
        self.run, self.picture, self._following = TokenRun(plan, ()), None, True
        self.look_bar.set_layers(plan.layer_titles, [layer.heads for layer in plan.layers])
        self._set_count(plan.total)

    def add_step(self, step: TokenStep) -> None:
        """One more step; it is shown unless the person has gone back."""
        assert self.run is not None
        self.run = TokenRun(self.run.plan, (*self.run.steps, step))
        at = len(self.run.steps) - 1
        self.timeline.set_thumbnail(at, step.x0)
        self.timeline.set_labels([f"t = {step.maps.t}" for step in self.run.steps])
        if self._following:
            self._go_to(at)
        elif self.look_bar.look.every_step:
            self.refresh()

    def finish(self, picture: Pixels) -> None:
        """The run is over."""
        self.picture = picture
        self.refresh()

    def show_run(self, run: TokenRun, picture: Pixels) -> None:
        """A whole run at once, its end shown."""
        self.begin(run.plan)
        self.run, self.picture = run, picture
        self._set_count(len(run.steps))
        for at, step in enumerate(run.steps):
            self.timeline.set_thumbnail(at, step.x0)
        self.timeline.set_labels([f"t = {step.maps.t}" for step in run.steps])
        self._go_to(len(run.steps) - 1)
        if self._resumed is not None:
            (look, row), self._resumed = self._resumed, None
            self.look_bar.show_look(look)
            self.chips.choose(row)

    def resume(self, look: Look, row: int) -> None:
        """Look in this way, and at this word, at the run that is shown next."""
        self.look_bar.show_look(look)
        self._resumed = (look, row)

    # --- what is looked at ---

    @property
    def step(self) -> TokenStep | None:
        """The step under the timeline's mark."""
        at = self.timeline.value
        return self.run.steps[at] if self.run is not None and 0 <= at < len(self.run.steps) else None

    @property
    def row(self) -> int:
        """The word looked at; the last two are padding and picture."""
        return self.chips.current

    @property
    def cell(self) -> Cell | None:
        """The place picked on the picture."""
        return self.view.cell

    def view_of(self, step: int | None) -> View:
        """The layer and head looked at, at a step (None: mean of all)."""
        look = self.look_bar.look
        return View(step, None if look.layer < 0 else look.layer, None if look.head < 0 else look.head)

    @property
    def looked(self) -> View:
        """What is looked at now."""
        return self.view_of(None if self.look_bar.look.every_step else self.timeline.value)

    def shares(self, view: View | None = None) -> Shares:
        """[rows, h, w] of what is looked at, or of another view; there must be a step."""
        assert self.run is not None
        view = self.looked if view is None else view
        if self._last is None or self._last[:2] != (self.run, view):
            self._last = (self.run, view, self.run.attention.shares(view))
        return self._last[2]

    def clean(self) -> Pixels:
        """The picture without a map: that of the step, or of the end."""
        assert self.run is not None and self.step is not None
        last = self.timeline.value == len(self.run.steps) - 1 or self.look_bar.look.every_step
        return self.picture if last and self.picture is not None else self.step.x0

    def painted(self) -> Pixels:
        """The picture with the chosen word's map over it."""
        look, share = self.look_bar.look, self.shares()[self.row]
        return overlay(self.clean(), share, float(share.max()), look.opacity, smooth=look.smooth)

    def maps(self) -> list[Pixels]:
        """The small maps of all rows, as large as the picture."""
        look = self.look_bar.look
        return small_maps(self.shares(), len(self.clean()), smooth=look.smooth, common=look.common)

    def headings(self) -> list[str]:
        """A line for each map: the word and its share."""
        assert self.run is not None
        masses = self.run.attention.masses(self.looked)
        return [f"{name} {percent(mass)}" for name, mass in zip(self.run.plan.names, masses.tolist(), strict=True)]

    def refresh(self) -> None:
        """Show what is looked at."""
        if self.run is None or self.step is None:
            return
        shares = self.shares()
        self.chips.set_entries(self.run.plan.names, self.run.attention.masses(self.looked).tolist())
        if self._new_words:
            self._new_words = False
            self.chips.choose(telling_row(self.run))
        self.view.set_cells(shares.shape[2], shares.shape[1])
        self.view.set_image(self.painted(), caption=self._caption(float(shares[self.row].max())))
        self.strip.show_maps(self.maps(), self.run.plan.names)
        self.strip.select(self.row)
        self._stack.setCurrentIndex(1)
        self.shown.emit()

    # --- inside ---

    def _caption(self, top: float) -> str:
        assert self.run is not None
        place = self.look_bar.layers.currentText().lower()
        if self.look_bar.look.head >= 0:
            place += f", {self.look_bar.heads.currentText().lower()}"
        return f"“{self.run.plan.names[self.row]}”: brightest {percent(top)}, {place}"

    def _describe(self, cell: Cell) -> str:
        if self.run is None or self.step is None:
            return ""
        share = float(self.shares()[self.row, cell[1], cell[0]])
        name = self.run.plan.names[self.row]
        return f"column {cell[0] + 1}, row {cell[1] + 1}: {percent(share)} of its attention goes to “{name}”"

    def _set_count(self, count: int) -> None:
        self._moving = True
        self.timeline.set_count(count)
        self._moving = False

    def _go_to(self, at: int) -> None:
        self._moving = True
        self.timeline.set_value(at)
        self._moving = False
        self.refresh()

    def _moved(self, at: int) -> None:
        if self._moving or self.run is None:
            return
        if at >= len(self.run.steps) > 0:  # not drawn yet: as far as the run is
            self._following = True
            self._go_to(len(self.run.steps) - 1)
            return
        self._following = at == len(self.run.steps) - 1
        self.refresh()


def telling_row(run: TokenRun) -> int:
    """The row to look at first: the token with the largest share, padding where there is none."""
    tokens = run.attention.masses(View())[: len(run.plan.pieces)]
    return int(tokens.argmax()) if len(tokens) else 0
