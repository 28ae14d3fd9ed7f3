"""The left column: examples to begin with, the class of new points, and the form."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QComboBox, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from studio.ui.tokens import SPACE_S
from studio_plugins.kernel_trick.request import KernelTrickRequest
from studio_plugins.kernel_trick.words import CLASSES

EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "circles": "A ring in a ring",
        "island": "An island in a ring",
        "moons": "Two moons",
        "corners": "Opposite corners (exclusive or)",
        "spirals": "Two spirals",
        "blobs": "Two heaps: a line is enough",
    }
)


class Controls(QWidget):
    """Builds its parts into a PanelLayout. Signals: `changed` at every edit, `example` (a name), `clearing`."""

    changed = Signal()
    example = Signal(str)
    clearing = Signal()

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the parts below, which live in the zones
        self._examples = QComboBox(zones)
        self._examples.setAccessibleName("Example points")
        self._examples.addItem("Take example points …", "")
        for name, title in EXAMPLES.items():
            self._examples.addItem(title, name)
        self._examples.activated.connect(self._take_example)
        zones.add_control(self._examples)
        zones.add_control(self._class_row(zones))
        self.form: RequestForm[KernelTrickRequest] = RequestForm(KernelTrickRequest, zones)
        self.form.changed.connect(self.changed)
        zones.add_control(self.form)

    @property
    def label(self) -> int:
        """The class of new points."""
        return max(0, self._group.checkedId())

    def set_label(self, label: int) -> None:
        self._group.button(label).setChecked(True)

    def _class_row(self, zones: PanelLayout) -> QWidget:
        row = QWidget(zones)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addWidget(QLabel("New points", row), 1)
        self._group = QButtonGroup(row)
        for label, name in enumerate(CLASSES):
            button = QToolButton(row)
            button.setText(f"{'●■'[label]} {name}")
            button.setCheckable(True)
            button.setToolTip(f"A click adds a point of class {name}; the right button adds one of the other class")
            self._group.addButton(button, label)
            layout.addWidget(button)
        self._group.button(0).setChecked(True)
        clear = QPushButton("Clear", row)
        clear.setToolTip("Remove all points (Undo brings them back)")
        clear.clicked.connect(lambda _checked=False: self.clearing.emit())
        layout.addWidget(clear)
        return row

    def _take_example(self, at: int) -> None:
        name = self._examples.itemData(at)
        self._examples.setCurrentIndex(0)
        if name:
            self.example.emit(name)
