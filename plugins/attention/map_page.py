"""The map of one head, and how its numbers become colours."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from studio.ui.elided import ElidedLabel
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.attention.map_view import MapView
from studio_plugins.attention.painting import CURVES, SCALES
from studio_plugins.attention.results import Patch
from studio_plugins.attention.sight import Sight


class ShadingBar(QWidget):
    """Scale, curve, and what is hidden."""

    def __init__(self, sight: Sight, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sight = sight
        self.scale, self.curve = QComboBox(self), QComboBox(self)
        for box, entries, name, tip in (
            (self.scale, SCALES, "Scale", "What is brightest: the largest weight of the map, that of each row, or 1"),
            (self.curve, CURVES, "Curve", "How weights become brightness; gamma and logarithm show small ones"),
        ):
            for value, title in entries.items():
                box.addItem(title, value)
            box.setAccessibleName(name)
            box.setToolTip(tip)
            box.activated.connect(self._edited)
        self.sink, self.diagonal = QCheckBox("First token", self), QCheckBox("Diagonal", self)
        self.sink.setToolTip("Show the column of the first token, on which many heads rest")
        self.diagonal.setToolTip("Show how much each token looks at itself")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        for widget in (self.scale, self.curve, self.sink, self.diagonal):
            layout.addWidget(widget)
        for box in (self.sink, self.diagonal):
            box.clicked.connect(self._edited)
        sight.shaded.connect(self._show)
        self._show()

    def _show(self) -> None:
        shading = self._sight.shading
        self.scale.setCurrentIndex(self.scale.findData(shading.scale))
        self.curve.setCurrentIndex(self.curve.findData(shading.curve))
        self.sink.setChecked(shading.sink)
        self.diagonal.setChecked(shading.diagonal)

    def _edited(self, *_: object) -> None:
        self._sight.shade(
            replace(
                self._sight.shading, scale=self.scale.currentData(), curve=self.curve.currentData(),
                sink=self.sink.isChecked(), diagonal=self.diagonal.isChecked(),
            )
        )  # fmt: skip


class MapPage(QWidget):
    """Signal: `wanted` (rows, columns) to be fetched exactly."""

    wanted = Signal(object, object)

    def __init__(self, sight: Sight, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sight = sight
        self.view = MapView("Map of one head", self)
        self.bar = ShadingBar(sight, self)
        self.title, self.reading_out = ElidedLabel(self), ElidedLabel(self)
        self.title.setProperty("tone", "strong")
        self.reading_out.setProperty("tone", "muted")
        self.part = QSpinBox(self)
        self.part.setPrefix("part ")
        self.part.setAccessibleName("Part")
        self.part.setToolTip("Which window of the picture, or which caption, is shown")
        self.part.hide()
        self._note = QLabel("", self)
        row = QHBoxLayout()
        row.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, 0)
        row.setSpacing(SPACE_M)
        row.addWidget(self.title)
        row.addWidget(self.part)
        row.addStretch(1)
        bar_row = QHBoxLayout()
        bar_row.setContentsMargins(SPACE_M, 0, SPACE_M, 0)
        bar_row.addWidget(self.bar)
        bar_row.addStretch(1)
        below = QHBoxLayout()
        below.setContentsMargins(SPACE_M, 0, SPACE_M, SPACE_S)
        below.addWidget(self.reading_out)
        below.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addLayout(row)
        layout.addLayout(bar_row)
        layout.addWidget(self.view, 1)
        layout.addLayout(below)
        self._note.hide()
        self.view.hovered.connect(lambda row, column: sight.point(row, column))
        self.view.picked.connect(self._pick)
        self.view.wanted.connect(self.wanted)
        self.part.valueChanged.connect(lambda value: sight.choose(sight.head, value - 1))
        sight.chose.connect(self._chose)
        sight.mapped.connect(self._mapped)
        sight.pointed.connect(self._pointed)
        sight.lined.connect(self._pointed)
        sight.shaded.connect(lambda: self.view.set_shading(sight.shading))
        sight.grew.connect(lambda: self.view.set_limit(sight.limit))
        self.view.set_shading(sight.shading)

    def take_patch(self, patch: Patch) -> None:
        """An exact rectangle came."""
        sight = self._sight
        if sight.overview is not None and (patch.key, patch.head) == (sight.overview.key, sight.head):
            self.view.take_patch(patch)

    def _chose(self) -> None:
        site, head = self._sight.site, self._sight.head
        if site is None or head is None:
            return
        method = {"sdpa": "", "explicit": "", "weights": " · weights from the model"}[site.method]
        shared = f", K and V of {site.kv_heads} groups" if site.kv_heads != site.heads else ""
        self.title.setText(f"{site.title}, head {head[1] + 1} of {site.heads}{shared}{method}")
        self.part.blockSignals(True)
        self.part.setRange(1, site.parts)
        self.part.setSuffix(f" of {site.parts}")
        self.part.setValue(self._sight.part + 1)
        self.part.setVisible(site.parts > 1)
        self.part.blockSignals(False)

    def _mapped(self) -> None:
        found, rows, columns = self._sight.map, self._sight.rows, self._sight.columns
        if found is None or rows is None or columns is None:
            return
        self.view.show_map(found.levels, found.shape, rows.words, columns.words, square=self._sight.square)
        self.view.set_limit(self._sight.limit)
        self._pointed()

    def _pick(self, row: int, column: int) -> None:
        same = self._sight.pinned and (row, column) == (self._sight.row, self._sight.column)
        self._sight.point(*((-1, -1) if same else (row, column)), pin=True)
        self._pointed()

    def _pointed(self) -> None:
        sight = self._sight
        self.view.mark(sight.row, sight.column, sight.pinned)
        self.reading_out.setText(self._words())

    def _words(self) -> str:
        sight, found = self._sight, self._sight.map
        rows, columns = sight.rows, sight.columns
        if found is None or rows is None or columns is None:
            return ""
        many = found.levels[0].factor > 1
        if sight.row < 0 and sight.column < 0:
            size = f"{found.shape[0]:,} × {found.shape[1]:,}"
            return f"{size}; every pixel is the largest of its cells. Wheel zooms to the exact ones." if many else size
        names = [
            f"“{reading.words[place]}” ({place + 1})" if 0 <= place < len(reading) else ""
            for reading, place in ((rows, sight.row), (columns, sight.column))
        ]
        if not all(names):
            return f"{names[0]} looks" if names[0] else f"{names[1]} is looked at"
        along = sight.along_row()
        number = self.view.value(sight.row, sight.column)
        if number is None and along is not None and sight.column < len(along):
            number = float(along[sight.column])
        return f"{names[0]} looks at {names[1]}: {_weight(number)}"


def _weight(number: float | None) -> str:
    """A weight in words; None is still to come."""
    if number is None:
        return "…"
    if number != number:
        return "nothing: the mask forbids it"
    return f"{number:.5f}" if number >= 1e-4 else f"{number:.2e}"
