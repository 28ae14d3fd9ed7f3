"""One run: who learns, its world, and what went wrong if something did."""

from __future__ import annotations

from time import monotonic

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from studio.ml.rl.grid import GridWorld
from studio.ml.rl.learner import Look
from studio.ui.theme import theme
from studio.ui.tokens import SPACE_S, SPACE_XS
from studio_plugins.rl.frame_view import FrameView
from studio_plugins.rl.grid_view import GridView
from studio_plugins.rl.play_keys import PlayKeys
from studio_plugins.rl.tile_header import Facts, TileHeader

LETTERS = "ABCD"
COLOURS = ("series.0", "series.1", "series.2", "series.3")
"""Tokens of the runs' colours, by place."""
_WIDE = 440
"""Pixels from which on the ways out of trouble stand beside its words."""
_TOLD_EVERY = 1.0
"""Seconds between two accessible descriptions."""


class RunTile(QWidget):
    """`show_look` at the display's rate. Signals: `selected`; `reshaped` when its world has another `aspect`; `rewind` and
    `new_run`, the ways out of trouble; `edited`, `refused`, `hovered` and `picked` of its grid view."""

    selected = Signal()
    reshaped = Signal()
    rewind = Signal()
    new_run = Signal()
    edited = Signal(object, object, str)
    refused = Signal(str)
    hovered = Signal(object)
    picked = Signal(object)

    def __init__(self, place: int, title: str, *, on_policy: bool, parent: QWidget | None = None) -> None:
        """place: 0 to 3, which gives letter and colour."""
        super().__init__(parent)
        self.place = place
        self.header = TileHeader(LETTERS[place], title, COLOURS[place], on_policy=on_policy, parent=self)
        self.grid_view = GridView(self)
        self.grid_view.set_agent(COLOURS[place], on_policy=on_policy)
        self.frame_view = FrameView(self)
        self._views = QStackedWidget(self)
        self._views.addWidget(self.frame_view)
        self._views.addWidget(self.grid_view)
        self._trouble = _Trouble(self)
        self._trouble.rewind.clicked.connect(lambda _checked=False: self.rewind.emit())
        self._trouble.new_run.clicked.connect(lambda _checked=False: self.new_run.emit())
        self._chosen = False
        self._told = 0.0
        self._aspect = self.aspect()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3, 3, 3, 3)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addWidget(self._views, 1)
        layout.addWidget(self._trouble)
        for signal, own in (
            (self.grid_view.edited, self.edited), (self.grid_view.refused, self.refused),
            (self.grid_view.hovered, self.hovered), (self.grid_view.picked, self.picked),
        ):  # fmt: skip
            signal.connect(own)
        for view in (self.grid_view, self.frame_view):
            view.installEventFilter(self)
        self.setMinimumSize(self.minimumSizeHint())
        theme().changed.connect(self.update)
        self._name()

    def minimumSizeHint(self) -> QSize:
        return QSize(220, 170)

    @property
    def view(self) -> GridView | FrameView:
        """What shows the world: a grid view from the first look with a grid on."""
        return self.grid_view if self._views.currentWidget() is self.grid_view else self.frame_view

    def set_agent(self, title: str, *, on_policy: bool) -> None:
        """Another agent runs here."""
        self.header.title, self.header.on_policy = title, on_policy
        self.header.phase.clear()
        self.header.update()
        self.grid_view.set_agent(COLOURS[self.place], on_policy=on_policy)
        self._name()

    def show_world(self, grid: GridWorld | None, frame: NDArray[np.uint8] | None) -> None:
        """A world in which nobody has learnt yet: the grid, or its first picture."""
        self.header.facts, self.header.mode = Facts(0, 0, 0.0, None), "not trained yet"
        self.header.phase.clear()
        self.header.update()
        self._views.setCurrentWidget(self.frame_view if grid is None else self.grid_view)
        if grid is not None:
            self.grid_view.show_grid(grid)
        elif frame is not None:
            self.frame_view.show_frame(frame)
        else:
            self.frame_view.show_sentence("Press Train to see this world.")
        self.reshaped.emit()

    def show_look(self, look: Look, *, rate: float | None = None, collect: float | None = None) -> None:
        """rate: steps per second. collect: share of collecting since the last look, where it was counted."""
        header = self.header
        now = monotonic()
        header.phase.note(look.phase, now, collect)
        header.facts = Facts(look.steps, look.episode, look.total, rate)
        header.update()
        of_grid = look.grid is not None or (look.frame is None and not look.text and self.view is self.grid_view)
        view = self.grid_view if of_grid else self.frame_view
        self._views.setCurrentWidget(view)
        view.show_look(look)
        if abs(self.aspect() - self._aspect) > 1e-6:
            self._aspect = self.aspect()
            self.reshaped.emit()
        if now - self._told > _TOLD_EVERY:
            self._told = now
            self.setAccessibleDescription(f"{header.phase_word()}, " + ", ".join(header.facts.parts()))

    def give_keys(self, keys: PlayKeys) -> None:
        """Let a person play here: `keys` takes the keys of the world on show while it is active."""
        for view in (self.grid_view, self.frame_view):
            view.installEventFilter(keys)

    def set_mode(self, word: str) -> None:
        """What is watched, if not training: "paused", "finished", "replay", "you play"; "" for the phase of training."""
        if word != self.header.mode:
            self.header.mode = word
            self.header.update()

    def show_trouble(self, text: str) -> None:
        """What went wrong, in words, with the ways out; "" takes it away."""
        self._trouble.label.setText(text)
        self._trouble.setVisible(bool(text))

    def trouble(self) -> str:
        return self._trouble.label.text()

    @property
    def chosen(self) -> bool:
        return self._chosen

    def set_chosen(self, chosen: bool) -> None:
        """Whether insight and controls are about this run."""
        if chosen != self._chosen:
            self._chosen = chosen
            self._name()
            self.update()

    def aspect(self) -> float:
        """Width by height of the world."""
        grid = self.grid_view.grid
        if self.view is self.grid_view and grid is not None:
            return grid.columns / grid.rows
        image = self.frame_view.image
        return image.width() / image.height() if not image.isNull() else 1.5

    def _name(self) -> None:
        chosen = ", selected" if self._chosen else ""
        self.setAccessibleName(f"Run {self.header.letter}: {self.header.title}, {self.header.badge}{chosen}")

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, colours = QPainter(self), theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = 2.0 if self._chosen else 1.0
        painter.setPen(QPen(colours.color(self.header.colour if self._chosen else "border"), width))
        painter.setBrush(colours.color("raised"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(width / 2, width / 2, -width / 2, -width / 2), 8, 8)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.selected.emit()
        super().mousePressEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.FocusIn):
            self.selected.emit()
        return super().eventFilter(watched, event)


class _Trouble(QFrame):
    """The line at the foot; hidden while all is well."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("level", "error")
        self.label = QLabel(self)
        self.label.setWordWrap(True)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.rewind, self.new_run = QPushButton("Rewind", self), QPushButton("New run", self)
        self.rewind.setToolTip("Go back to the last good mark of this run")
        self.new_run.setToolTip("Begin this run anew with the settings on the left")
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_XS)
        buttons.addStretch(1)
        for button in (self.rewind, self.new_run):
            button.setProperty("role", "link")
            buttons.addWidget(button)
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(SPACE_S, SPACE_XS, SPACE_S, SPACE_XS)
        self._row.setSpacing(SPACE_XS)
        self._row.addWidget(self.label, 1)
        self._row.addLayout(buttons)
        self.hide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        way = QBoxLayout.Direction
        self._row.setDirection(way.LeftToRight if self.width() >= _WIDE else way.TopToBottom)
