"""The centre: all heads on the left, and beside them one of six ways to look at the head that is chosen."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from studio.ui.cards import EmptyState
from studio.ui.drop import dropped_pictures
from studio.ui.elided import ElidedLabel
from studio.ui.page_tabs import PageTabs
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.attention.effect_page import EffectPage
from studio_plugins.attention.lines_view import LinesPage
from studio_plugins.attention.map_page import MapPage
from studio_plugins.attention.mosaic_view import MosaicView
from studio_plugins.attention.picture_page import PicturePage
from studio_plugins.attention.results import BY_EFFECT, STATISTICS
from studio_plugins.attention.sides_page import SidesPage
from studio_plugins.attention.sight import Sight
from studio_plugins.attention.token_strip import Strips
from studio_plugins.attention.writing_page import WritingPage

PAGES = {
    "map": ("Map", "One head exactly"), "lines": ("Lines", "Tokens joined to where they look"),
    "sides": ("Side by side", "Raw, rollout, relevancy and norm-weighted"), "effect": ("Switch off", "What changes without some heads"),
    "writing": ("Writing", "Token by token: probabilities, logit lens, cache"), "picture": ("Picture", "Attention laid over the picture"),
}  # fmt: skip


class Stage(QStackedWidget):
    """Signals: `turned` (name of the page now on show), `dropped` (path of a picture, a session or a model folder),
    `ordered` (a statistic heads are to be sorted by)."""

    turned = Signal(str)
    dropped = Signal(object)
    ordered = Signal(str)

    def __init__(self, sight: Sight, empty: EmptyState, parent: QWidget) -> None:
        super().__init__(parent)
        self._sight = sight
        self.mosaic = MosaicView(sight, self)
        self.map, self.lines, self.sides = MapPage(sight, self), LinesPage(sight, self), SidesPage(sight, self)
        self.effect, self.writing, self.picture = EffectPage(sight, self), WritingPage(sight, self), PicturePage(sight, self)
        self.strips = Strips(sight, self)
        self._pages = QStackedWidget(self)
        self._by_name = dict(zip(PAGES, (self.map, self.lines, self.sides, self.effect, self.writing, self.picture), strict=True))
        for page in self._by_name.values():
            self._pages.addWidget(page)
        self.tabs = PageTabs(PAGES, "Ways to look at attention", self)
        self.tabs.setUsesScrollButtons(True)
        self.tabs.currentChanged.connect(self._turn)
        self.order = QComboBox(self)
        self.order.setAccessibleName("Order of the heads")
        self.order.setToolTip("Sort all heads by a statistic, largest first")
        self.order.addItem("By layer", "")
        for name, (title, tip) in STATISTICS.items():
            self.order.addItem(title, name)
            self.order.setItemData(self.order.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.order.addItem(BY_EFFECT[1], BY_EFFECT[0])
        self.order.setItemData(self.order.count() - 1, BY_EFFECT[2], Qt.ItemDataRole.ToolTipRole)
        self.order.activated.connect(lambda _at: self.set_order(self.order.currentData()))
        self.legend = ElidedLabel(self)
        self.legend.setProperty("tone", "faint")
        left, right = QWidget(self), QWidget(self)
        above = QHBoxLayout()
        above.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, 0)
        above.addWidget(QLabel("Heads", left))
        above.addWidget(self.order, 1)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addLayout(above)
        column.addWidget(self.mosaic, 1)
        below = QHBoxLayout()
        below.setContentsMargins(SPACE_S, 0, SPACE_S, SPACE_S)
        below.addWidget(self.legend)
        below.addStretch(1)
        column.addLayout(below)
        tab_row = QHBoxLayout()
        tab_row.setContentsMargins(SPACE_M, 0, SPACE_M, 0)
        tab_row.addWidget(self.tabs)
        tab_row.addStretch(1)
        whole = QVBoxLayout(right)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(tab_row)
        whole.addWidget(self._pages, 1)
        whole.addWidget(self.strips)
        left.setMinimumWidth(200)
        self.split = QSplitter(Qt.Orientation.Horizontal, self)
        self.split.addWidget(left)
        self.split.addWidget(right)
        self.split.setStretchFactor(0, 0)
        self.split.setStretchFactor(1, 1)
        self.split.setChildrenCollapsible(False)
        self.split.setSizes([290, 600])
        self.addWidget(empty)
        self.addWidget(self.split)
        self.setAcceptDrops(True)
        sight.opened.connect(self._opened)
        sight.filled.connect(lambda _strip: self._tell())
        sight.counted.connect(self._tell)

    # --- pages ---

    @property
    def page(self) -> str:
        """Name of the page on show."""
        return self.tabs.page

    def show_page(self, name: object) -> None:
        """Turn to a page; an unknown name is ignored."""
        self.tabs.show_page(name)

    def _turn(self, at: int) -> None:
        self._pages.setCurrentIndex(at)
        if self.page != "writing":
            self.writing.stop()
        self.turned.emit(self.page)

    def set_order(self, statistic: str) -> None:
        """Sort the heads; a statistic that is not there yet is asked for."""
        self.order.setCurrentIndex(max(0, self.order.findData(statistic)))
        self.mosaic.set_order(self.order.currentData())
        self._tell()
        self.ordered.emit(self.order.currentData())

    def _opened(self) -> None:
        overview = self._sight.overview
        self.setCurrentIndex(1)
        sees = overview is not None and overview.picture is not None
        self.tabs.set_page_visible("picture", sees)
        if self.page == "picture" and not sees:
            self.show_page("map")
        self._tell()

    def _tell(self) -> None:
        sight = self._sight
        if sight.overview is None:
            return
        count, total = len(sight.thumbnails), len(sight.overview.heads)
        if count < total:
            self.legend.setText(f"{count} of {total} heads drawn")
        elif self.mosaic.order and not sight.statistics.get(self.mosaic.order):
            self.legend.setText("Sorted as soon as every head is tested")
        else:
            text = "row: a layer, column: a head" if not self.mosaic.order else "largest first"
            self.legend.setText(f"{text}{'; sampled rows' if sight.sampled else ''}")

    # --- dropping a picture ---

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_pictures(event.mimeData()) or self._other(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        pictures, other = dropped_pictures(event.mimeData()), self._other(event)
        if pictures or other is not None:
            event.acceptProposedAction()
            self.dropped.emit(pictures[0] if pictures else other)

    @staticmethod
    def _other(event: QDragEnterEvent | QDropEvent) -> Path | None:
        """A session file, or what may be a model folder: the engine looks at the disk."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        return next((path for path in paths if path.suffix.lower() in ("", ".json") or path.name.count(".")), None)
