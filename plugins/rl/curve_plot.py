"""One measure of several runs: lines with intervals over seeds, raw data, edits, marks to go back to, and a reference.

Imports nothing heavy; pyqtgraph comes with the first plot. It draws what `bands.figure` worked out elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from studio.ui.plot import SLACK, Plot
from studio.ui.theme import theme
from studio_plugins.rl.bands import Drawn, Place
from studio_plugins.rl.score_words import number

ROW = 12
"""Pixels above the x axis for the marks of one run; those of the next run stand in a row above them."""
LABEL = 22
"""Pixels above a reference level for its words."""
EARLY = 0.12
"""Share of the x axis at the beginning that may leave the plot: returns there can be a hundred times worse than ever
after."""
REACH = 9
"""How near to a mark, in pixels, a click must be."""


@dataclass(frozen=True)
class RunLine:
    """How a run is told from others. colour: a token of the theme; kept: from History, drawn dashed."""

    key: str
    title: str
    colour: str
    kept: bool = False


class CurvePlot(Plot):
    """`set_runs`, then `show_drawn` as often as there is something new. A double click shows all
    values, or what matters.

    marked: shows the marks to go back to, one row for each run. Signals: `rewound` (run's key, mark) when a mark is
    clicked, or dragged to; `pointed` (what stands under the pointer as rich text, empty when it leaves).
    """

    rewound = Signal(str, object)
    pointed = Signal(str)

    def __init__(
        self, x_label: str = "", y_label: str = "", parent: QWidget | None = None, *, marked: bool = True
    ) -> None:
        super().__init__(x_label, y_label, parent)
        self._marked, self._whole = marked, False
        self._shown: tuple[tuple[float, float], tuple[float, float]] | None = None
        self._moments: object = None
        self._numbered: bool | None = None
        from studio_plugins.rl.curve_items import RunItems

        self._make = RunItems
        self._runs: tuple[RunLine, ...] = ()
        self._items: dict[str, RunItems] = {}
        self._hidden: frozenset[str] = frozenset()
        self._references: tuple[tuple[float, str], ...] = ()
        self._reference_lines: list[object] = []
        self._notes = self.pg.PlotCurveItem(connect="pairs")
        self._flags = self.pg.ScatterPlotItem(symbol="t", size=9)
        self._marks = self.pg.ScatterPlotItem(symbol="t1", size=8)
        self._hair = self.pg.InfiniteLine(angle=90)
        self._goal = self.pg.InfiniteLine(angle=90)
        self._grip: tuple[str, Place] | None = None
        self._pressed: QPointF | None = None
        self._hand = False
        for z, item in ((5, self._notes), (6, self._flags), (8, self._marks), (4, self._hair), (7, self._goal)):
            item.setZValue(z)
            self.item.addItem(item, ignoreBounds=True)
        self._hair.hide()
        self._goal.hide()
        self.view.setMouseEnabled(x=False, y=False)
        self.view.disableAutoRange()
        self.widget.viewport().installEventFilter(self)
        self.widget.viewport().setMouseTracking(True)
        self.redraw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._shown = self._moments = None
        self._fit()

    # --- what is shown ---

    def set_runs(self, runs: Sequence[RunLine]) -> None:
        """The runs that there are; what is drawn of the others is taken away."""
        before = {run.key: run for run in self._runs}
        self._runs = tuple(runs)
        now = {run.key: run for run in runs}
        for key in [key for key in self._items if before.get(key) != now.get(key)]:
            self._items.pop(key).remove()
        for run in self._runs:
            if run.key not in self._items:
                self._items[run.key] = self._make(self.item, run.title, run.colour, kept=run.kept)
        self.set_hidden(self._hidden)

    def set_hidden(self, keys: Collection[str]) -> None:
        """Runs that are switched off."""
        self._hidden = frozenset(keys)
        for key, items in self._items.items():
            items.set_visible(key not in self._hidden)
        self._fit()

    def set_references(self, references: Sequence[tuple[float, str]]) -> None:
        """Levels to compare with: (value, words), drawn across the plot."""
        if tuple(references) == self._references:
            return
        self._references = tuple(references)
        self._draw_references()
        self._fit()

    def set_fine(self, fine: bool) -> None:
        """Whether lines are wide and smooth; thin ones take half the time while they move."""
        for items in self._items.values():
            items.set_fine(fine)

    def show_drawn(self, drawn: Sequence[Drawn]) -> None:
        """These drawings; a run that is not among them shows nothing."""
        told = {one.key: one for one in drawn}
        for key, items in self._items.items():
            if key in told:
                items.show(told[key])
            elif items.drawn is not None:
                items.show(Drawn(key, items.drawn.choice, np.empty(0), np.empty(0)))
        self._fit()

    def drawn(self) -> tuple[Drawn, ...]:
        """What is drawn of the runs that are switched on."""
        found = (items.drawn for key, items in self._items.items() if key not in self._hidden)
        return tuple(one for one in found if one is not None and one.lines)

    def redraw(self) -> None:
        for items in self._items.values():
            items.restyle()
        self._notes.setPen(self.pen("muted", 1, style=Qt.PenStyle.DotLine))
        self._hair.setPen(self.pen("muted", 1))
        self._goal.setPen(self.pen("accent", 2))
        self._draw_references()
        self._draw_moments()

    # --- drawing ---

    def _fit(self) -> None:
        """What is switched on stands within the axes: lines and bands, and raw data but for their rare extremes."""
        drawn = self.drawn()
        ends = [(line[0][0], line[0][-1]) for one in drawn for line in one.lines]
        if ends:
            left, right = min(end[0] for end in ends), max(end[1] for end in ends)
            low, high = self._range(drawn, left if self._whole else left + EARLY * (right - left))
            room = (high - low) or max(abs(high), 1.0) * 0.1
            pixel = room / max(60.0, self.view.height() - self._foot_px())
            foot = pixel * self._foot_px()
            top = max([high + 0.05 * room, *(value + LABEL * pixel for value, _ in self._references)])
            across = rounded(left, right if right > left else left + 1.0)
            up = rounded(low - 0.02 * room, top)
            if (across, (up[0] - foot, up[1])) != self._shown:
                self._shown = (across, (up[0] - foot, up[1]))
                self.view.setRange(xRange=across, yRange=self._shown[1], padding=0.0)
        if bool(ends) != self._numbered:  # also setting what is set already would have the axes drawn anew
            self._numbered = bool(ends)
            for side in ("bottom", "left"):
                self.item.getAxis(side).setStyle(showValues=self._numbered)
        self._draw_moments()

    def _range(self, drawn: Sequence[Drawn], start: float) -> tuple[float, float]:
        """The lowest and the highest value to be seen from x = start on."""
        found = [value for value, _ in self._references]
        for one in drawn:
            shown = [(one.x, y) for y in (one.centre, one.low, one.high) if y is not None and len(y)] or list(one.lines)
            for x, y in shown:
                late = y[x >= start] if x[-1] >= start else y[-1:]
                found += [float(late.min()), float(late.max())]
            x, y = one.raw
            late = y[x >= start]
            if len(late):
                share = (0, 100) if self._whole else (4, 99)
                found += np.percentile(late, share).tolist()
        return min(found), max(found)

    def _rows(self) -> list[Drawn]:
        """The runs with marks, from the foot upwards."""
        return [one for one in self.drawn() if one.marks] if self._marked else []

    def _foot_px(self) -> float:
        return float(ROW * len(self._rows()))

    def _draw_moments(self) -> None:
        low, high = self.view.viewRange()[1]
        moments = (low, high, theme().dark, [(one.key, one.notes, one.marks) for one in self.drawn()])
        if moments == self._moments:
            return
        self._moments = moments
        notes = [(place.x, self._brush(one.key)) for one in self.drawn() for place in one.notes]
        self._notes.setData([x for x, _ in notes for _ in range(2)], [low, high] * len(notes))
        self._flags.setData([x for x, _ in notes], [high] * len(notes), brush=[b for _, b in notes], pen=None)
        marks = [
            (place.x, self._above(ROW * (row + 0.5)), self._brush(one.key))
            for row, one in enumerate(self._rows()) for place in one.marks
        ]  # fmt: skip
        self._marks.setData([x for x, _, _ in marks], [y for _, y, _ in marks], brush=[b for *_, b in marks], pen=None)

    def _draw_references(self) -> None:
        for line in self._reference_lines:
            self.item.removeItem(line)
        self._reference_lines = []
        for value, words in self._references:
            options = {"position": 0.02, "anchors": [(0, 1), (0, 1)], "color": self.pen("success").color()}
            line = self.pg.InfiniteLine(
                value, angle=0, pen=self.pen("success", 1, style=Qt.PenStyle.DashLine), label=words, labelOpts=options
            )
            line.setZValue(-5)
            self.item.addItem(line, ignoreBounds=True)
            self._reference_lines.append(line)

    def _brush(self, key: str) -> object:
        return self.brush(next(run.colour for run in self._runs if run.key == key))

    def _above(self, pixels: float) -> float:
        """The value at so many pixels above the x axis."""
        low, high = self.view.viewRange()[1]
        return float(low + (high - low) * pixels / max(1.0, self.view.height()))

    # --- the hand ---

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is not self.widget.viewport():
            return super().eventFilter(watched, event)
        if event.type() == QEvent.Type.Leave:
            self._hair.hide()
            self.pointed.emit("")
        if not isinstance(event, QMouseEvent):
            return super().eventFilter(watched, event)
        where = self.widget.mapToScene(event.position().toPoint())
        match event.type():
            case QEvent.Type.MouseButtonDblClick:
                self._whole = not self._whole
                self._fit()
                return True
            case QEvent.Type.MouseButtonPress if event.button() == Qt.MouseButton.LeftButton:
                self._grip, self._pressed, self._hand = self._mark_at(where), where, False
                return True
            case QEvent.Type.MouseMove:
                self._move(where)
                return True
            case QEvent.Type.MouseButtonRelease if event.button() == Qt.MouseButton.LeftButton:
                grip, self._grip, self._pressed = self._grip, None, None
                self._goal.hide()
                if grip is not None:
                    self.rewound.emit(grip[0], grip[1].moment.mark)
                return True
        return super().eventFilter(watched, event)

    def _move(self, where: QPointF) -> None:
        if self._grip is not None and self._pressed is not None:
            self._hand = self._hand or (where - self._pressed).manhattanLength() > SLACK
            if self._hand:
                self._grip = self._nearest(self._grip[0], where) or self._grip
            self._goal.setValue(self._grip[1].x)
            self._goal.show()
            self.pointed.emit(self._words_of(*self._grip))
            return
        inside = self.view.sceneBoundingRect().contains(where)
        over = self._mark_at(where) if inside else None
        self.widget.viewport().setCursor(Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor)
        self._hair.setVisible(inside and bool(self.drawn()))
        if not inside:
            self.pointed.emit("")
            return
        x = float(self.view.mapSceneToView(where).x())
        self._hair.setValue(x)
        self.pointed.emit(self._words_of(*over) if over else self.read(x))

    def read(self, x: float) -> str:
        """The numbers at x, run by run, as rich text; and the edits near to it."""
        reach = REACH * self._per_pixel()
        parts = [f"{self._labels[0]} {number(x)}"]
        for one in self.drawn():
            run = next(run for run in self._runs if run.key == one.key)
            colour = self._items[one.key].colour().name()
            parts.append(f'<span style="color:{colour}; font-weight:600;">{run.title}</span> {_value_at(one, x)}')
            parts += [f"<i>{place.moment.text}</i>" for place in one.notes if abs(place.x - x) <= reach]
        return " &nbsp; ".join(parts)

    def _words_of(self, key: str, place: Place) -> str:
        run = next(run for run in self._runs if run.key == key)
        return f"{run.title}: back to {place.moment.text or f'step {number(place.moment.steps)}'}"

    def _per_pixel(self) -> float:
        left, right = self.view.viewRange()[0]
        return float(right - left) / max(1.0, self.view.width())

    def _mark_at(self, where: QPointF) -> tuple[str, Place] | None:
        """The mark under a place of the scene."""
        box, rows = self.view.sceneBoundingRect(), self._rows()
        row = int((box.bottom() - where.y()) // ROW)
        if not box.contains(where) or not 0 <= row < len(rows):
            return None
        near = [(abs(self._pixel(place.x) - where.x()), rows[row].key, place) for place in rows[row].marks]
        distance, key, place = min(near, key=lambda entry: entry[0], default=(math.inf, "", None))
        return (key, place) if place is not None and distance <= REACH else None

    def _nearest(self, key: str, where: QPointF) -> tuple[str, Place] | None:
        """The mark of a run that is nearest to a place of the scene."""
        places = [place for one in self.drawn() if one.key == key for place in one.marks]
        return (key, min(places, key=lambda place: abs(self._pixel(place.x) - where.x()))) if places else None

    def _pixel(self, x: float) -> float:
        return self.pixels_at(x, 0.0).x()


def rounded(low: float, high: float) -> tuple[float, float]:
    """The range widened to round numbers, by less than a tenth: so that it and the axes mostly stand still."""
    unit = 10.0 ** math.floor(math.log10(high - low)) / 20
    return math.floor(low / unit) * unit, math.ceil(high / unit) * unit


def _value_at(one: Drawn, x: float) -> str:
    """What a run's drawing says at x: the line with its interval, or the range of its seeds."""
    if len(one.x):
        if not one.x[0] <= x <= one.x[-1]:
            return "–"
        value = number(float(np.interp(x, one.x, one.centre)))
        count = int(one.counts[np.searchsorted(one.x, x).clip(0, len(one.x) - 1)])
        fewer = f", {count} of {one.seeds} seeds" if count < one.seeds else ""
        if one.low is None or one.high is None:
            return value + fewer
        low, high = (number(float(np.interp(x, one.x, edge))) for edge in (one.low, one.high))
        return f"{value} ({low} … {high}{fewer})"
    here = [float(np.interp(x, *line)) for line in one.lines if line[0][0] <= x <= line[0][-1]]
    return f"{number(min(here))} … {number(max(here))}" if here else "–"
