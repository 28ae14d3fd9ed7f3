"""The stage: one picture, a batch or a labelled sweep, enlarged without blur; click to look at one alone."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QFont, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from studio.ui.theme import theme
from studio_plugins.generate.grid import GridLabels, Pixels
from studio_plugins.generate.picture_layout import HEADING, PictureLayout, lay_out

MARGIN = 20


class PictureGrid(QWidget):
    """Shows [N, H, W, 3] uint8. Arrows choose a picture, Enter or a click shows it alone, Esc or a click goes back.

    A cell without a picture yet (`filled` False) is an empty frame.
    """

    current_changed = Signal(int)
    drag_started = Signal(int)
    menu_requested = Signal(int, QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("Pictures")
        self._pictures: Pixels = np.zeros((0, 1, 1, 3), np.uint8)
        self._images: list[QImage] = []
        self._filled: tuple[bool, ...] = ()
        self._captions: tuple[str, ...] = ()
        self._labels: GridLabels | None = None
        self._alone = False
        self._current = 0
        self._hover: int | None = None
        self._pressed: QPointF | None = None
        self._note = ""
        theme().changed.connect(self.update)

    @property
    def pictures(self) -> Pixels:
        """What is shown, [N, H, W, 3]."""
        return self._pictures

    @property
    def current(self) -> int:
        """The picture chosen last, 0 at first."""
        return self._current

    @property
    def alone(self) -> bool:
        """Whether the chosen picture is shown by itself."""
        return self._alone

    @property
    def labels(self) -> GridLabels | None:
        return self._labels

    def show_pictures(
        self,
        pictures: Pixels,
        captions: tuple[str, ...] = (),
        labels: GridLabels | None = None,
        filled: tuple[bool, ...] = (),
    ) -> None:
        """Show these; the choice and the enlarged view stay where the number of pictures does."""
        if len(pictures) != len(self._pictures):
            self._alone, self._current, self._hover = False, 0, None
        self._pictures = np.ascontiguousarray(pictures)
        height, width = pictures.shape[1:3]
        self._images = [
            QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888) for picture in self._pictures
        ]
        self._captions = captions if len(captions) == len(pictures) else ()
        self._labels = labels
        self._filled = filled if len(filled) == len(pictures) else (True,) * len(pictures)
        self.setAccessibleDescription(f"{len(pictures)} pictures, {self._caption(self._current)} chosen")
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self.show_pictures(np.zeros((0, 1, 1, 3), np.uint8))

    def set_note(self, text: str) -> None:
        """One quiet line at the lower edge, such as which step is shown."""
        if text != self._note:
            self._note = text
            self.update()

    def choose(self, index: int, alone: bool | None = None) -> None:
        """Make one picture the chosen one; `alone` shows it by itself or goes back to all."""
        if not self._images:
            return
        index = max(0, min(index, len(self._images) - 1))
        changed = index != self._current
        self._current = index
        if alone is not None:
            self._alone = alone and len(self._images) > 1
        self.setAccessibleDescription(f"{len(self._images)} pictures, {self._caption(index)} chosen")
        self.update()
        if changed:
            self.current_changed.emit(index)

    def picture(self, index: int) -> QImage:
        """A copy of one picture at its own size."""
        return self._images[index].copy()

    def sizeHint(self) -> QSize:
        return QSize(560, 480)

    def layout_now(self) -> PictureLayout:
        """Where everything stands in the present size."""
        area = QRectF(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN - (HEADING if self._note else 0))
        height, width = self._pictures.shape[1:3]
        if self._alone:
            return lay_out(1, (width, height), area, self.devicePixelRatioF(), captions=True)
        return lay_out(
            len(self._images),
            (width, height),
            area,
            self.devicePixelRatioF(),
            captions=bool(self._captions),
            labels=self._labels,
            row_width=self._row_width(),
        )

    def _row_width(self) -> float:
        if self._labels is None or not self._labels.rows:
            return 0.0
        metrics = self.fontMetrics()
        widest = max(metrics.horizontalAdvance(text) for text in (*self._labels.rows, self._labels.row_title))
        return min(widest + 16.0, self.width() / 4)

    def _caption(self, index: int) -> str:
        return self._captions[index] if index < len(self._captions) else f"picture {index + 1}"

    def _at(self, point: QPointF) -> int | None:
        found = self.layout_now().at(point.x(), point.y())
        return self._current if found is not None and self._alone else found

    # --- painting ---

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().color("window"))
        layout = self.layout_now()
        for i, cell in enumerate(layout.cells):
            index = self._current if self._alone else i
            self._paint_picture(painter, cell, index)
            caption = self._caption(index) if self._alone else (self._captions[i] if self._captions else "")
            if caption:
                below = QRectF(cell.x() - 4, cell.bottom() + 2, cell.width() + 8, 18)
                self._text(painter, below, caption, "muted", Qt.AlignmentFlag.AlignHCenter, small=True)
        if self._labels is not None and not self._alone:
            self._paint_labels(painter, layout, self._labels)
        if self._note:
            strip = QRectF(0, self.height() - HEADING - 4, self.width(), HEADING)
            self._text(painter, strip, self._note, "muted", Qt.AlignmentFlag.AlignHCenter)
        painter.end()

    def _paint_picture(self, painter: QPainter, cell: QRectF, index: int) -> None:
        image = self._images[index]
        if self._filled[index]:
            # Enlarging must keep every picture pixel a sharp square; only shrinking is smoothed.
            shrinking = cell.width() * self.devicePixelRatioF() < image.width()
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, shrinking)
            painter.drawImage(cell, image)
        chosen = index == self._current and len(self._images) > 1 and not self._alone
        token = "accent" if chosen and self.hasFocus() else "border_strong" if index == self._hover or chosen else "border"
        painter.setPen(QPen(QColor(theme().color(token)), 2 if chosen else 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(cell.adjusted(-1, -1, 1, 1))

    def _paint_labels(self, painter: QPainter, layout: PictureLayout, labels: GridLabels) -> None:
        center, right = Qt.AlignmentFlag.AlignHCenter, Qt.AlignmentFlag.AlignRight
        for place, text in zip(layout.column_headings, labels.columns, strict=False):
            self._text(painter, place, text, "text", center)
        for place, text in zip(layout.row_headings, labels.rows, strict=False):
            self._text(painter, place, text, "text", right)
        if layout.column_headings:
            first, last = layout.column_headings[0], layout.column_headings[-1]
            over = QRectF(first.x(), first.y() - HEADING, last.right() - first.x(), HEADING)
            self._text(painter, over, labels.column_title, "muted", center)
            if labels.rows:
                corner = QRectF(layout.row_headings[0].x(), first.y(), layout.row_headings[0].width(), HEADING)
                self._text(painter, corner, labels.row_title, "muted", right)

    def _text(
        self, painter: QPainter, place: QRectF, text: str, token: str, align: Qt.AlignmentFlag, *, small: bool = False
    ) -> None:
        font = QFont(self.font())
        if small:
            font.setPixelSize(max(9, font.pixelSize() - 2))
        painter.setFont(font)
        painter.setPen(theme().color(token))
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(place.width()))
        painter.drawText(place, align | Qt.AlignmentFlag.AlignVCenter, shown)

    # --- mouse and keyboard ---

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.position()
            at = self._at(event.position())
            if at is not None:
                self.choose(at)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at != self._hover:
            self._hover = at
            self.setCursor(Qt.CursorShape.PointingHandCursor if at is not None else Qt.CursorShape.ArrowCursor)
            self.setToolTip("" if at is None else self._tip(at))
            self.update()
        if self._pressed is None or not event.buttons() & Qt.MouseButton.LeftButton or at is None:
            return
        if (event.position() - self._pressed).manhattanLength() >= QApplication.startDragDistance():
            self._pressed = None
            self.drag_started.emit(self._current)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._pressed is not None and event.button() == Qt.MouseButton.LeftButton:
            if self._at(event.position()) is not None:
                self.choose(self._current, alone=not self._alone)
            elif self._alone:
                self.choose(self._current, alone=False)
        self._pressed = None

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        at = self._current if by_key else self._at(QPointF(event.pos()))
        if at is not None and self._images:
            self.choose(at)
            self.menu_requested.emit(at, event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        cells = self.layout_now().cells
        columns = 1 if self._alone else max(1, sum(cell.y() == cells[0].y() for cell in cells) if cells else 1)
        moves = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -columns,
            Qt.Key.Key_Down: columns,
        }
        move = moves.get(Qt.Key(event.key()))
        if move is not None and self._images:
            self.choose(self._current + move)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and not event.modifiers():
            self.choose(self._current, alone=not self._alone)
        elif event.key() == Qt.Key.Key_Escape and self._alone:
            self.choose(self._current, alone=False)
        else:
            super().keyPressEvent(event)

    def _tip(self, index: int) -> str:
        more = "Click to enlarge, " if len(self._images) > 1 and not self._alone else ""
        return f"{self._caption(index)}. {more}drag to copy it elsewhere, right-click for more."

    def picture_rect(self, index: int) -> QRect:
        """Where a picture is now, in widget coordinates (for tests and accessibility)."""
        cells = self.layout_now().cells
        return cells[0 if self._alone else index].toRect()
