"""The strip under the canvas: every version as a small picture, its steps, and what can be done with the one chosen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QPoint, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent, QPainter, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QFrame, QHBoxLayout, QListView, QListWidget, QListWidgetItem, QMenu, QPushButton, QVBoxLayout, QWidget,
)  # fmt: skip

from studio.ui.icons import IconButton
from studio.ui.pictures import pixmap_of
from studio.ui.theme import theme
from studio.ui.timeline import Timeline
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.inpaint.versions import Version, Versions

_SIDE = 56
_LEAST_FOR_STEPS = 640
"""Pixels of width below which there is no room for the steps."""


class Strip(QFrame):
    """Signals: `apply`, `again` (apply and paint on), each with the Version chosen. Hidden while there is no version.

    Left and Right choose, Return applies, K keeps, Delete discards, Esc goes back to the document.
    """

    apply = Signal(object)
    again = Signal(object)

    def __init__(self, versions: Versions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("edge", "top")
        self._versions = versions
        self._shown: list[Version] = []
        self.list = _List(self)
        self.list.setViewMode(QListView.ViewMode.IconMode)
        self.list.setFlow(QListView.Flow.LeftToRight)
        self.list.setWrapping(False)
        self.list.setMovement(QListView.Movement.Static)
        self.list.setIconSize(QSize(_SIDE, _SIDE))
        self.list.setFixedHeight(_SIDE + self.fontMetrics().height() + 24)
        self.list.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setAccessibleName("Versions")
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._menu)
        self.list.currentRowChanged.connect(self._choose)
        self.list.itemDoubleClicked.connect(lambda _item: self._emit(self.apply))
        self.list.keys = {
            Qt.Key.Key_Return: partial(self._emit, self.apply), Qt.Key.Key_Enter: partial(self._emit, self.apply),
            Qt.Key.Key_Delete: self._discard, Qt.Key.Key_K: self._keep,
            Qt.Key.Key_Escape: lambda: versions.choose(None),
        }  # fmt: skip
        self.timeline = Timeline(self)
        self.timeline.setProperty("edge", "left")
        self.apply_button = QPushButton("Apply", self)
        self.apply_button.setToolTip("Lay this version over the picture as a layer; Ctrl+Z takes it back (Return)")
        self.apply_button.clicked.connect(lambda _checked=False: self._emit(self.apply))
        self.keep_button = self._button("star", "Keep: not discarded with the others (K)", self._keep)
        gone = "Discard; what is in the History stays there (Delete)"
        self.discard_button = self._button("trash", gone, self._discard)
        self.more = self._button("more", "More", lambda: self._menu(None))
        actions = QHBoxLayout()
        actions.setSpacing(2)
        for button in (self.keep_button, self.discard_button, self.more):
            actions.addWidget(button)
        buttons = QVBoxLayout()
        buttons.setSpacing(SPACE_S)
        buttons.addWidget(self.apply_button)
        buttons.addLayout(actions)
        buttons.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        row.setSpacing(SPACE_M)
        row.addWidget(self.list, 3)
        row.addWidget(self.timeline, 3)
        row.addLayout(buttons)
        versions.changed.connect(self._show)
        versions.chosen.connect(lambda _version: self._mark())
        theme().changed.connect(self._show)
        self._show()

    def show_steps(self, count: int) -> None:
        """How many steps the timeline has; it hides without any, and where there is no room."""
        if count != self.timeline.count():
            self.timeline.set_count(count)
        self.timeline.setVisible(count > 1 and self.width() >= _LEAST_FOR_STEPS)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.show_steps(self.timeline.count())

    def _button(self, icon: str, tip: str, action: Callable[[], object]) -> IconButton:
        button = IconButton(icon, tip, self, size=16)
        button.clicked.connect(lambda _checked=False: action())
        return button

    def _show(self) -> None:
        with QSignalBlocker(self.list):
            if self._shown != self._versions.all[: len(self._shown)]:  # not only more of them
                self.list.clear()
            self._shown = list(self._versions.all)
            for row, version in enumerate(self._shown):
                item = self.list.item(row) or QListWidgetItem(self.list)
                item.setIcon(_icon(version, self.devicePixelRatioF()))
                item.setText(f"seed {version.seed}")
                item.setToolTip(_tip(version))
        self._mark()

    def _mark(self) -> None:
        current = self._versions.current
        with QSignalBlocker(self.list):
            row = self._shown.index(current) if current in self._shown else -1
            self.list.setCurrentRow(row)
            if row < 0:
                self.list.clearSelection()
        for button in (self.apply_button, self.keep_button, self.discard_button):
            button.setEnabled(current is not None)
        self.apply_button.setText("Applied" if current is not None and current.applied else "Apply")
        self.keep_button.set_icon("star-filled" if current is not None and current.kept else "star")

    def _choose(self, row: int) -> None:
        self._versions.choose(self._shown[row] if 0 <= row < len(self._shown) else None)

    def _emit(self, signal: object) -> None:
        if self._versions.current is not None:
            signal.emit(self._versions.current)  # type: ignore[attr-defined]

    def _keep(self) -> None:
        if self._versions.current is not None:
            self._versions.keep(self._versions.current)

    def _discard(self) -> None:
        if self._versions.current is not None:
            self._versions.discard(self._versions.current)

    def _menu(self, place: QPoint | None) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        current = self._versions.current
        if current is not None:
            menu.addAction("Apply as a layer (Return)", partial(self._emit, self.apply))
            menu.addAction("Apply, and paint again on it", partial(self._emit, self.again))
            menu.addAction("Do not keep (K)" if current.kept else "Keep (K)", self._keep)
            menu.addAction("Discard (Delete)", self._discard)
            menu.addSeparator()
            menu.addAction("Show the document without it (Esc)", partial(self._versions.choose, None))
        menu.addAction("Discard all that are neither kept nor applied", self._versions.discard_others)
        at = self.more.mapToGlobal(QPoint(0, 0)) if place is None else self.list.viewport().mapToGlobal(place)
        menu.popup(at)


class _List(QListWidget):
    """A list with keys of its own."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.keys: dict[Qt.Key, Callable[[], object]] = {}

    def keyPressEvent(self, event: QKeyEvent) -> None:
        action = self.keys.get(Qt.Key(event.key()))
        if action is None:
            super().keyPressEvent(event)
        else:
            action()


def _icon(version: Version, ratio: float) -> QIcon:
    """The thumbnail in its own colours, chosen or not."""
    picture, icon = _thumbnail(version, ratio), QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        icon.addPixmap(picture, mode)
    return icon


def _thumbnail(version: Version, ratio: float) -> QPixmap:
    """The version, with a star where it is kept and a tick where it is applied."""
    result = version.result
    pixels = version.patch.pixels[..., :3] if result is None else result.filled.patches[version.index]
    picture = pixmap_of(pixels, _SIDE, ratio)
    painter = QPainter(picture)
    for shown, icon, left in ((version.kept, "star-filled", True), (version.applied, "check", False)):
        if shown:
            x = 2 if left else round(picture.width() / ratio) - 18
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("surface"))
            painter.drawRoundedRect(x, 2, 16, 16, 4, 4)
            theme().icon(icon, "accent").paint(painter, x + 1, 3, 14, 14)
    painter.end()
    return picture


def _tip(version: Version) -> str:
    words = [version.name, version.request.model]
    words += ["kept"] * version.kept + ["applied as a layer"] * version.applied
    return "\n".join([words[0], ", ".join(words[1:])])
