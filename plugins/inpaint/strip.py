"""The strip under the canvas: every version as a small picture, and what can be done with the one chosen."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QHBoxLayout, QListView, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from studio.ui.icons import IconButton
from studio.ui.pictures import pixmap_of
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.inpaint.versions import Version, Versions

_SIDE = 72


class Strip(QWidget):
    """Signals: `apply` and `discard` (Version). Hidden while there is no version."""

    apply = Signal(object)
    discard = Signal(object)

    def __init__(self, versions: Versions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._versions = versions
        self._shown: list[Version] = []
        self.list = QListWidget(self)
        self.list.setViewMode(QListView.ViewMode.IconMode)
        self.list.setFlow(QListView.Flow.LeftToRight)
        self.list.setWrapping(False)
        self.list.setMovement(QListView.Movement.Static)
        self.list.setIconSize(QSize(_SIDE, _SIDE))
        self.list.setFixedHeight(_SIDE + 44)
        self.list.setAccessibleName("Versions")
        self.list.currentRowChanged.connect(self._choose)
        self.list.itemDoubleClicked.connect(lambda _item: self._emit(self.apply))
        self._apply = QPushButton("Apply as a layer", self)
        self._apply.setToolTip("Lay the chosen version over the picture; Undo takes it back (Return)")
        self._apply.clicked.connect(lambda _checked=False: self._emit(self.apply))
        self._discard = IconButton("trash", "Discard this version; what was kept stays in the History (Delete)", self)
        self._discard.clicked.connect(lambda _checked=False: self._emit(self.discard))
        buttons = QVBoxLayout()
        buttons.setSpacing(SPACE_S)
        buttons.addWidget(self._apply)
        buttons.addWidget(self._discard, 0, Qt.AlignmentFlag.AlignRight)
        buttons.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        row.addWidget(self.list, 1)
        row.addLayout(buttons)
        versions.changed.connect(self._show)
        versions.chosen.connect(lambda _version: self._mark())
        self._show()

    def _show(self) -> None:
        with QSignalBlocker(self.list):
            self.list.clear()
            self._shown = list(self._versions.all)
            for version in self._shown:
                patch = version.result.filled.patches[version.index]
                item = QListWidgetItem(QIcon(pixmap_of(patch, _SIDE, self.devicePixelRatioF())), f"seed {version.seed}")
                item.setToolTip(version.result.request.condition or version.result.request.mode)
                self.list.addItem(item)
        self.setVisible(bool(self._shown))
        self._mark()

    def _mark(self) -> None:
        current = self._versions.current
        with QSignalBlocker(self.list):
            self.list.setCurrentRow(self._shown.index(current) if current in self._shown else -1)
        for button in (self._apply, self._discard):
            button.setEnabled(current is not None)

    def _choose(self, row: int) -> None:
        self._versions.choose(self._shown[row] if 0 <= row < len(self._shown) else None)

    def _emit(self, signal: object) -> None:
        if self._versions.current is not None:
            signal.emit(self._versions.current)  # type: ignore[attr-defined]
