"""How a result looks in the History list: a thumbnail, its caption, when, a star."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from studio.host.results import ResultRecord
from studio.ui.history_model import RECORD, THUMBNAIL, caption_of, when
from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX

_PAD, _LINES = 6, 36
_WIDEST = 168


class ResultDelegate(QStyledItemDelegate):
    """Draws one cell; its width follows the view."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.cell = 128  # pixels; follows the width of the view

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(self.cell, self.cell + _LINES)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        record: ResultRecord = index.data(RECORD)
        colours = theme()
        style: Any = option
        rect: QRect = style.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        selected = bool(style.state & QStyle.StateFlag.State_Selected)
        hovered = bool(style.state & QStyle.StateFlag.State_MouseOver)
        card = QRectF(rect).adjusted(3, 3, -3, -3)
        if selected or hovered:
            painter.setPen(QPen(colours.color("accent"), 1.5) if selected else Qt.PenStyle.NoPen)
            painter.setBrush(colours.color("accent_soft" if selected else "hover"))
            painter.drawRoundedRect(card, 8, 8)
        room = QRectF(card.left() + _PAD, card.top() + _PAD, card.width() - 2 * _PAD, card.width() - 2 * _PAD)
        self._draw_thumbnail(painter, index.data(THUMBNAIL), record, room)
        font = painter.font()
        font.setPixelSize(FONT_PX["small"])
        painter.setFont(font)
        metrics = painter.fontMetrics()
        line = QRectF(room.left(), room.bottom() + 4, room.width(), metrics.height())
        painter.setPen(colours.color("text"))
        caption = metrics.elidedText(caption_of(record).replace("\n", " "), Qt.TextElideMode.ElideRight, int(line.width()))
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, caption)
        painter.setPen(colours.color("faint"))
        line.translate(0, metrics.height() + 1)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, when(record.created))
        if record.starred:
            star = colours.icon("star-filled", "warning").pixmap(16, 16)
            painter.drawPixmap(int(room.right() - 15), int(line.top() - 1), star)
        painter.restore()

    def _draw_thumbnail(self, painter: QPainter, image: QImage | None, record: ResultRecord, room: QRectF) -> None:
        colours = theme()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.color("sunken"))
        painter.drawRoundedRect(room, 4, 4)
        if image is None:
            side = 28
            picture = colours.icon("image" if record.files else "panel", "border_strong").pixmap(side, side)
            painter.drawPixmap(int(room.center().x() - side / 2), int(room.center().y() - side / 2), picture)
            return
        size = image.size().scaled(room.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
        target = QRectF(0, 0, size.width(), size.height())
        target.moveCenter(room.center())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, image.width() > target.width())
        painter.drawImage(target, image, QRectF(image.rect()))


class ResultList(QListView):
    """A wall of results, as many columns as fit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._delegate = ResultDelegate(self)
        self.setItemDelegate(self._delegate)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setDragEnabled(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setAccessibleName("Results")
        theme().changed.connect(self.viewport().update)

    def resizeEvent(self, event: QResizeEvent) -> None:
        # Qt's layout always keeps room for the scroll bar; a column that needs it would wrap to the next row.
        room = self.maximumViewportSize().width() - self.verticalScrollBar().sizeHint().width() - 8
        columns = max(2, round(room / _WIDEST + 0.3))
        cell = max(72, room // columns)
        self._delegate.cell = cell
        self.setGridSize(QSize(cell, cell + _LINES))
        super().resizeEvent(event)
