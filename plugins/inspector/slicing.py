"""The strip under the stage: which axes are rows and columns, and a slider for every other axis."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QGridLayout, QHBoxLayout, QLabel, QSlider, QSpinBox, QVBoxLayout, QWidget

from studio.ui.tokens import SPACE_L, SPACE_M, SPACE_S
from studio_plugins.inspector.axes import View, with_cols, with_rows
from studio_plugins.inspector.reading import TensorInfo

MAX_SLIDER = 2**31 - 1


class Slicing(QFrame):
    """Hidden for tensors of fewer than two axes. `changed` carries the View a person chose."""

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("edge", "top")
        self._view: View | None = None
        self._info: TensorInfo | None = None
        self._picture = False
        self._rows, self._cols = QComboBox(self), QComboBox(self)
        top = QHBoxLayout()
        top.setSpacing(SPACE_S)
        for text, box in (("Rows", self._rows), ("Columns", self._cols)):
            label = QLabel(text, self)
            label.setProperty("tone", "muted")
            label.setBuddy(box)
            box.setAccessibleName(f"Axis shown as {text.lower()}")
            box.setToolTip(f"The axis of the tensor that is shown as {text.lower()}")
            top.addWidget(label)
            top.addWidget(box)
            top.addSpacing(SPACE_M)
        top.addStretch(1)
        self._rows.activated.connect(lambda at: self._take(with_rows(self._known(), self._rows.itemData(at))))
        self._cols.activated.connect(lambda at: self._take(with_cols(self._known(), self._cols.itemData(at))))
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(SPACE_M)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(1, 1)
        self.controls: dict[int, tuple[QSlider, QSpinBox]] = {}
        self._labels: list[QLabel] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_S, SPACE_L, SPACE_S)
        layout.setSpacing(SPACE_S)
        layout.addLayout(top)
        layout.addLayout(self._grid)
        self.hide()

    def show_view(self, info: TensorInfo, view: View, *, picture: bool) -> None:
        """Offer the axes of a tensor; as a picture, its last axis is colour and not to be cut."""
        fresh = self._info != info or self._picture != picture or self._view is None or (view.rows, view.cols) != (self._view.rows, self._view.cols)
        self._info, self._view, self._picture = info, view, picture
        self.setVisible(len(info.shape) >= 2)
        if view.cols < 0:
            return
        if fresh:
            self._offer(info, view)
        for axis, (slider, spin) in self.controls.items():
            for control in (slider, spin):
                with QSignalBlocker(control):
                    control.setValue(view.index[axis])

    def _offer(self, info: TensorInfo, view: View) -> None:
        axes = [axis for axis in range(len(info.shape)) if not (self._picture and axis == len(info.shape) - 1)]
        for box, chosen in ((self._rows, view.rows), (self._cols, view.cols)):
            box.clear()
            for axis in axes:
                box.addItem(f"axis {axis}  ({info.shape[axis]:,})", axis)
            box.setCurrentIndex(axes.index(chosen))
        for label in self._labels:
            label.deleteLater()
        for pair in self.controls.values():
            for control in pair:
                control.deleteLater()
        self._labels, self.controls = [], {}
        for line, axis in enumerate(axis for axis in axes if axis not in (view.rows, view.cols)):
            self._add(line, axis, info.shape[axis])

    def _add(self, line: int, axis: int, side: int) -> None:
        label = QLabel(f"axis {axis}", self)
        label.setProperty("tone", "muted")
        slider, spin = QSlider(Qt.Orientation.Horizontal, self), QSpinBox(self)
        last = min(max(side - 1, 0), MAX_SLIDER)
        for control in (slider, spin):
            control.setRange(0, last)
            control.setEnabled(last > 0)
            control.setAccessibleName(f"Index along axis {axis}")
            control.setToolTip(f"Index along axis {axis}, 0 to {last:,}")
            control.valueChanged.connect(lambda at, axis=axis: self._take(self._known().with_index(axis, at)))
        slider.setPageStep(max(1, side // 10))
        spin.setSuffix(f" of {last:,}")
        spin.setKeyboardTracking(False)
        spin.setMinimumWidth(112)
        for column, widget in enumerate((label, slider, spin)):
            self._grid.addWidget(widget, line, column)
        self._labels.append(label)
        self.controls[axis] = (slider, spin)

    def _known(self) -> View:
        assert self._view is not None
        return self._view

    def _take(self, view: View) -> None:
        if self._info is not None and view != self._view:
            self.show_view(self._info, view, picture=self._picture)
            self.changed.emit(view)
