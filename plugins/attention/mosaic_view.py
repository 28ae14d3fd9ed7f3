"""All heads of all layers as one picture: point to name one, click to look at it, right-click to switch it off."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent,
)  # fmt: skip
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolTip, QWidget

from studio.ui.theme import theme
from studio_plugins.attention import painting
from studio_plugins.attention.results import BY_EFFECT, STATISTICS, HeadKey, Strip
from studio_plugins.attention.sight import Sight

GAP, MARGIN, LABEL, LEAST, MOST = 2, 6, 26, 4, 72


class MosaicView(QWidget):
    """Draws the thumbnails of a Sight. `order`: "" as the model is built, else a statistic, largest first.

    Signal: `wanted_order` when nothing else than a statistic that is not here yet can sort.
    """

    hovered = Signal(str)

    def __init__(self, sight: Sight, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sight = sight
        self._order = ""
        self._places: dict[HeadKey, tuple[int, int]] = {}
        self._at: dict[tuple[int, int], HeadKey] = {}
        self._labels: list[str] = []
        self._pixels = np.zeros((1, 1), np.uint32)
        self._image = QImage()
        self._cell, self._columns, self._rows = LEAST, 1, 1
        self._hover: HeadKey | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 120)
        self.setAccessibleName("All heads")
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(40)
        self._later.timeout.connect(self._compose)
        sight.opened.connect(self.arrange)
        sight.filled.connect(self._fill)
        sight.counted.connect(self._counted)
        sight.chose.connect(self.update)
        sight.switched.connect(self.update)
        sight.shaded.connect(self._compose)
        theme().changed.connect(self._compose)

    def sizeHint(self) -> QSize:
        return QSize(300, 420)

    @property
    def order(self) -> str:
        return self._order

    def set_order(self, statistic: str) -> None:
        """Sort the heads."""
        self._order = statistic
        self.arrange()

    def place_of(self, head: HeadKey) -> QRect:
        """Where a head is on the widget."""
        row, column = self._places[head]
        step = self._cell + GAP
        return QRect(self._left + column * step, MARGIN + row * step, self._cell, self._cell)

    def head_at(self, at: QPointF) -> HeadKey | None:
        """The head under a point of the widget."""
        step = self._cell + GAP
        return self._at.get((int((at.y() - MARGIN) // step), int((at.x() - self._left) // step)))

    def sorted_heads(self) -> list[HeadKey]:
        """All heads in the order shown."""
        overview = self._sight.overview
        if overview is None:
            return []
        values = self._sight.statistics.get(self._order)
        if not values:
            return list(overview.heads)
        worth = {head: values.get(head, math.nan) for head in overview.heads}
        return sorted(overview.heads, key=lambda head: -math.inf if math.isnan(worth[head]) else worth[head], reverse=True)

    def arrange(self) -> None:
        """Give every head its place."""
        overview = self._sight.overview
        self._places, self._labels = {}, []
        if overview is not None and self._order and self._sight.statistics.get(self._order):
            heads = self.sorted_heads()
            most = max(site.heads for site in overview.sites)
            columns = max(most, math.ceil(math.sqrt(len(heads) * max(0.3, self.width() / max(1, self.height())))))
            self._places = {head: divmod(i, columns) for i, head in enumerate(heads)}
        elif overview is not None:
            several = len({site.tower for site in overview.sites}) > 1 or any(s.kind == "cross" for s in overview.sites)
            for row, site in enumerate(overview.sites):
                mark = "×" if site.kind == "cross" else site.tower[:1].upper() if several else ""
                self._labels.append(f"{mark}{site.layer + 1}")
                self._places |= {(site.name, head): (row, head) for head in range(site.heads)}
        self._at = {place: head for head, place in self._places.items()}
        self._rows = 1 + max((row for row, _ in self._places.values()), default=0)
        self._columns = 1 + max((column for _, column in self._places.values()), default=0)
        self._compose()

    @property
    def _left(self) -> int:
        return MARGIN + (LABEL if self._labels else 0)

    def _room(self) -> int:
        across = (self.width() - self._left - MARGIN) / self._columns
        down = (self.height() - 2 * MARGIN) / self._rows
        return max(LEAST, min(MOST, int(min(across, down)) - GAP))

    def _compose(self) -> None:
        """Draw all thumbnails into the one picture."""
        self._later.stop()
        self._cell = self._room()
        step = self._cell + GAP
        self._table = painting.table(painting.ground())
        paper = theme().color("sunken").rgb() & 0xFFFFFFFF
        self._pixels = np.full((self._rows * step, self._columns * step), paper, np.uint32)
        for head in self._places:
            self._stamp(head)
        self._show()

    def _stamp(self, head: HeadKey) -> None:
        values, (row, column) = self._sight.thumbnails.get(head), self._places[head]
        step, overview = self._cell + GAP, self._sight.overview
        box = self._pixels[row * step : row * step + self._cell, column * step : column * step + self._cell]
        if values is None or overview is None:
            box[:] = theme().color("hover").rgb() & 0xFFFFFFFF
            return
        site, shading = overview.site(head[0]), self._sight.shading
        factor = -(-max(site.queries, site.keys) // max(values.shape))
        seen = painting.shown(values.astype(np.float32), shading, factor=factor, square=site.kind != "cross")
        top = painting.tops(seen, shading)
        # Rows are scaled before cells fall together, so that the brightest of each row is seen.
        share = painting.fitted(seen / top, *box.shape)
        box[:] = self._table[painting.indices(share, shading, np.ones((1, 1), np.float32))]

    def _fill(self, strip: Strip) -> None:
        for head in ((strip.site, strip.first + i) for i in range(len(strip.maps))):
            if head in self._places:
                self._stamp(head)
        self._show()

    def _show(self) -> None:
        height, width = self._pixels.shape
        self._image = QImage(self._pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        self.setAccessibleDescription(f"{len(self._places)} heads")
        self.update()

    def _counted(self) -> None:
        if self._order:
            self.arrange()

    # --- events ---

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._room() != self._cell:
            self._later.start()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, colours, sight = QPainter(self), theme(), self._sight
        painter.fillRect(self.rect(), colours.color("sunken"))
        if not self._places:
            return
        painter.drawImage(self._left, MARGIN, self._image)
        if self._labels and self._cell >= 9:
            painter.setPen(colours.color("faint"))
            font = painter.font()
            font.setPixelSize(min(11, max(8, self._cell)))
            painter.setFont(font)
            step = self._cell + GAP
            for row, label in enumerate(self._labels):
                painter.drawText(QRect(0, MARGIN + row * step, LABEL, self._cell), Qt.AlignmentFlag.AlignCenter, label)
        for head in sight.off:
            if head in self._places:
                box = QRectF(self.place_of(head)).adjusted(1, 1, -1, -1)
                painter.fillRect(box, QPen(colours.color("error_soft")).color())
                painter.setPen(QPen(colours.color("error"), 2 if self._cell > 12 else 1))
                painter.drawLine(box.topLeft(), box.bottomRight())
                painter.drawLine(box.topRight(), box.bottomLeft())
        for head, token, width in ((self._hover, "border_strong", 1), (sight.head, "accent", 2)):
            if head is not None and head in self._places:
                painter.setPen(QPen(colours.color(token), width))
                painter.drawRect(self.place_of(head).adjusted(-1, -1, 0, 0))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        head = self.head_at(event.position())
        if head != self._hover:
            self._hover = head
            self.update()
        text = self.describe(head) if head is not None else ""
        self.hovered.emit(text)
        QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover = None
        self.hovered.emit("")
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        head = self.head_at(event.position())
        if head is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if event.modifiers() & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier):
            self._sight.switch(head)
        else:
            self._sight.choose(head)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        head = self.head_at(QPointF(event.pos())) or self._sight.head
        overview = self._sight.overview
        if head is None or overview is None:
            return
        layer = frozenset((head[0], i) for i in range(overview.site(head[0]).heads))
        off = self._sight.off
        menu = QMenu(self)
        menu.addAction("Switch on again" if head in off else "Switch off\tSpace", lambda: self._sight.switch(head))
        menu.addAction("Switch all of this layer off", lambda: self._sight.set_off(off | layer))
        menu.addAction("Switch all others of this layer off", lambda: self._sight.set_off(off | (layer - {head})))
        if off:
            menu.addAction("Switch all on", lambda: self._sight.set_off(frozenset()))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        moves = {
            Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0),
        }  # fmt: skip
        head, move = self._sight.head, moves.get(Qt.Key(event.key()))
        if head in self._places and move is not None:
            row, column = self._places[head]
            found = self._at.get((row + move[0], column + move[1]))
            if found is not None:
                self._sight.choose(found)
        elif head is not None and event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Delete):
            self._sight.switch(head)
        else:
            super().keyPressEvent(event)

    def describe(self, head: HeadKey) -> str:
        """A head in words, with the statistic that sorts."""
        overview = self._sight.overview
        if overview is None:
            return ""
        text = f"{overview.site(head[0]).title}, head {head[1] + 1}"
        if self._order:
            title = BY_EFFECT[1] if self._order == BY_EFFECT[0] else STATISTICS[self._order][0]
            value = self._sight.statistics.get(self._order, {}).get(head, math.nan)
            text += f"\n{title}: {'not defined here' if math.isnan(value) else f'{value:.3g}'}"
        return f"{text}{' (switched off)' if head in self._sight.off else ''}"
