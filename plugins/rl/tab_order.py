"""The Tab key goes through widgets as they are laid out, also those that were added later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLayout, QWidget


def order_tabs(parts: Iterable[QWidget]) -> None:
    """From the first to the last widget of these parts, in the order of their layouts."""
    last: QWidget | None = None
    for part in parts:
        for widget in _stops(part):
            if last is not None:
                QWidget.setTabOrder(last, widget)
            last = widget


def _stops(widget: QWidget) -> Iterator[QWidget]:
    if widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
        yield widget
    layout = widget.layout()
    if layout is not None:
        yield from _inside(layout)


def _inside(layout: QLayout) -> Iterator[QWidget]:
    for place in range(layout.count()):
        item = layout.itemAt(place)
        widget, inner = item.widget(), item.layout()
        if widget is not None:
            yield from _stops(widget)
        elif inner is not None:
            yield from _inside(inner)
