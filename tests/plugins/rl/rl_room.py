"""A room to build Agents panels in, and hands to press and draw in them with real events."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from studio.ml.rl.session import Session
from studio_plugins.rl.request import RlRequest
from tests.plugins.panel_room import END, PanelRoom


class RlRoom(PanelRoom):
    """Agents panels; `open()` shows one on the cliff with SARSA and Q-learning."""

    def open(self, *, seeds: int = 2, steps: int = 2000, quiet: bool = True) -> Any:
        panel = self.show(self.build())
        self.until(lambda: panel.controls.described is not None)
        panel.controls.set_shared(seeds=seeds, steps=steps)
        if quiet:
            self.quiet()
        return panel

    def until(self, come: Any) -> None:
        self.qtbot.waitUntil(lambda: bool(come()), timeout=END)

    def trained(self, panel: Any) -> None:
        """Wait until every run has used up its steps and the curves are drawn."""
        self.until(lambda: len(panel.desk.views) == len(panel.desk.seats) and all(map(panel.desk.finished, panel.desk.seats)))
        self.until(lambda: self.engine.wait_idle(0) and self.window.pump.watching() == 0 and drawn(panel))

    def reached(self, panel: Any, steps: int) -> None:
        """Wait until every run has made so many steps."""
        self.until(lambda: panel.desk.seats and all(seat.steps >= steps for seat in panel.desk.seats))

    def still(self, panel: Any) -> None:
        """Wait until nothing moves: what was asked of paused runs is done, and the curves are drawn."""
        desk = panel.desk

        def rests() -> bool:
            tasks = [task for task in desk.pending() if task is not desk._player]
            paused = all(task in map(desk.task_of, desk.seats) for task in tasks)
            heard = self.window.pump.watching() <= len(tasks) + (desk._player is not None)
            return paused and heard and not desk.trains() and drawn(panel)

        self.until(rests)

    def world(self, panel: Any, world: str) -> Any:
        """Open another world."""
        panel.restore_request("rl", RlRequest(world=world, runs=panel.controls.request().runs).to_dict())
        self.quiet()
        return panel


def drawn(panel: Any) -> bool:
    """Whether the curves show all that there is, or are not on show."""
    return not panel.isVisible() or not panel.lines._timer.isActive() and panel.lines._task is None


def press(panel: Any, text: str) -> None:
    """Click a button by its words, in the panel or in its message."""
    if panel.last_message is not None:
        for title, deed in panel.last_message.actions:
            if title == text:
                deed()
                return
    for button in panel.findChildren(QPushButton):
        if button.text() == text and button.isVisible() and button.isEnabled():
            button.click()
            return
    raise AssertionError(f"there is no button “{text}” to press")


def cell_at(view: Any, row: int, column: int) -> QPoint:
    """Where a cell of a grid is, in pixels of its view."""
    return view.board().rect((row, column)).center()


def draw(qtbot: QtBot, view: Any, *cells: tuple[int, int]) -> None:
    """A stroke of the left button through cells."""
    points = [cell_at(view, *cell) for cell in cells]
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=points[0])
    for point in points[1:]:
        qtbot.mouseMove(view, point)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=points[-1])


def returns(session: Any) -> list[list[float]]:
    """The return of every episode that is kept, for each seed."""
    return [np.asarray(curve.values).tolist() for curve in session.view().curves["return"]]


def alone(plan: Any) -> Any:
    """A run that nobody watches, to its end."""
    session = Session(plan)
    while not session.done:
        session.advance()
    return session


def heard(panel: Any) -> list[str]:
    """All messages of a panel from now on."""
    told: list[str] = []
    panel.posted.connect(lambda message: told.append(message.text) if message is not None else None)
    return told
