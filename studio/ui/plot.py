"""A plain plot in the theme's colours, to draw any pyqtgraph items on (pyqtgraph is imported with the first one)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from studio.ui.theme import theme

SLACK = 4.0
"""Pixels that a hand may move without dragging."""


class Plot(QWidget):
    """Axes, grid and background follow the theme. A subclass draws in `redraw`, called when colours change too.

    `pg` is pyqtgraph, `item` the PlotItem (for items and for the export service), `view` its ViewBox.
    """

    def __init__(
        self, x_label: str = "", y_label: str = "", parent: QWidget | None = None, *, view_box: Any = None
    ) -> None:
        super().__init__(parent)
        import pyqtgraph as pg

        from studio.ui.plot_axis import BarePlot

        self.pg = pg
        self._labels = (x_label, y_label)
        self.widget = BarePlot(self, view_box=view_box)
        self.widget.setAntialiasing(True)
        self.widget.hideButtons()
        self.item = self.widget.getPlotItem()
        self.item.setContentsMargins(4, 8, 12, 4)
        self.view = self.item.getViewBox()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.widget)
        self.setMinimumSize(180, 150)
        theme().changed.connect(self._restyle)
        self._style()

    def set_labels(self, x_label: str, y_label: str) -> None:
        """What the axes show."""
        self._labels = (x_label, y_label)
        self._style()

    def redraw(self) -> None:
        """Draw everything anew, in today's colours."""

    def plot_item(self) -> Any:
        """pyqtgraph's PlotItem, for the export service."""
        return self.item

    def pen(self, token: str, width: float = 2.0, alpha: int = 255, **options: Any) -> Any:
        """A pen in a theme colour."""
        colour = theme().color(token)
        colour.setAlpha(alpha)
        return self.pg.mkPen(colour, width=width, **options)

    def brush(self, token: str, alpha: int = 255) -> Any:
        """A brush in a theme colour."""
        colour = theme().color(token)
        colour.setAlpha(alpha)
        return self.pg.mkBrush(colour)

    def pixels_at(self, x: float, y: float) -> QPointF:
        """Where a point of the plot lies, in pixels of the scene."""
        return self.view.mapViewToScene(QPointF(x, y))

    def _style(self) -> None:
        from studio.ui.plot_axis import style_axes

        style_axes(self.widget, self._labels)
        self.setAccessibleName(f"Plot of {self._labels[1] or 'values'} over {self._labels[0] or 'values'}")

    def _restyle(self) -> None:
        self._style()
        self.redraw()


class RulerPlot(Plot):
    """A plot with one upright line, which a drag anywhere within the axes takes along; it neither pans nor zooms.

    Signal: `ruled` (x, while the hand moves). A subclass calls `draw_ruler` in its `redraw`, and may answer `click`.
    """

    ruled = Signal(float)

    def __init__(self, x_label: str = "", y_label: str = "", parent: QWidget | None = None) -> None:
        super().__init__(x_label, y_label, parent)
        self.ruler = self.pg.InfiniteLine(angle=90)
        self.ruler.setZValue(20)
        self._start: QPointF | None = None
        self._held = False
        self.view.setMouseEnabled(x=False, y=False)
        self.widget.viewport().installEventFilter(self)

    def set_ruler(self, x: float) -> None:
        """Where the line stands, unless a hand holds it."""
        if not self._held:
            self.ruler.setValue(x)

    def draw_ruler(self) -> None:
        """Put the line above what was drawn."""
        self.ruler.setPen(self.pen("accent", 2))
        self.item.addItem(self.ruler, ignoreBounds=True)

    def click(self, place: QPointF) -> None:
        """The left button went down and up at a place of the scene."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is not self.widget.viewport() or not isinstance(event, QMouseEvent):
            return super().eventFilter(watched, event)
        place = self.widget.mapToScene(event.position().toPoint())
        match event.type():
            case QEvent.Type.MouseButtonPress if event.button() == Qt.MouseButton.LeftButton:
                self._start = place if self.view.sceneBoundingRect().contains(place) else None
                return True
            case QEvent.Type.MouseMove if self._start is not None:
                self._held = self._held or (place - self._start).manhattanLength() > SLACK
                if self._held:
                    x = float(self.view.mapSceneToView(place).x())
                    self.ruler.setValue(x)
                    self.ruled.emit(x)
                return True
            case QEvent.Type.MouseButtonRelease if event.button() == Qt.MouseButton.LeftButton:
                clicked, self._start, self._held = self._start is not None and not self._held, None, False
                if clicked:
                    self.click(place)
                return True
        return super().eventFilter(watched, event)


class Legend(QLabel):
    """What is drawn, above a plot and not over it: (mark, colour token, words) for each."""

    def __init__(self, entries: Sequence[tuple[str, str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries = tuple(entries)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setWordWrap(True)
        theme().changed.connect(self._write)
        self._write()

    def set_entries(self, entries: Sequence[tuple[str, str, str]]) -> None:
        """Say something else."""
        self._entries = tuple(entries)
        self._write()

    def _write(self) -> None:
        muted = theme().color("muted").name()
        self.setText(
            " &nbsp; ".join(
                f'<span style="color:{theme().color(token).name()}; font-weight:800;">{mark}</span>&nbsp;'
                f'<span style="color:{muted}; font-size:11px;">{escape(words).replace(" ", "&nbsp;")}</span>'
                for mark, token, words in self._entries
            )
        )
