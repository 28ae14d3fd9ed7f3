"""The words of the prompt as chips, each with its share of the attention; one is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QToolTip, QWidget

from studio.ui.theme import theme
from studio.ui.tokens import RADIUS, SPACE_S
from studio_plugins.tokens.painting import percent

HEIGHT, PAD, GAP, BAR, MOST_ROWS = 28, 9, 6, 3, 3
_TIPS = {
    -2: "All positions behind the prompt, as one: the network learned what stands there and looks at it a lot",
    -1: "What the picture's pixels give to each other; it is what the text does not get",
}


class Chips(QWidget):
    """Rows of `set_entries`: tokens, then padding and picture (set apart). `chosen` fires when a person picks one.

    The bar in a chip is its share: of a token measured by the largest one, of padding and picture by the whole. Left
    and Right move the choice.
    """

    chosen = Signal(int)
    grown = Signal(int)  # the height it needs, in pixels

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: tuple[str, ...] = ()
        self._shares: list[float] = []
        self._places: list[QRect] = []
        self._current = 0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Words of the prompt")
        theme().changed.connect(self.update)

    def set_entries(self, names: Sequence[str], shares: Sequence[float]) -> None:
        """Show these; the last two are padding and picture."""
        again = tuple(names) == self._names
        self._names, self._shares = tuple(names), [float(share) for share in shares]
        self._current = min(self._current, max(0, len(names) - 1))
        if not again:
            self._arrange()
        self._describe()
        self.update()

    @property
    def current(self) -> int:
        """The row chosen."""
        return self._current

    def choose(self, index: int) -> None:
        """Choose a row; `chosen` fires when that changes something."""
        if 0 <= index < len(self._names) and index != self._current:
            self._current = index
            self._describe()
            self.update()
            self.chosen.emit(index)

    def place(self, index: int) -> QRect:
        """Where a chip is."""
        return self._places[index]

    def text(self, index: int) -> str:
        """What a chip says."""
        return f"{self._names[index]}  {percent(self._shares[index])}"

    def at(self, point: QPoint) -> int:
        """The row under a point, or -1."""
        return next((i for i, place in enumerate(self._places) if place.contains(point)), -1)

    # -- geometry --

    def _arrange(self) -> None:
        """Chips from left to right, as many lines as it takes; room for the widest number, so that nothing jumps."""
        metrics, x, y = self.fontMetrics(), 0, 0
        number = metrics.horizontalAdvance("100.0 %")
        self._places = []
        for i, name in enumerate(self._names):
            apart = 2 * GAP if i == len(self._names) - 2 and i else 0
            width = min(metrics.horizontalAdvance(name) + number + 2 * PAD + SPACE_S, max(80, self.width()))
            if x and x + apart + width > self.width():
                x, y, apart = 0, y + HEIGHT + GAP, 0
            self._places.append(QRect(x + apart, y, width, HEIGHT))
            x += apart + width + GAP
        height = (self._places[-1].bottom() + 1) if self._places else HEIGHT
        self.setFixedHeight(height)
        self.grown.emit(height)

    def resizeEvent(self, event: QResizeEvent) -> None:
        if event.size().width() != event.oldSize().width():
            self._arrange()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._arrange()

    def sizeHint(self) -> QSize:
        return QSize(320, self.minimumHeight())

    # -- drawing --

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        largest = max(self._shares[:-2], default=0.0) or 1.0
        for i in range(len(self._places)):
            self._draw(painter, i, self._shares[i] / (largest if i < len(self._places) - 2 else 1.0))

    def _draw(self, painter: QPainter, index: int, share: float) -> None:
        colours, place, chosen = theme(), self._places[index], index == self._current
        edge = "focus" if chosen and self.hasFocus() else "accent" if chosen else "border_strong"
        painter.setPen(QPen(colours.color(edge), 2 if chosen else 1))
        painter.setBrush(colours.color("accent_soft" if chosen else "raised"))
        painter.drawRoundedRect(QRectF(place).adjusted(1, 1, -1, -1), RADIUS, RADIUS)
        inside = place.adjusted(PAD, 0, -PAD, -BAR)
        number, middle = percent(self._shares[index]), Qt.AlignmentFlag.AlignVCenter
        width = self.fontMetrics().horizontalAdvance(number)
        painter.setPen(colours.color("muted"))
        painter.drawText(inside, Qt.AlignmentFlag.AlignRight | middle, number)
        words = inside.adjusted(0, 0, -width - SPACE_S, 0)
        painter.setPen(colours.color("text" if index < len(self._places) - 2 else "muted"))
        font = painter.font()
        font.setItalic(index >= len(self._places) - 2)
        painter.setFont(font)
        name = painter.fontMetrics().elidedText(self._names[index], Qt.TextElideMode.ElideRight, words.width())
        painter.drawText(words, Qt.AlignmentFlag.AlignLeft | middle, name)
        font.setItalic(False)
        painter.setFont(font)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.color(row_colour(index, len(self._places))))
        painter.drawRect(QRectF(place.left() + PAD, place.bottom() - BAR - 2, (place.width() - 2 * PAD) * share, BAR))

    # -- input --

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.choose(self.at(event.position().toPoint()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.choose(self._current + step)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            index = self.at(event.pos())
            tip = _TIPS.get(index - len(self._names), "Share of all attention that goes to this token")
            QToolTip.showText(event.globalPos(), tip if index >= 0 else "", self)
            return True
        return super().event(event)

    def _describe(self) -> None:
        if self._names:
            self.setAccessibleDescription(f"{self.text(self._current)}, {self._current + 1} of {len(self._names)}")


class ChipRows(QScrollArea):
    """Chips that take up to `MOST_ROWS` rows and scroll beyond; the chosen one stays in view."""

    def __init__(self, chips: Chips, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chips = chips
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setAutoFillBackground(False)
        self.setWidgetResizable(True)
        self.setWidget(chips)
        chips.grown.connect(self._fit)
        chips.chosen.connect(self._reveal)
        self._fit(chips.height())

    def _fit(self, height: int) -> None:
        self.setFixedHeight(min(height, MOST_ROWS * (HEIGHT + GAP) - GAP))

    def _reveal(self, index: int) -> None:
        centre = self._chips.place(index).center()
        self.ensureVisible(centre.x(), centre.y(), 0, HEIGHT)


def row_colour(row: int, count: int) -> str:
    """The theme's colour of a row: tokens, padding and picture are told apart everywhere in the same way."""
    return "series.7" if row == count - 1 else "series.1" if row == count - 2 else "series.0"
