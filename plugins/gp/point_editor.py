"""The chosen point in numbers: where it is, what was seen, how much it is trusted; each can be typed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QWidget

from studio.ui.tokens import SPACE_S
from studio_plugins.gp.document import Scene
from studio_plugins.gp.number_edit import NumberEdit


class PointEditor(QFrame):
    """Shown while one point is chosen. Signals: `placed` (index, inputs, y, merge key), `trusted` (index, noise in all)."""

    placed = Signal(int, object, float, str)
    trusted = Signal(int, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "card")
        self._scene = Scene()
        self._index = -1
        self._title = QLabel(self)
        self._title.setProperty("tone", "muted")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
        self._grid.setHorizontalSpacing(SPACE_S)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(0, 1)
        self._grid.addWidget(self._title, 0, 0, 1, 2)
        self.edits: list[NumberEdit] = []
        self._labels: list[QLabel] = []
        for name, tip, least in (
            ("x", "Where it lies.", None), ("x2", "Where it lies along the second input.", None),
            ("y", "What was seen there.", None),
            ("noise", "Standard deviation of its noise in all; at least the common σ stays.", 0.0),
        ):  # fmt: skip
            edit = NumberEdit(f"{name} of the chosen point", tip, self, least=least)
            edit.setFixedWidth(110)
            label = QLabel(self)
            label.setBuddy(edit)
            self._grid.addWidget(label, 1 + len(self.edits), 0)
            self._grid.addWidget(edit, 1 + len(self.edits), 1)
            self.edits.append(edit)
            self._labels.append(label)
        for edit in self.edits[:3]:
            edit.edited.connect(lambda _value, small: self._place(small))
        self.edits[3].edited.connect(lambda value, _small: self.trusted.emit(self._index, value))
        self.hide()

    def show_scene(self, scene: Scene, chosen: Sequence[int]) -> None:
        """The point of this scene that is chosen, if it is one; says nothing."""
        self._scene = scene
        self._index = chosen[0] if len(chosen) == 1 and chosen[0] < len(scene.points) else -1
        self.setVisible(self._index >= 0)
        if self._index < 0:
            return
        points = scene.points
        place = points.x[self._index].tolist()
        values = (place[0], place[-1], float(points.y[self._index]), float(points.noise(scene.noise)[self._index]))
        names = (scene.axes[0], scene.axes[-2] if points.inputs == 2 else "", scene.axes[-1], "noise (1σ)")
        shown = (True, points.inputs == 2, True, scene.likelihood == "gaussian")
        for edit, label, value, name, visible in zip(self.edits, self._labels, values, names, shown, strict=True):
            edit.set_value(value)
            label.setText(name)
            edit.setVisible(visible)
            label.setVisible(visible)
        self._title.setText(f"Point {self._index + 1}")

    def _place(self, small: bool) -> None:
        inputs = self._scene.points.inputs
        place = tuple(edit.value() for edit in self.edits[:inputs])
        self.placed.emit(self._index, place, self.edits[2].value(), f"point {self._index}" if small else "")
