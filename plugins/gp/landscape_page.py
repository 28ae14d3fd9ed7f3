"""Choosing two hyper-parameters, and the landscape over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QPushButton, QWidget

from studio.ml.gp.jet import Array
from studio_plugins.gp.landscape_view import LandscapeView

if TYPE_CHECKING:
    from studio.ml.gp.landscape import Landscape


class LandscapePage(QWidget):
    """Signals: `wanted` (names down and across), `picked` (names, theta down, theta across)."""

    wanted = Signal(object)
    picked = Signal(object, float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: tuple[str, ...] = ()
        self._runs: tuple[tuple[tuple[str, ...], Array], ...] = ()
        self.across, self.down = QComboBox(self), QComboBox(self)
        self.view = LandscapeView(self)
        self.button = QPushButton("Survey", self)
        self.button.setToolTip("Work out the likelihood around the present values, the other hyper-parameters held")
        self.button.clicked.connect(lambda _checked=False: self.ask())
        self._hint = QLabel(
            "Each colour step is about two units of log likelihood. Click a place to take its values. Cross: the present "
            "values. Lines: ways of the fit, the best one thick.",
            self,
        )
        self._hint.setProperty("tone", "faint")
        self._hint.setWordWrap(True)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setColumnStretch(1, 1)
        for row, (text, box) in enumerate((("across", self.across), ("up", self.down))):
            label = QLabel(text, self)
            label.setProperty("tone", "muted")
            layout.addWidget(label, row, 0)
            layout.addWidget(box, row, 1)
            box.setAccessibleName(f"Hyper-parameter {text}")
            box.activated.connect(lambda _index: self.ask())
        layout.addWidget(self.button, 0, 2, 2, 1)
        layout.addWidget(self.view, 2, 0, 1, 3)
        layout.addWidget(self._hint, 3, 0, 1, 3)
        self.view.picked.connect(lambda down, across: self.picked.emit(self.chosen(), down, across))
        self.view.hide()
        self._hint.hide()

    def offer(self, names: Sequence[str]) -> None:
        """Positive hyper-parameters that are free; those chosen stay chosen where they are still there."""
        if tuple(names) == self._names:
            return
        self._names = tuple(names)
        for box, usual in ((self.across, 0), (self.down, len(names) - 1)):
            before = box.currentText()
            box.clear()
            box.addItems(list(names))
            box.setCurrentIndex(names.index(before) if before in names else usual)
        self.button.setEnabled(len(names) > 1)
        self.show_landscape(None)

    def chosen(self) -> tuple[str, str]:
        """The hyper-parameters down and across."""
        return self.down.currentText(), self.across.currentText()

    def ask(self) -> None:
        """Want the landscape of the two that are chosen."""
        down, across = self.chosen()
        if down and across and down != across:
            self.wanted.emit((down, across))

    def show_landscape(self, found: Landscape | None) -> None:
        """Show a landscape, complete or not; None hides it."""
        self.view.setVisible(found is not None)
        self._hint.setVisible(found is not None)
        self.view.show_landscape(found)
        self._show_paths()

    def set_runs(self, runs: Sequence[tuple[tuple[str, ...], Array]]) -> None:
        """Ways of the optimiser: names of its columns, and theta [i, p]; the best run last."""
        self._runs = tuple(runs)
        self._show_paths()

    def _show_paths(self) -> None:
        down, across = self.chosen()
        self.view.show_paths(
            [path[:, [names.index(down), names.index(across)]] for names, path in self._runs if {down, across} <= set(names)]
        )
