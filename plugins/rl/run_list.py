"""Which agents learn: one to four rows, each with its letter, its agent, and a way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from studio.ui.icons import IconButton
from studio.ui.theme import theme
from studio.ui.tokens import SPACE_S
from studio_plugins.rl.offers import Offer
from studio_plugins.rl.seat import LETTERS

_BADGE = 22


class Letter(QWidget):
    """A run's letter on its colour; a click chooses the run."""

    clicked = Signal()

    def __init__(self, index: int, parent: QWidget) -> None:
        super().__init__(parent)
        self._index, self._chosen = index, False
        self.setFixedSize(_BADGE, _BADGE)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(f"Run {LETTERS[index]}")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(f"Run {LETTERS[index]}: choose it to see and change its settings")

    def set_chosen(self, chosen: bool) -> None:
        self._chosen = chosen
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.clicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.clicked.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = theme().color(f"series.{self._index}")
        inside = 3 if self.hasFocus() else 1
        box = self.rect().adjusted(inside, inside, -inside, -inside)
        painter.setPen(colour)
        painter.setBrush(colour if self._chosen else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, 5, 5)
        painter.setPen(self.palette().color(QPalette.ColorRole.Base) if self._chosen else QColor(colour))
        font = self.font()
        font.setBold(True)
        painter.setFont(font)
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, LETTERS[self._index])
        if self.hasFocus():
            painter.setPen(theme().color("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), 6, 6)


@dataclass
class _Row:
    widget: QWidget
    letter: Letter
    agents: QComboBox
    remove: IconButton


class RunList(QWidget):
    """Signals: `chosen` (index of the run whose settings show), `picked` (index, agent), `added`, `removed` (index)."""

    chosen = Signal(int)
    picked = Signal(int, str)
    added = Signal()
    removed = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._offers: tuple[Offer, ...] = ()
        self._rows: list[_Row] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(SPACE_S)
        self._add = QPushButton("Add an agent beside", self)
        self._add.setProperty("role", "link")
        self._add.setToolTip("Another agent, on the same seeds and the same clock; up to four")
        self._add.clicked.connect(lambda _checked=False: self.added.emit())
        self._layout.addWidget(self._add, 0, Qt.AlignmentFlag.AlignLeft)

    def set_offers(self, offers: Sequence[Offer]) -> None:
        """Which agents there are in the present world; the refused ones are greyed, and say why."""
        self._offers = tuple(offers)
        for row in self._rows:
            self._fill(row.agents)

    def set_runs(self, agents: Sequence[str], chosen: int) -> None:
        """Show these agents, one a row, with one of them chosen."""
        while len(self._rows) < len(agents):
            self._append()
        while len(self._rows) > len(agents):
            gone = self._rows.pop().widget
            gone.hide()
            gone.deleteLater()
        for index, (row, agent) in enumerate(zip(self._rows, agents, strict=True)):
            row.agents.blockSignals(True)
            row.agents.setCurrentIndex(row.agents.findData(agent))
            row.agents.blockSignals(False)
            row.letter.set_chosen(index == chosen)
            row.remove.setVisible(len(agents) > 1)
        self._add.setVisible(len(agents) < len(LETTERS))

    def combo(self, index: int) -> QComboBox:
        """The list of agents of a run."""
        return self._rows[index].agents

    def _append(self) -> None:
        index, widget = len(self._rows), QWidget(self)
        letter, agents = Letter(index, widget), QComboBox(widget)
        remove = IconButton("cancel", f"Take run {LETTERS[index]} away", widget, size=14)
        agents.setAccessibleName(f"Agent of run {LETTERS[index]}")
        agents.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        agents.setMinimumContentsLength(8)
        agents.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._fill(agents)
        line = QHBoxLayout(widget)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(SPACE_S)
        line.addWidget(letter)
        line.addWidget(agents, 1)
        line.addWidget(remove)
        letter.clicked.connect(lambda: self.chosen.emit(index))
        agents.activated.connect(lambda _at: self.picked.emit(index, str(agents.currentData())))
        remove.clicked.connect(lambda _checked=False: self.removed.emit(index))
        self._rows.append(_Row(widget, letter, agents, remove))
        self._layout.insertWidget(index, widget)

    def _fill(self, agents: QComboBox) -> None:
        kept = agents.currentData()
        agents.blockSignals(True)
        agents.clear()
        model = agents.model()
        for offer in self._offers:
            agents.addItem(offer.title, offer.agent)
            place = agents.count() - 1
            agents.setItemData(place, offer.refused or offer.about, Qt.ItemDataRole.ToolTipRole)
            if offer.refused and isinstance(model, QStandardItemModel):
                model.item(place).setEnabled(False)
        agents.setCurrentIndex(agents.findData(kept))
        agents.blockSignals(False)
