"""The thin bar above the stage: the document and its file, how far a run is, ways to compare a version."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QProgressBar, QToolButton, QWidget

from studio.ui.elided import ElidedLabel
from studio.ui.icons import IconButton
from studio.ui.panel_layout import PanelLayout
from studio_plugins.inpaint.looking import Way

Entry = tuple[str, Callable[[], object]] | None
"""(words, what it does) of a menu; None is a line between."""

_WAYS = {
    Way.OVER: ("Version alone", "Show the version in place of what was there"),
    Way.SLIDER: ("Slider", "Document and version on either side of a line one drags"),
    Way.BESIDE: ("Side by side", "Document and version beside each other, at the same zoom"),
    Way.BLINK: ("Blink", "Document and version in turn, twice a second"),
}


class StageBar(QWidget):
    """Fills the tool row of a PanelLayout. Signals: `open`, `save`, `way` (Way), `noisy` (whether x_t is shown)."""

    open = Signal()
    save = Signal()
    way = Signal(object)
    noisy = Signal(bool)

    def __init__(self, zones: PanelLayout, entries: list[Entry], parent: QWidget) -> None:
        super().__init__(parent)
        self.hide()  # only the owner of the tools below
        opens = IconButton("open", "Open a picture or a document… (Ctrl+O)", zones)
        opens.clicked.connect(lambda _checked=False: self.open.emit())
        self.save_button = IconButton("save", "Save the document (Ctrl+S)", zones)
        self.save_button.clicked.connect(lambda _checked=False: self.save.emit())
        self.name = ElidedLabel(zones, most=260)
        self.name.setAccessibleName("Document")
        self._progress = QProgressBar(zones)
        self._progress.setRange(0, 1000)
        self._progress.setTextVisible(False)
        self._progress.setFixedWidth(90)
        self._progress.setAccessibleName("Progress of the drawing")
        self._progress.hide()
        self._status = ElidedLabel(zones)
        self._status.setProperty("tone", "muted")
        for widget in (opens, self.save_button, _menu(entries, zones), self.name, self._progress, self._status):
            zones.add_stage_tool(widget)
        self._noisy = _toggle("xₜ", "What the network sees at this step, noise included, instead of its x₀", zones)
        self._noisy.toggled.connect(self.noisy)
        zones.add_stage_tool(self._noisy, right=True)
        self._group = QActionGroup(self)
        self.ways = _menu_button(zones)
        self.way_actions = {way: self._add_way(way, words) for way, words in _WAYS.items()}
        zones.add_stage_tool(self.ways, right=True)
        self.show_way(Way.OVER)
        self.offer(version=False, steps=False)

    def show_status(self, text: str, share: float | None) -> None:
        """A line on what is going on; `share` (0..1) also as a bar, None hides it."""
        self._status.setText(text)
        self._progress.setVisible(share is not None)
        self._progress.setValue(round(1000 * (share or 0.0)))

    def status(self) -> str:
        return self._status.text()

    def show_document(self, name: str, tip: str, *, unsaved: bool) -> None:
        """Title and marker of the document."""
        self.name.setText(name)
        self.name.setToolTip(tip)
        self.save_button.setEnabled(unsaved)

    def show_way(self, way: Way) -> None:
        """Mark how a version is compared."""
        self.way_actions[way].setChecked(True)
        self.ways.setText(f"{_WAYS[way][0]} ▾")

    def offer(self, *, version: bool, steps: bool) -> None:
        """Show what is possible with what is looked at."""
        self.ways.setVisible(version)
        self._noisy.setVisible(steps)

    def _add_way(self, way: Way, words: tuple[str, str]) -> QAction:
        action = self.ways.menu().addAction(words[0])
        action.setToolTip(words[1])
        action.setCheckable(True)
        action.setActionGroup(self._group)
        action.triggered.connect(lambda _checked=False: self.way.emit(way))
        return action


def _toggle(text: str, tip: str, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(text)
    button.setCheckable(True)
    return button


def _menu_button(parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setToolTip("How the version is compared with the document")
    button.setAccessibleName("Compare")
    menu = QMenu(button)
    menu.setToolTipsVisible(True)
    button.setMenu(menu)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    return button


def _menu(entries: list[Entry], parent: QWidget) -> IconButton:
    button = IconButton("more", "Document: new, save as, paste, export", parent)
    menu = QMenu(button)
    for entry in entries:
        if entry is None:
            menu.addSeparator()
        else:
            menu.addAction(*entry)
    button.setMenu(menu)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    return button
