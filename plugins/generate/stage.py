"""The centre: the picture as it forms, a batch or a sweep side by side, and the timeline of all steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from studio.host.pictures import GridLabels, Pixels
from studio.ui.cards import EmptyState
from studio.ui.image_grid import ImageGrid
from studio.ui.image_view import ImageView
from studio.ui.timeline import Timeline
from studio_plugins.generate.trajectory import StepData, kept_positions


class Stage(QWidget):
    """Shows one run or one sweep.

    `begin_run`, then `add_step` for each step kept (or `show_run` for a whole one), `finish` with the result.
    `begin_sweep`, then `show_cells`. Signals: `step_shown` (StepData, when the person or the run moves on), `chosen`
    (picture of the batch or sweep, −1 none).
    """

    step_shown = Signal(object)
    chosen = Signal(int)
    view_changed = Signal()

    def __init__(self, empty: EmptyState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.steps: list[StepData] = []
        self.final: Pixels | None = None
        self.captions: tuple[str, ...] = ()
        self._noisy = False
        self._following = True
        self._moving = False
        self._counts: tuple[int, ...] = ()
        self._alone: int | None = None
        self._sweep = False
        self.grid, self.view = ImageGrid(self), ImageView(self)
        self.timeline = Timeline(self)
        self._stack = QStackedWidget(self)
        self.empty = empty
        for widget in (empty, self.grid, self.view):
            self._stack.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._stack, 1)
        layout.addWidget(self.timeline)
        self.timeline.moved.connect(self._moved)
        self.grid.activated.connect(self.show_alone)
        self.grid.selected.connect(self._selected)
        self.clear()

    # --- what is shown ---

    @property
    def is_sweep(self) -> bool:
        return self._sweep

    @property
    def count(self) -> int:
        """Pictures shown."""
        return 0 if self._stack.currentWidget() is self.empty else len(self.pictures())

    @property
    def alone(self) -> int | None:
        """The picture of a batch or sweep that is shown by itself."""
        return self._alone

    @property
    def current(self) -> int:
        """The picture that save, copy and the rest act on: the one shown alone, the selected one, or the first."""
        return self._alone if self._alone is not None else max(0, self.grid.current if self.count > 1 else 0)

    @property
    def step(self) -> StepData | None:
        """The step under the timeline's mark."""
        at = self.timeline.value
        return self.steps[at] if 0 <= at < len(self.steps) else None

    @property
    def at_end(self) -> bool:
        """Whether what is shown is the result itself and not a step on the way."""
        last = not self.steps or self.timeline.value == len(self.steps) - 1
        return last and self.final is not None and not (self._noisy and self.knows_noisy)

    @property
    def knows_noisy(self) -> bool:
        """Whether what the network saw is known of the steps."""
        return any(step.x_t is not None for step in self.steps)

    def pictures(self) -> Pixels:
        """What is shown now, [N, H, W, 3]."""
        step = self.step
        if self.at_end or step is None:
            return self.final if self.final is not None else np.zeros((0, 1, 1, 3), np.uint8)
        return step.noisy if self._noisy and step.x_t is not None else step.x0

    def clear(self) -> None:
        """Nothing yet: the empty state."""
        self.steps, self.final, self._counts, self._alone, self._sweep = [], None, (), None, False
        self.timeline.set_count(0)
        self.timeline.hide()
        self._stack.setCurrentWidget(self.empty)
        self.view_changed.emit()

    # --- a run ---

    def begin_run(self, captions: Sequence[str]) -> None:
        """A run has started; what was shown stays until its first step comes."""
        if self._sweep or len(captions) != len(self.captions):
            self._alone = None
        self.steps, self.final, self._counts, self._sweep = [], None, (), False
        self.captions = tuple(captions)
        self._following = True
        self.view_changed.emit()

    def expect(self, counts: Sequence[int]) -> None:
        """How many steps each stage of the run will show."""
        self._counts = tuple(counts)

    def add_step(self, data: StepData) -> None:
        """One more step of the run; it is shown unless the person has gone back."""
        if not self.steps:
            self._counts = self._counts or (len(kept_positions(data.total, data.x0.size)),)
            self._start_timeline(sum(self._counts), self._counts[:-1])
        self.steps.append(data)
        at = len(self.steps) - 1
        if at < self.timeline.count():
            self.timeline.set_thumbnail(at, data.x0[self._alone or 0])
        if self._following:
            self._go_to(at)

    def finish(self, pictures: Pixels) -> None:
        """The run is over; these are the pictures."""
        self.final = pictures
        if self.timeline.count() != len(self.steps):
            self._fill_timeline()
        if self._following or not self.steps:
            self._go_to(len(self.steps) - 1)
        self._show()

    def show_run(self, pictures: Pixels, steps: Sequence[StepData], captions: Sequence[str]) -> None:
        """A whole run at once, its end shown."""
        self.begin_run(captions)
        self.steps = list(steps)
        self._fill_timeline()
        self.finish(pictures)

    def set_steps(self, steps: Sequence[StepData]) -> None:
        """The steps of the finished run shown, read from disk because they were not followed live."""
        self.steps = list(steps)
        self._fill_timeline()
        self._go_to(len(self.steps) - 1)

    # --- a sweep ---

    def begin_sweep(self, labels: GridLabels, captions: Sequence[str]) -> None:
        """Empty cells with headings."""
        self.clear()
        self._sweep = True
        self.captions = tuple(captions)
        self.grid.set_count(
            len(captions), column_labels=labels.columns, row_labels=labels.rows,
            column_title=labels.column_title, row_title=labels.row_title,
        )  # fmt: skip
        self._stack.setCurrentWidget(self.grid)
        self.view_changed.emit()

    def show_cells(self, cells: Pixels, ready: int) -> None:
        """The first `ready` cells of [cells, H, W, 3]; the others stay empty."""
        self.final = cells
        for i in range(min(ready, len(cells))):
            self.grid.set_cell(i, cells[i])
        if self._alone is not None and self._alone < ready:
            self.view.set_image(cells[self._alone], caption=self.captions[self._alone])

    # --- looking ---

    def set_noisy(self, noisy: bool) -> None:
        """Show x_t, what the network sees, instead of x0, what it makes of it."""
        self._noisy = noisy
        self._show()

    def show_alone(self, index: int) -> None:
        """One picture of several by itself."""
        if 0 <= index < self.count and self.count > 1 and self.grid.image(index) is not None:
            self._alone = index
            self._show()
            self.view.setFocus()
            self.chosen.emit(index)

    def show_all(self) -> None:
        """Back from one picture to all of them."""
        if self._alone is not None:
            self.grid.select(self._alone)
            self._alone = None
            self._show()
            self.grid.setFocus()

    def set_sources(
        self, file_of: Callable[[int], Path | None], actions: Sequence[tuple[str, Callable[[int], Any]]]
    ) -> None:
        """Where a dragged picture's file is, and what the context menus offer for a picture."""
        self.grid.file_source = file_of
        self.view.file_source = lambda: file_of(self.current)
        self.grid.menu_actions = [("Look at it alone", self.show_alone), *actions]
        self.view.menu_actions = [(text, partial(self._on_current, act)) for text, act in actions]

    def _on_current(self, action: Callable[[int], Any]) -> None:
        action(self.current)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._alone is not None:
            self.show_all()
        else:
            super().keyPressEvent(event)

    def _fill_timeline(self) -> None:
        new = [at for at in range(1, len(self.steps)) if self.steps[at].stage != self.steps[at - 1].stage]
        self._start_timeline(len(self.steps), new)
        for at, step in enumerate(self.steps):
            self.timeline.set_thumbnail(at, step.x0[self._alone or 0])
        self.timeline.set_labels(self._labels())

    def _labels(self) -> list[str]:
        """What stands beside each step of the timeline."""
        if len(self._counts) < 2 and len({step.stage for step in self.steps}) == 1:
            return [f"t = {step.t}" for step in self.steps]
        return [f"{step.x0.shape[1]} px, t = {step.t}" for step in self.steps]

    def _start_timeline(self, count: int, breaks: Sequence[int] = ()) -> None:
        self._moving = True
        self.timeline.set_count(count)
        self.timeline.set_breaks(breaks)
        self._moving = False
        self.timeline.setVisible(count > 1)

    def _go_to(self, at: int) -> None:
        self._moving = True
        self.timeline.set_value(at)
        self._moving = False
        if 0 <= at < len(self.steps):
            self.timeline.set_labels(self._labels())
        self._show()

    def _moved(self, at: int) -> None:
        if self._moving:
            return
        if at >= len(self.steps) > 0:  # not drawn yet: as far as the run is
            self._go_to(len(self.steps) - 1)
            self._following = True
            return
        self._following = at == len(self.steps) - 1
        self._show()

    def _show(self) -> None:
        if self._sweep:
            if self._alone is None or self.final is None:
                self._stack.setCurrentWidget(self.grid)
            else:
                self.view.set_image(self.final[self._alone], caption=self.captions[self._alone])
                self._stack.setCurrentWidget(self.view)
            self.view_changed.emit()
            return
        pictures = self.pictures()
        if not len(pictures):
            return
        one = self._alone if self._alone is not None else 0 if len(pictures) == 1 else None
        if one is None:
            self.grid.set_images(list(pictures), self.captions)
            self._stack.setCurrentWidget(self.grid)
        else:
            self.view.set_image(pictures[one], caption=self.captions[one] if one < len(self.captions) else "")
            self._stack.setCurrentWidget(self.view)
        if self.step is not None:
            self.step_shown.emit(self.step)
        self.view_changed.emit()

    def _selected(self, index: int) -> None:
        self.chosen.emit(index)
