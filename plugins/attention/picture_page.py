"""The picture the model sees, with attention laid over its patches; point at a patch to see where that one looks."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QSlider, QVBoxLayout, QWidget

from studio.ml.attention.values import Reading
from studio.ui.heat import paint
from studio.ui.pictures import to_qimage
from studio.ui.theme import theme
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.attention.painting import fitted
from studio_plugins.attention.results import Array, Pixels, Side, Sides
from studio_plugins.attention.sight import Sight

SOURCES = {"head": "This head", "rollout": "Rollout to this layer", "relevancy": "Relevancy of the answer", "norm": "Norm-weighted head"}


class PatchView(QWidget):
    """A picture divided into patches. Signals: `hovered`, `picked` (patch, -1 beside the picture)."""

    hovered = Signal(int)
    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picture = QImage()
        self._grid = (1, 1)
        self._patch = -1
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 160)
        self.setAccessibleName("Picture with attention")
        theme().changed.connect(self.update)

    def show_picture(self, picture: Pixels, grid: tuple[int, int], patch: int) -> None:
        self._picture, self._grid, self._patch = to_qimage(picture), grid, patch
        self.update()

    def _box(self) -> QRectF:
        height, width = self._picture.height(), self._picture.width()
        scale = min((self.width() - 16) / max(1, width), (self.height() - 16) / max(1, height))
        return QRectF((self.width() - width * scale) / 2, (self.height() - height * scale) / 2, width * scale, height * scale)

    def patch_at(self, at: QPointF) -> int:
        """The patch under a point, -1 for none."""
        box, (rows, columns) = self._box(), self._grid
        if self._picture.isNull() or not box.contains(at):
            return -1
        row, column = int((at.y() - box.top()) / box.height() * rows), int((at.x() - box.left()) / box.width() * columns)
        return min(row, rows - 1) * columns + min(column, columns - 1)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().color("sunken"))
        if self._picture.isNull():
            return
        box, (rows, columns) = self._box(), self._grid
        painter.drawImage(box, self._picture)
        line = QColor("#ffffff")
        line.setAlphaF(0.16)
        painter.setPen(QPen(line, 1))
        across, down = box.width() / columns, box.height() / rows
        for x in (box.left() + i * across for i in range(1, columns)):
            painter.drawLine(QPointF(x, box.top()), QPointF(x, box.bottom()))
        for y in (box.top() + i * down for i in range(1, rows)):
            painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
        if self._patch >= 0:
            row, column = divmod(self._patch, columns)
            spot = QRectF(box.left() + column * across, box.top() + row * down, across, down)
            for colour, width in (("raised", 4), ("accent", 2)):
                painter.setPen(QPen(theme().color(colour), width))
                painter.drawRect(spot)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.hovered.emit(self.patch_at(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.picked.emit(self.patch_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.hovered.emit(-1)


class PicturePage(QWidget):
    """Signal: `asked`: a map other than the head's is wanted."""

    asked = Signal()

    def __init__(self, sight: Sight, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sight = sight
        self._sides: dict[str, Side] = {}
        self.plain, self.view = PatchView(self), PatchView(self)
        self.source = QComboBox(self)
        self.source.setAccessibleName("What is laid over the picture")
        for name, title in SOURCES.items():
            self.source.addItem(title, name)
        self.source.activated.connect(self._chosen)
        self.strength = QSlider(Qt.Orientation.Horizontal, self)
        self.strength.setRange(0, 100)
        self.strength.setValue(70)
        self.strength.setFixedWidth(120)
        self.strength.setAccessibleName("Strength")
        self.strength.setToolTip("How strongly the map covers the picture")
        self.strength.valueChanged.connect(lambda _value: self.refresh())
        self.said = QLabel("", self)
        self.said.setWordWrap(True)
        row = QHBoxLayout()
        for widget in (self.source, QLabel("strength", self), self.strength):
            row.addWidget(widget)
        row.addStretch(1)
        pictures = QHBoxLayout()
        pictures.addWidget(self.plain, 1)
        pictures.addWidget(self.view, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        layout.addLayout(row)
        layout.addLayout(pictures, 1)
        layout.addWidget(self.said)
        for view in (self.plain, self.view):
            view.hovered.connect(lambda patch: self._point(patch))
            view.picked.connect(lambda patch: self._point(patch, pin=True))
        for signal in (sight.chose, sight.mapped, sight.pointed, sight.lined, sight.shaded):
            signal.connect(self.refresh)
        sight.opened.connect(self._sides.clear)

    @property
    def wants_sides(self) -> bool:
        """Whether something else than the head itself is shown."""
        return self.source.currentData() != "head"

    def show_sides(self, sides: Sides) -> None:
        """Other maps came."""
        self._sides = {side.name: side for side in sides.sides}
        self.refresh()

    def _chosen(self, _at: int) -> None:
        if self.wants_sides and not self._sides:
            self.asked.emit()
        self.refresh()

    def _point(self, patch: int, *, pin: bool = False) -> None:
        rows = self._sight.rows
        if rows is not None and rows.grid is not None:
            self._sight.point(rows.first + patch if patch >= 0 else -1, -1, pin=pin)

    def _weights(self) -> tuple[Array | None, str]:
        """[T_k] of the token pointed at, or of the first (the class token), and whose they are."""
        sight, rows = self._sight, self._sight.rows
        if rows is None:
            return None, ""
        row = sight.row if 0 <= sight.row < len(rows) else 0
        name = self.source.currentData()
        patch = row - rows.first if rows.grid is not None else -1
        whose = f"“{rows.words[row]}”"
        if patch >= 0 and rows.grid is not None:
            whose = f"row {patch // rows.grid[1] + 1}, column {patch % rows.grid[1] + 1}"
        if name == "head":
            values = sight.values()
            return (values[row] if values is not None else sight.along_row()), whose
        side = self._sides.get(name)
        if side is None:
            return None, "…"
        return (side.map[row], whose) if side.map is not None else (None, side.why)

    def _place(self) -> Reading | None:
        columns = self._sight.columns
        return columns if columns is not None and columns.grid is not None else None

    def painted(self) -> tuple[Pixels, str] | None:
        """The picture with what is looked at laid over it, and a sentence on it; None where there is none."""
        overview, columns = self._sight.overview, self._place()
        if overview is None or overview.picture is None or columns is None or columns.grid is None:
            return None
        weights, whose = self._weights()
        if weights is None:
            return overview.picture, whose
        grid = np.nan_to_num(weights[columns.first : columns.first + columns.grid[0] * columns.grid[1]]).reshape(columns.grid)
        height, width = overview.picture.shape[:2]
        large = fitted(grid, height, width)
        top = float(grid.max()) or 1.0
        heat = paint(np.sqrt(np.clip(large, 0, None) / top), 1.0).astype(np.float32)
        cover = self.strength.value() / 100
        mixed = overview.picture.astype(np.float32) * (1 - cover) + heat * cover
        rest = 1 - float(grid.sum())
        told = f"Where {whose} looks: {100 * float(grid.max()):.1f} % on the brightest patch"
        told += f", {100 * rest:.1f} % on other tokens." if self.source.currentData() == "head" else "."
        return np.clip(np.rint(mixed), 0, 255).astype(np.uint8), told

    def refresh(self) -> None:
        """Show what is looked at."""
        found, columns, overview = self.painted(), self._place(), self._sight.overview
        if found is None or columns is None or columns.grid is None or overview is None or overview.picture is None:
            self.said.setText("This head does not look at a picture. Choose one that does on the left.")
            if overview is not None and overview.picture is not None:
                for view in (self.plain, self.view):
                    view.show_picture(overview.picture, (1, 1), -1)
            return
        rows = self._sight.rows
        patch = self._sight.row - rows.first if rows is not None and rows.grid is not None and self._sight.row >= 0 else -1
        size = max(1, 512 // max(overview.picture.shape[:2]))
        big = [np.repeat(np.repeat(picture, size, 0), size, 1) for picture in (overview.picture, found[0])]
        self.plain.show_picture(big[0], columns.grid, patch)
        self.view.show_picture(big[1], columns.grid, patch)
        self.said.setText(f"{found[1]} Point at a patch to see where that one looks; otherwise it is the first token.")
