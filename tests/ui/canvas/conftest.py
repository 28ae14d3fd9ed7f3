"""A document with a picture, and views on documents that end with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import delete, isValid

from studio.ui.canvas.document import CanvasDocument
from studio.ui.canvas.view import CanvasView

Drag = Callable[..., None]


def gradient(width: int, height: int) -> np.ndarray:
    """A picture in which no two neighbours are equal, uint8 [H, W, 3]."""
    y, x = np.mgrid[:height, :width]
    return np.dstack([3 * x % 256, 5 * y % 256, 7 * (x + y) % 256]).astype(np.uint8)


@pytest.fixture
def document(qapp: QApplication) -> Iterator[CanvasDocument]:
    made = CanvasDocument()
    made.set_picture(gradient(300, 200))
    made.undo.clear()
    yield made
    if isValid(made):
        delete(made)


@pytest.fixture
def view(qtbot: QtBot, document: CanvasDocument) -> Iterator[CanvasView]:
    """Shown at real size: the picture's corner is at (150, 150), one widget pixel is a picture pixel."""
    made = CanvasView(document)
    qtbot.addWidget(made)
    made.resize(600, 500)
    made.show()
    made.actual_size()
    qtbot.waitUntil(lambda: made.prepared)
    yield made
    made.stop()


def send(view: CanvasView, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton, keys: Qt.KeyboardModifier) -> None:
    """One mouse event at a place in the picture."""
    place = view.viewport.to_widget(at)
    pressed = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else button
    cause = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else button
    QApplication.sendEvent(view, QMouseEvent(kind, place, view.mapToGlobal(place), cause, pressed, keys))


@pytest.fixture
def drag() -> Drag:
    """Press, move and release at places of the picture."""

    def do(
        view: CanvasView, *path: tuple[float, float], keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
        button: Qt.MouseButton = Qt.MouseButton.LeftButton, release: bool = True,
    ) -> None:  # fmt: skip
        points = [QPointF(*place) for place in path]
        send(view, QEvent.Type.MouseButtonPress, points[0], button, keys)
        for point in points[1:]:
            send(view, QEvent.Type.MouseMove, point, button, keys)
        if release:
            send(view, QEvent.Type.MouseButtonRelease, points[-1], button, keys)

    return do
