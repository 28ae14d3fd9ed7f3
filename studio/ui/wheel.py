"""The wheel over a field that has not the keyboard scrolls what the field stands in, and leaves its value alone."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QAbstractScrollArea, QAbstractSpinBox, QApplication, QComboBox, QSlider, QWidget

WHEELED = (QComboBox, QAbstractSpinBox, QSlider)
"""Controls that change their value when the wheel is turned over them."""


def wheel_passed_on(watched: QObject, event: QEvent) -> bool:
    """For event filters: True when this was the wheel over such a control, and the scroll area around it has had it."""
    if event.type() != QEvent.Type.Wheel or not isinstance(watched, WHEELED) or watched.hasFocus():
        return False
    around: QWidget | None = watched.parentWidget()
    while around is not None and not isinstance(around, QAbstractScrollArea):
        around = around.parentWidget()
    if around is not None:
        # Ignoring the event is not enough: what a filter has stopped does not travel on to the parents.
        QApplication.sendEvent(around.viewport(), event)
    return True
