"""A line for one number of any size: arrow keys and the wheel change it by a share of itself."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from studio.ui.theme import restyle

STEP, LEAP = 1.05, 1.5
"""Factors of one step and of a step with Shift."""
FIRST = 0.1
"""What a step makes of 0."""


class NumberEdit(QLineEdit):
    """`least`: the smallest value allowed; "above" for anything above 0, None for any number. Signal: `edited` (value,
    whether it is one of a run of small steps), when the person changed it."""

    edited = Signal(float, bool)

    def __init__(self, name: str, tip: str, parent: QWidget | None = None, *, least: float | str | None = "above") -> None:
        super().__init__(parent)
        self._value, self._least = 1.0, least
        self._tip = f"{tip} Arrow keys change it by 5 %, with Shift by half."
        self.setToolTip(self._tip)
        self.setAccessibleName(name)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.editingFinished.connect(self._take)

    def value(self) -> float:
        return self._value

    def set_value(self, value: float) -> None:
        """Show a value; says nothing."""
        self._value = value
        if not (self.hasFocus() and self.isModified()):
            self.setText(f"{value:.4g}")
            self.setCursorPosition(0)  # a field too narrow shows how it begins
            self._mark("")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        way = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(Qt.Key(event.key()), 0)
        if way:
            self._step(way, bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
            return
        super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not self.hasFocus():
            event.ignore()  # the column below scrolls
            return
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._step(1 if event.angleDelta().y() > 0 else -1, shift)
        event.accept()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if not self.property("invalid"):
            self.setModified(False)
            self.set_value(self._value)

    def _step(self, way: int, far: bool) -> None:
        if self._value == 0:
            value = 0.0 if way < 0 and self._least is not None else FIRST * way
        else:
            value = self._value * (LEAP if far else STEP) ** (way if self._value > 0 else -way)
        self._give(value, True)

    def _take(self) -> None:
        if not self.isModified():
            return
        self.setModified(False)
        try:
            value = float(self.text().strip().replace(",", "."))
        except ValueError:
            self._mark("This is not a number.")
            return
        problem = self._problem(value)
        if problem:
            self._mark(problem)
            return
        self._give(value, False)

    def _problem(self, value: float) -> str:
        if not math.isfinite(value):
            return "This must be a finite number."
        if self._least == "above" and value <= 0:
            return "This must be a number above 0."
        if isinstance(self._least, float) and value < self._least:
            return f"This must be {self._least:g} or more."
        return ""

    def _give(self, value: float, small: bool) -> None:
        self.setModified(False)
        self.set_value(value)
        self.edited.emit(value, small)

    def _mark(self, problem: str) -> None:
        self.setToolTip(problem or self._tip)
        if bool(self.property("invalid")) != bool(problem):
            self.setProperty("invalid", bool(problem))
            restyle(self)
