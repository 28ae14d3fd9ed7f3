"""One setting to sweep over and its values, in a row."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QSizePolicy, QWidget

from studio.ml.rl.knobs import knob_of
from studio.ui.tokens import SPACE_S
from studio_plugins.rl.sweep_plan import HOW, Axis, axis_of, suggested, swept

NONE = "No second setting"


def _stays(widget: QWidget) -> QSizePolicy:
    """A policy with which it keeps its room while hidden."""
    policy = widget.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    return policy


class AxisRow(QWidget):
    """Signal: `changed` at every edit. optional: with an entry for none."""

    changed = Signal()

    def __init__(self, name: str, parent: QWidget, *, optional: bool = False) -> None:
        super().__init__(parent)
        self._settings: Any = None
        self._optional = optional
        self.which, self.values = QComboBox(self), QLineEdit(self)
        self.which.setAccessibleName(f"{name} setting to sweep over")
        self.which.setMinimumContentsLength(14)
        self.which.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.values.setAccessibleName(f"Values of the {name.lower()} setting")
        self.values.setPlaceholderText("0.1, 0.3, 0.5 or 0.001 to 0.1 in 5")
        self.values.setToolTip(f"The values it takes: {HOW}; ranges of rates go by factors")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(self.which, 1)
        row.addWidget(self.values, 2)
        self.values.setSizePolicy(_stays(self.values))
        self.which.currentIndexChanged.connect(lambda _at: self._suggest())
        self.values.textChanged.connect(lambda _text: self.changed.emit())

    def set_settings(self, settings: Any) -> None:
        """Offer the settings of this agent; what is chosen and written stays where they are of the same kind."""
        same, self._settings = type(settings) is type(self._settings), settings
        kept = self.which.currentData() if same else None
        offered = [(knob_of(f).label, f.name) for f in swept(settings)]
        self.which.blockSignals(True)
        self.which.clear()
        if self._optional:
            self.which.addItem(NONE, "")
        for label, name in offered:
            self.which.addItem(label, name)
        at = self.which.findData(kept) if kept is not None else -1
        self.which.setCurrentIndex(max(0, at))
        self.which.blockSignals(False)
        if at < 0:
            self._suggest()

    def choose(self, name: str, values: str) -> None:
        """Sweep over that setting, with these values."""
        self.which.setCurrentIndex(self.which.findData(name))
        self.values.setText(values)

    @property
    def used(self) -> bool:
        return bool(self.which.currentData())

    def axis(self, settings: Any) -> Axis:
        """What is written. Raises BadSetting, in words."""
        return axis_of(settings, self.which.currentData(), self.values.text())

    def _suggest(self) -> None:
        name = self.which.currentData()
        self.values.setVisible(bool(name))
        self.values.setText(suggested(self._settings, name) if name and self._settings is not None else "")
        self.changed.emit()
