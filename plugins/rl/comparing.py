"""Kept runs beside those of now: a button at the curves lists them, those that are ticked are drawn dashed."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtWidgets import QMenu, QToolButton

from studio.engine import Done, Event, Task
from studio.ui.theme import theme
from studio_plugins.rl import kept_runs
from studio_plugins.rl.curve_page import CurvePage
from studio_plugins.rl.desk import Desk
from studio_plugins.rl.kept_runs import KeptCurves, KeptRun, KeptRunList
from studio_plugins.rl.lines import Lines

_LONGEST = 80


class Comparing(QObject):
    """Between the button, the History and the curves."""

    def __init__(self, page: CurvePage, lines: Lines, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self._lines, self._desk = lines, desk
        self.button = QToolButton(page.bar)
        self.button.setText("Compare with kept runs…")
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setToolTip("Draw runs of the History beside these, dashed; four at most")
        self.button.clicked.connect(lambda _checked=False: self.ask())
        page.bar.add_tool(self.button)
        self.menu = QMenu(self.button)
        theme().changed.connect(self._paint_icon)
        self._paint_icon()

    def _paint_icon(self) -> None:
        self.button.setIcon(theme().icon("compare", "text"))

    def ask(self) -> None:
        """List the kept runs, to be chosen from."""
        self._desk.submit(kept_runs.list_runs, None, "listing kept runs", replace="kept runs", lane="quick")

    def on_event(self, task: Task, event: Event) -> None:
        """Hear of lists and curves."""
        if not isinstance(event, Done):
            return
        if isinstance(event.result, KeptRunList):
            self.offer(event.result)
            self.menu.popup(self.button.mapToGlobal(QPoint(0, self.button.height())))
        elif isinstance(event.result, KeptCurves):
            run = event.result.run
            self._lines.compare(run.id, f"{run.title}, {run.about or run.when}", event.result.curves)

    def offer(self, listed: KeptRunList) -> None:
        """Put the runs into the menu; those on show are ticked."""
        self.menu.clear()
        shown = self._lines.compared
        if not listed.runs:
            self.menu.addAction("No run is in the History yet. A run is kept when it ends.").setEnabled(False)
        for run in listed.runs:
            told = f"{run.title}, {run.about}" if run.about else run.title
            name = told if len(told) <= _LONGEST else told[: _LONGEST - 1] + "…"
            action = self.menu.addAction(f"{name}\t{run.when}")
            action.setCheckable(True)
            action.setChecked(run.id in shown)
            action.toggled.connect(lambda on, run=run: self._choose(run, on))
        if shown:
            self.menu.addSeparator()
            self.menu.addAction("Compare with none", self._lines.no_comparison)

    def _choose(self, run: KeptRun, on: bool) -> None:
        if on:
            self._desk.submit(kept_runs.read_run, run, f"reading {run.title}", lane="quick")
        else:
            self._lines.drop(run.id)
