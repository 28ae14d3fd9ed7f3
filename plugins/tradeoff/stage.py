"""The centre: quality against diversity, CLIP score against right pictures, and the pictures of the point chosen."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Literal

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from studio.ml.evaluation.points import Kind, Measured, Pictures, Point
from studio.ui.cards import EmptyState
from studio.ui.image_grid import ImageGrid
from studio.ui.theme import theme
from studio_plugins.tradeoff.finding import Z
from studio_plugins.tradeoff.plots import Dot, PointPlot, colour_token
from studio_plugins.tradeoff.words import NAMES, percent, words

Quality = Literal["right", "frechet"]
QUALITIES: dict[Quality, str] = {"right": "right pictures (%)", "frechet": "Fréchet distance (less is better)"}
RIGHT, WRONG = "✓", "✗"


class Stage(QStackedWidget):
    """Shows points as they come. Signals: `chosen` (number of a point, -1 for none), `told` (a line on one picture)."""

    chosen = Signal(int)
    told = Signal(str)

    def __init__(self, empty: EmptyState, parent: QWidget) -> None:
        super().__init__(parent)
        self._quality: Quality = "right"
        self._measured: list[Measured] = []
        self._texts: tuple[str, ...] = ()
        self._per_prompt = 1
        self.current = -1
        self.diversity = PointPlot("diversity within a prompt", QUALITIES["right"], self)
        self.agreement = PointPlot("right pictures (%)", "CLIP score", self)
        self.agreement.set_axes("right pictures (%)", "CLIP score", shares="x")
        self.grid = ImageGrid(self)
        self.grid.setAccessibleName("Pictures of the point chosen")
        self._legend = QLabel(self)
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._legend.setWordWrap(True)
        self._legend.setContentsMargins(12, 8, 12, 4)
        plots = QSplitter(Qt.Orientation.Horizontal, self)
        for plot in (self.diversity, self.agreement):
            plots.addWidget(plot)
            plot.chosen.connect(self.choose)
        upper = QWidget(self)
        column = QVBoxLayout(upper)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._legend)
        column.addWidget(plots, 1)
        body = QSplitter(Qt.Orientation.Vertical, self)
        body.addWidget(upper)
        body.addWidget(self.grid)
        body.setCollapsible(0, False)
        body.setSizes([520, 480])
        self._body = body
        self.addWidget(empty)
        self.addWidget(body)
        self.grid.selected.connect(self._tell)
        theme().changed.connect(self._write_legend)
        self.set_quality("right")

    # --- what is shown ---

    @property
    def measured(self) -> list[Measured]:
        """The points there are so far."""
        return list(self._measured)

    @property
    def points(self) -> list[Point]:
        return [measured.point for measured in self._measured]

    @property
    def quality(self) -> Quality:
        """What stands upwards in the first plot."""
        return self._quality

    def begin(self, texts: Sequence[str], per_prompt: int) -> None:
        """A new sweep: no points yet, empty cells for the pictures of the first."""
        self._measured, self.current = [], -1
        self._texts, self._per_prompt = tuple(texts), per_prompt
        self._set_cells(len(texts))
        self.setCurrentWidget(self._body)
        self._draw()
        self.choose(-1)

    def add(self, measured: Measured) -> None:
        """One more point."""
        self._measured.append(measured)
        self._draw()
        self.chosen.emit(self.current)

    def show_all(self, texts: Sequence[str], per_prompt: int, measured: Sequence[Measured]) -> None:
        """A whole sweep; its best guided point is chosen, or the one that was."""
        before = self.current if len(self._measured) == len(measured) else -1
        self.begin(texts, per_prompt)
        self._measured = list(measured)
        self._draw()
        self.choose(before if before >= 0 else _best(self.points))

    def preview(self, pictures: Pictures) -> None:
        """The pictures being drawn, unless a point is chosen."""
        if self.current < 0:
            for i, picture in enumerate(pictures[: self.grid.count()]):
                self.grid.set_cell(i, picture)

    def choose(self, index: int) -> None:
        """Show the pictures of a point, each marked; -1 shows those being drawn."""
        index = index if 0 <= index < len(self._measured) else -1
        self.current = index
        for plot in (self.diversity, self.agreement):
            plot.mark(index)
        if index >= 0:
            chosen = self._measured[index]
            self._set_cells(len(chosen.pictures))
            for i, (picture, fault) in enumerate(zip(chosen.pictures, chosen.faults, strict=True)):
                self.grid.set_cell(i, picture, f"{WRONG} {fault}" if fault else RIGHT)
        self.chosen.emit(index)

    def set_quality(self, quality: Quality) -> None:
        """What stands upwards in the first plot."""
        self._quality = quality
        shares = "y" if quality == "right" else ""
        self.diversity.set_axes("diversity within a prompt", QUALITIES[quality], shares=shares)
        self._draw()

    # --- drawing ---

    def _tell(self, index: int) -> None:
        if self.current < 0 or not 0 <= index < len(self._texts):
            return
        fault = self._measured[self.current].faults[index]
        self.told.emit(f"“{self._texts[index]}”: {f'the oracle sees {fault}' if fault else 'right'}")

    def _set_cells(self, count: int) -> None:
        self.grid.set_count(count, columns=self._per_prompt * _across(count // self._per_prompt))

    def _draw(self) -> None:
        self.diversity.show_dots([self._quality_dot(i, point) for i, point in enumerate(self.points)])
        scored = [(i, point) for i, point in enumerate(self.points) if point.clip_score is not None]
        self.agreement.show_dots([_score_dot(i, point) for i, point in scored])
        self._write_legend()

    def _quality_dot(self, index: int, point: Point) -> Dot:
        low, high = point.interval
        share = (100 * point.accuracy, 100 * low, 100 * high)
        y, low, high = share if self._quality == "right" else (point.frechet,) * 3
        return Dot(index, point.kind, point.scale, point.diversity, y, low, high, _label(point), _tip(point))

    def _write_legend(self) -> None:
        kinds: list[Kind] = list(dict.fromkeys(point.kind for point in self.points))
        self._legend.setText(" &nbsp; ".join(_legend_entry(kind) for kind in kinds))


def _legend_entry(kind: Kind) -> str:
    colour, muted = theme().color(colour_token(kind)).name(), theme().tokens["muted"]
    name = escape(NAMES[kind]).replace(" ", "&nbsp;")
    return (
        f'<span style="color:{colour}; font-weight:800;">{"★" if kind == "renders" else "●"}</span>&nbsp;'
        f'<span style="color:{muted}; font-size:11px;">{name}</span>'
    )


def _across(prompts: int) -> int:
    """How many prompts stand side by side."""
    return 1 if prompts <= 4 else 2 if prompts <= 12 else 3 if prompts <= 30 else 4


def _best(points: Sequence[Point]) -> int:
    """The guided point with most right pictures, the first of equal ones; any point where none is guided."""
    guided = [i for i, point in enumerate(points) if point.kind not in ("renders", "unguided")]
    return max(guided or range(len(points)), key=lambda i: (points[i].right, -i), default=-1)


def _label(point: Point) -> str:
    return "" if point.kind in ("renders", "unguided") else f"{point.scale:g}"


def _tip(point: Point) -> str:
    score = "" if point.clip_score is None else f", CLIP score {point.clip_score:.3f}"
    return (
        f"{words(point)}: {percent(point.accuracy)} right, Fréchet distance {point.frechet:.2f}, "
        f"diversity {point.diversity:.2f}{score}"
    )


def _score_dot(index: int, point: Point) -> Dot:
    score = point.clip_score or 0.0
    spread = Z * (point.clip_error or 0.0)
    return Dot(
        index, point.kind, point.scale, 100 * point.accuracy, score, score - spread, score + spread,
        _label(point), _tip(point),
    )  # fmt: skip
