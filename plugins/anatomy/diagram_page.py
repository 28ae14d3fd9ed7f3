"""The layer as it really runs: its modules and the products between them; click a part for its formula."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QWidget

from studio.ml.anatomy.tracing import Diagram, Part
from studio.ui.theme import theme
from studio_plugins.anatomy.diagram_layout import Place, layout
from studio_plugins.anatomy.sheet import Sheet, tinted
from studio_plugins.anatomy.words import big, parameters_words, shape_words

WIDTH, HEIGHT = 168.0, 36.0
ACROSS, DOWN, MARGIN = 182.0, 50.0, 14.0
COLOURS = {"attention": "series.0", "cross-attention": "series.2", "feed-forward": "series.1"}
LEGEND = (
    ("■", "series.0", "attention"),
    ("■", "series.1", "feed-forward"),
    ("■", "series.2", "cross-attention"),
    ("■", "muted", "norms and sums"),
)


class DiagramPage(Sheet):
    """Signal: `chosen` (index of a part, −1 none)."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._diagram: Diagram | None = None
        self._places: tuple[Place, ...] = ()
        self._boxes: list[QRectF] = []
        self.choice = -1
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.setAccessibleName("Diagram of one layer. Arrow keys go from part to part")

    def show_diagram(self, diagram: Diagram | None) -> None:
        """Another layer, or none. The choice stays where the parts are the same."""
        before = [part.name for part in self._diagram.parts] if self._diagram else []
        self._diagram = diagram
        self._places = layout(diagram) if diagram is not None else ()
        if diagram is None or before != [part.name for part in diagram.parts]:
            self.choice = -1
        self.redraw()

    def part(self) -> Part | None:
        """The chosen part."""
        known = self._diagram is not None and 0 <= self.choice < len(self._diagram.parts)
        return self._diagram.parts[self.choice] if known and self._diagram is not None else None

    def choose(self, index: int) -> None:
        """Choose a part; −1 none."""
        if index != self.choice:
            self.choice = index
            self.redraw()
            if 0 <= index < len(self._boxes):
                self.ensureVisible(self._boxes[index].adjusted(-10, -30, 10, 30))
            self.chosen.emit(index)

    def centre(self, index: int) -> QPointF:
        """Where a part is, in pixels of the viewport."""
        return QPointF(self.mapFromScene(self._boxes[index].center()))

    # --- drawing ---

    def draw(self, width: float) -> tuple[float, float]:
        self._boxes = []
        if self._diagram is None:
            return width, 0.0
        columns = [place.column for place in self._places]
        left, right = min(columns), max(columns)
        needed = (right - left) * ACROSS + WIDTH + 2 * MARGIN + 16
        used = max(width - 2, needed)
        middle = used / 2 - (left + right) / 2 * ACROSS + 8
        for place in self._places:
            x, y = middle + place.column * ACROSS - WIDTH / 2, MARGIN + place.row * DOWN
            self._boxes.append(QRectF(round(x), round(y), WIDTH, HEIGHT))
        bracket = min(box.left() for box in self._boxes) - 14
        for source, target in self._diagram.edges:
            self._draw_edge(source, target, bracket)
        for index in range(len(self._boxes)):
            self._draw_part(index)
        return used, MARGIN * 2 + (max(place.row for place in self._places) + 1) * DOWN - (DOWN - HEIGHT)

    def _draw_part(self, index: int) -> None:
        assert self._diagram is not None
        part, box = self._diagram.parts[index], self._boxes[index]
        token = COLOURS.get(part.place, "muted")
        chosen = index == self.choice
        quiet = part.kind in ("input", "output", "sum", "norm", "scale")
        fill = tinted(token, 0.06 if quiet else 0.16)
        edge = theme().color("accent" if chosen else token)
        item = self.box(box, fill, edge, 2.5 if chosen else 1.0)
        item.setToolTip(part.path or part.name)
        lines = part_lines(part)
        x, room = box.center().x(), WIDTH - 10
        self.text(lines[0], x, box.top() + (3 if lines[1] else 10), bold=not quiet, width=room, align="centre")
        if lines[1]:
            self.text(lines[1], x, box.top() + 19, token="muted", size="small", width=room, align="centre")

    def _draw_edge(self, source: int, target: int, bracket: float) -> None:
        assert self._diagram is not None
        start, end = self._boxes[source], self._boxes[target]
        rows = self._places[target].row - self._places[source].row
        near = QPointF(start.center().x(), start.bottom())
        if rows == 1:
            self.line([near, QPointF(end.center().x() + _spread(start, end), end.top())], "muted")
        elif self._diagram.parts[target].kind == "sum" and not self._diagram.parts[target].place:
            y = start.center().y() if abs(start.center().x() - end.center().x()) < 1 else start.center().y()
            self.line(
                [QPointF(start.left(), y), QPointF(bracket, y), QPointF(bracket, end.center().y()),
                 QPointF(end.left(), end.center().y())], "accent", 1.6,
            )  # fmt: skip
        else:
            x = start.center().x()
            beside = end.right() if x > end.center().x() else end.left()
            if end.left() - 4 < x < end.right() + 4 and not self._between(source, target, x):
                self.line([near, QPointF(x, end.top())], "muted")
            elif end.left() - 4 < x < end.right() + 4:  # around what stands in the way
                side = max(start.right(), end.right()) + 16
                self.line(
                    [QPointF(start.right(), start.center().y()), QPointF(side, start.center().y()),
                     QPointF(side, end.center().y()), QPointF(end.right(), end.center().y())], "muted",
                )  # fmt: skip
            else:
                self.line([near, QPointF(x, end.center().y()), QPointF(beside, end.center().y())], "muted")

    def _between(self, source: int, target: int, x: float) -> bool:
        """Whether a part stands between two others on an upright line at x."""
        top, bottom = self._boxes[source].bottom(), self._boxes[target].top()
        return any(box.left() < x < box.right() and top < box.center().y() < bottom for box in self._boxes)

    # --- the mouse and the keyboard ---

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setFocus()
            self.choose(self._at(event.position()))
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        over = self._at(event.position()) >= 0
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor)
        super().mouseMoveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_Left: -1}
        step = steps.get(Qt.Key(event.key()), 0)
        if event.key() == Qt.Key.Key_Escape and self.choice >= 0:
            self.choose(-1)
        elif step and self._boxes:
            begin = 0 if self.choice < 0 else self.choice + step
            self.choose(max(0, min(len(self._boxes) - 1, begin)))
        else:
            super().keyPressEvent(event)

    def _at(self, place: QPointF) -> int:
        point = self.mapToScene(place.toPoint())
        return next((i for i, box in enumerate(self._boxes) if box.contains(point)), -1)


def part_lines(part: Part) -> tuple[str, str]:
    """What a box says: the module's name, and what it costs."""
    name = ".".join(part.path.split(".")[-2:]) if part.path else part.name
    told = []
    if part.parameters:
        told.append(f"{parameters_words(part.parameters)} weights")
    if part.flops:
        told.append(f"{big(part.flops)}FLOP")
    if not told and part.kind in ("softmax", "activation", "gate"):
        told.append(shape_words(part.output))
    return name, " · ".join(told)


def _spread(start: QRectF, end: QRectF) -> float:
    """Arrows from several sides end apart."""
    across = start.center().x() - end.center().x()
    return max(-WIDTH / 4, min(WIDTH / 4, across / 4))
