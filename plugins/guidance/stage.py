"""The centre: all columns side by side at one step, x_t, x0 and the heat of every guidance term, and one timeline."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.ui.picture_table import PictureTable
from studio.ui.table_cells import ColumnHeading, RowHeading
from studio.ui.timeline import Timeline
from studio_plugins.guidance import heat
from studio_plugins.guidance.columns import Columns
from studio_plugins.guidance.headings import column_heading
from studio_plugins.guidance.on_stage import Found, Shown
from studio_plugins.guidance.request import Guidance
from studio_plugins.guidance.titles import SHORT, TERM_TIPS, titles_of
from studio_plugins.guidance.trajectory import TERMS, Step

_TIPS = {
    "xₜ": "What the network sees at this step, noise included; the same noise in every column to begin with",
    "x₀": "The picture predicted at this step, guidance included",
}
_HEAT = "Its length over the colour channels, pixel by pixel; one scale for all columns at this step."


class Stage(QWidget):
    """Shows the columns of a `Columns` model as far as a `Shown` has drawn them.

    `missing` says why a guidance cannot act. Signals: `step_moved` (index), `advanced` (all columns have one more
    step), `hovered` (what is under the pointer, in words), `menu_asked` (column, place).
    """

    step_moved = Signal(int)
    advanced = Signal()
    hovered = Signal(str)
    menu_asked = Signal(int, QPoint)

    def __init__(
        self, columns: Columns, shown: Shown, missing: Callable[[Guidance], str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._columns, self._shown, self._missing = columns, shown, missing
        self._rows = {"xₜ": True, "x₀": True, "terms": True}
        self._picture = 0
        self._following = True
        self._moving = False
        self.table = PictureTable(self)
        self.timeline = Timeline(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.timeline)
        self.timeline.hide()
        self.timeline.moved.connect(self._moved)
        self.table.chosen.connect(columns.choose)
        self.table.moved.connect(columns.move)
        self.table.hovered.connect(self.hovered)
        self.table.menu_asked.connect(self.menu_asked)
        columns.changed.connect(self.refresh)
        columns.chosen.connect(self._choose)
        shown.changed.connect(self._new_comparison)
        self.refresh()
        self.table.choose(columns.current)

    # --- what is looked at ---

    @property
    def step(self) -> int:
        """The step under the timeline's mark, 0-based; -1 while there is none."""
        return self.timeline.value if self._shown.request is not None else -1

    @property
    def picture(self) -> int:
        """Which picture of the batch is looked at."""
        return self._picture

    def set_picture(self, index: int) -> None:
        """Look at another picture of the batch."""
        self._picture = index
        self._fill_timeline()
        self.refresh()

    def show_rows(self, name: str, shown: bool) -> None:
        """Show or leave out the row "xₜ", the row "x₀", or the rows of all "terms"."""
        self._rows[name] = shown
        self.refresh()

    def found(self, index: int) -> Found:
        """What there is of a column."""
        return self._shown.find(self._columns.all[index])

    def step_of(self, index: int) -> Step | None:
        """A column's step under the timeline's mark."""
        steps = self.found(index).steps
        return steps[self.step] if 0 <= self.step < len(steps) else None

    def terms(self) -> tuple[str, ...]:
        """The kinds of guidance that any column uses, each of which has a row."""
        used = {
            term
            for column in self._columns.all
            for guidance in (column.guidance, *(segment.guidance for segment in column.earlier))
            for term in guidance.terms
        }
        return tuple(term for term in TERMS if term in used)

    # --- following a run ---

    def added(self, column: int, step: Step) -> None:
        """A column has one more step. Once all have it, it is shown, unless the person has gone back."""
        if self._shown.rounds <= step.index:
            return
        if self._following and step.index != self.timeline.value:
            self._go_to(step.index)
        else:
            self._fill_timeline()
        self.refresh()
        self.advanced.emit()

    def _new_comparison(self) -> None:
        request = self._shown.request
        if request is None:
            return
        self._picture = min(self._picture, request.batch - 1)
        longest = max((len(steps) for steps in self._shown.all_steps()), default=0)
        if self.timeline.count() != request.steps:
            self._moving = True
            self.timeline.set_count(request.steps)
            self._moving = False
            self._following = True
        self.timeline.show()
        self._fill_timeline()
        if self._following or longest == 0:
            self._following = True
            self._go_to(max(0, longest - 1))
        self.refresh()

    def _fill_timeline(self) -> None:
        if self._shown.request is None:
            return
        steps = self.found(self._columns.current).steps
        for step in steps:
            self.timeline.set_thumbnail(step.index, step.picture[self._picture])
        longest = max(self._shown.all_steps(), key=len, default=())
        self.timeline.set_labels([f"t = {step.t}" for step in longest])

    def _go_to(self, index: int) -> None:
        self._moving = True
        self.timeline.set_value(index)
        self._moving = False
        self._fill_timeline()
        self.step_moved.emit(index)

    def _moved(self, index: int) -> None:
        if self._moving:
            return
        longest = max((len(steps) for steps in self._shown.all_steps()), default=0)
        self._following = index >= longest - 1
        if index >= longest > 0:  # not drawn yet: as far as the run is
            self._go_to(longest - 1)
        else:
            self.step_moved.emit(index)
        self.refresh()

    def _choose(self, index: int) -> None:
        self.table.choose(index)
        self._fill_timeline()

    # --- drawing ---

    def refresh(self) -> None:
        """Show everything as it is now."""
        columns = self._columns.all
        found = [self._shown.find(column) for column in columns]
        titles = titles_of(columns)
        drawn = titles_of(self._shown.request.columns) if self._shown.request is not None else []
        headings: list[ColumnHeading] = [
            column_heading(c, titles[c], columns[c], found[c], drawn, self._missing(columns[c].guidance), self._picture)
            for c in range(len(columns))
        ]
        self.table.set_columns(headings)
        steps = [there.steps[self.step] if 0 <= self.step < len(there.steps) else None for there in found]
        rows, tops = self._row_headings(steps)
        self.table.set_rows(rows)
        for c, (there, step) in enumerate(zip(found, steps, strict=True)):
            faded = there.shared is not None and self.step < there.shared[1]
            whose = f"= {drawn[there.shared[0]]}" if faded and there.shared is not None else ""
            self._fill_column(c, there, step, tops, whose)

    def _row_headings(self, steps: list[Step | None]) -> tuple[list[RowHeading], dict[str, float]]:
        rows = [RowHeading(name, _TIPS[name]) for name in ("xₜ", "x₀") if self._rows[name]]
        tops: dict[str, float] = {}
        for term in self.terms() if self._rows["terms"] else ():
            tops[term] = heat.reach(term, steps)
            tip = f"{TERM_TIPS[term]}. {_HEAT}"
            rows.append(RowHeading(f"{SHORT[term]}\n‖term‖", tip, heat.colours(), 0.0, tops[term]))
        return rows, tops

    def _fill_column(self, c: int, there: Found, step: Step | None, tops: dict[str, float], whose: str) -> None:
        row, n = 0, self._picture
        for name in ("xₜ", "x₀"):
            if not self._rows[name]:
                continue
            if step is None:
                waiting = row or there.whole or self._shown.request is None
                note = "stopped" if there.problem and not row else "" if waiting else "not drawn"
                self.table.set_cell(row, c, None, note=note)
            else:
                picture, values = (step.noisy, step.x_t) if name == "xₜ" else (step.picture, step.x0)
                self.table.set_cell(row, c, picture[n], values=values[n], note=whose, faded=bool(whose))
            row += 1
        for term, top in tops.items():
            lengths = None if step is None or term not in step.acting else step.heat[TERMS.index(term), n]
            if lengths is None:
                self.table.set_cell(row, c, None)
            else:
                self.table.set_cell(row, c, heat.paint(lengths, top), values=lengths, note=whose, faded=bool(whose))
            row += 1
