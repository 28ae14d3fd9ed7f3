"""Small settings in a row above a page: a name and its field, kept together."""

from __future__ import annotations

from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QSpinBox, QWidget

from studio.ui.tokens import SPACE_M, SPACE_S


def whole(parent: QWidget, low: int, high: int, value: int) -> QSpinBox:
    """A field for a whole number."""
    box = QSpinBox(parent)
    box.setRange(low, high)
    box.setValue(value)
    return box


def share(parent: QWidget, value: float, low: float = 0.0) -> QDoubleSpinBox:
    """A field for a number up to 1."""
    box = QDoubleSpinBox(parent)
    box.setRange(low, 1.0)
    box.setDecimals(3)
    box.setSingleStep(0.05)
    box.setValue(value)
    return box


def named(parent: QWidget, name: str, tip: str, *widgets: QWidget) -> QWidget:
    """A name and its fields; `tip` says what they mean, also where they need no name."""
    pair = QWidget(parent)
    row = QHBoxLayout(pair)
    row.setContentsMargins(0, 0, SPACE_M if name else SPACE_S, 0)
    row.setSpacing(SPACE_S)
    if name:
        label = QLabel(name, pair)
        label.setProperty("tone", "muted")
        label.setToolTip(tip)
        row.addWidget(label)
    for widget in widgets:
        widget.setToolTip(tip)
        widget.setAccessibleName(name or tip)
        row.addWidget(widget)
    return pair
