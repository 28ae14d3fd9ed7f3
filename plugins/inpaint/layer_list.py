"""The layers of the document: show, hide, fade, reorder, remove. Every change can be undone."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QListWidget, QListWidgetItem, QSlider, QVBoxLayout, QWidget

from studio.ui.canvas.document import CanvasDocument
from studio.ui.icons import IconButton
from studio.ui.tokens import SPACE_S

_ROW = 24  # pixels
_MOST_ROWS = 6


class LayerList(QWidget):
    """The topmost layer first; its check mark shows and hides it. The row below acts on the chosen one."""

    def __init__(self, document: CanvasDocument, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.list = QListWidget(self)
        self.list.setAccessibleName("Layers, the topmost first")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.itemChanged.connect(self._edited)
        self.list.currentRowChanged.connect(lambda _row: self._show_chosen())
        self.up = self._button("chevron-up", "Move this layer up", partial(self._move, 1))
        self.down = self._button("chevron-down", "Move this layer down", partial(self._move, -1))
        self.remove = self._button("trash", "Remove this layer (Ctrl+Z brings it back)", self._remove)
        self.opacity = QSlider(Qt.Orientation.Horizontal, self)
        self.opacity.setRange(0, 100)
        self.opacity.setAccessibleName("Opacity of the layer, in percent")
        self.opacity.valueChanged.connect(self._fading)
        self.opacity.sliderReleased.connect(self._fade)
        self._percent = QLabel(self)
        self._percent.setProperty("tone", "muted")
        self._percent.setMinimumWidth(self._percent.fontMetrics().horizontalAdvance("100 %"))
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        row.addWidget(self.opacity, 1)
        for widget in (self._percent, self.up, self.down, self.remove):
            row.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addWidget(self.list)
        column.addLayout(row)
        document.layers_changed.connect(self._show)
        self._show()

    def index(self, row: int) -> int:
        """Of the layer in a row; layers count from the bottom."""
        return len(self._document.layers) - 1 - row

    def _button(self, icon: str, tip: str, action: object) -> IconButton:
        button = IconButton(icon, tip, self, size=16)
        button.clicked.connect(lambda _checked=False: action())  # type: ignore[operator]
        return button

    def _show(self) -> None:
        layers, row = self._document.layers, self.list.currentRow()
        with QSignalBlocker(self.list):
            grown = len(layers) != self.list.count()
            self.list.clear()
            for layer in reversed(layers):
                item = QListWidgetItem(layer.name)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEditable)
                item.setCheckState(Qt.CheckState.Checked if layer.visible else Qt.CheckState.Unchecked)
                item.setSizeHint(QSize(1, _ROW))  # as wide as the list; a longer name is cut
                item.setToolTip(f"{layer.name}: tick to show, double click to rename")
                self.list.addItem(item)
            self.list.setCurrentRow(0 if grown else min(row, len(layers) - 1))
        self.list.setFixedHeight(_ROW * min(max(1, len(layers)), _MOST_ROWS) + 4)
        self._show_chosen()

    def _show_chosen(self) -> None:
        row, count = self.list.currentRow(), len(self._document.layers)
        there = 0 <= row < count
        with QSignalBlocker(self.opacity):
            self.opacity.setValue(round(100 * self._document.layers[self.index(row)].opacity) if there else 100)
        self._percent.setText(f"{self.opacity.value()} %")
        self.opacity.setEnabled(there)
        self.up.setEnabled(there and row > 0)
        self.down.setEnabled(there and row < count - 1)
        self.remove.setEnabled(there and count > 1)

    def _edited(self, item: QListWidgetItem) -> None:
        index = self.index(self.list.row(item))
        layer, visible = self._document.layers[index], item.checkState() == Qt.CheckState.Checked
        name = item.text().strip()[:200] or layer.name
        if (name, visible) != (layer.name, layer.visible):
            self._document.change_layer(index, name=name, visible=visible)

    def _move(self, by: int) -> None:
        row = self.list.currentRow()
        index = self.index(row)
        self._document.move_layer(index, index + by)
        self.list.setCurrentRow(row - by)

    def _remove(self) -> None:
        self._document.remove_layer(self.index(self.list.currentRow()))

    def _fading(self, percent: int) -> None:
        self._percent.setText(f"{percent} %")
        if not self.opacity.isSliderDown():
            self._fade()

    def _fade(self) -> None:
        index, opacity = self.index(self.list.currentRow()), self.opacity.value() / 100
        if opacity != self._document.layers[index].opacity:
            self._document.change_layer(index, opacity=opacity)
