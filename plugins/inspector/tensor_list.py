"""The tensors of a file as a list: name, shape and type, and the norm once it is known; with a field to search by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QLineEdit, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QVBoxLayout, QWidget

from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX, SPACE_S
from studio_plugins.inspector.reading import Listing, TensorInfo
from studio_plugins.inspector.stats import Statistics
from studio_plugins.inspector.tables import number_text, shape_text, size_text

ROW_HEIGHT = 42
Index = QModelIndex | QPersistentModelIndex
NO_PARENT = QModelIndex()


class TensorModel(QAbstractListModel):
    """The infos of a listing; DisplayRole is the name, UserRole the TensorInfo, UserRole + 1 its Statistics or None."""

    STATISTICS = Qt.ItemDataRole.UserRole + 1

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.infos: tuple[TensorInfo, ...] = ()
        self.statistics: dict[str, Statistics] = {}
        self._rows: dict[str, int] = {}

    def show(self, infos: tuple[TensorInfo, ...]) -> None:
        """List these, with nothing known of their values yet."""
        self.beginResetModel()
        self.infos, self.statistics = infos, {}
        self._rows = {info.name: row for row, info in enumerate(infos)}
        self.endResetModel()

    def put(self, name: str, statistics: Statistics) -> None:
        """Take in what was measured of a tensor."""
        self.statistics[name] = statistics
        row = self._rows.get(name)
        if row is not None:
            self.dataChanged.emit(self.index(row), self.index(row))

    def row_of(self, name: str) -> int:
        return self._rows.get(name, -1)

    def rowCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self.infos)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self.infos):
            return None
        info = self.infos[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return info.name
        if role == Qt.ItemDataRole.UserRole:
            return info
        if role == self.STATISTICS:
            return self.statistics.get(info.name)
        if role == Qt.ItemDataRole.ToolTipRole:
            return info.problem or f"{info.name}\n{shape_text(info.shape)} {info.dtype}, {info.count:,} values, {size_text(info.nbytes)}"
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{info.name}, shape {shape_text(info.shape)}, {info.dtype}" + (f". {info.problem}" if info.problem else "")
        return None


class TensorDelegate(QStyledItemDelegate):
    """Two lines: the name; below it shape and type, and on the right the standard deviation once measured."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(120, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        info: TensorInfo = index.data(Qt.ItemDataRole.UserRole)
        found: Statistics | None = index.data(TensorModel.STATISTICS)
        colours = theme()
        painter.save()
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, colours.color("accent_soft" if chosen else "hover"))
        if chosen:
            painter.fillRect(rect.x(), rect.y(), 2, rect.height(), colours.color("accent"))
        box = rect.adjusted(SPACE_S + 2, 4, -SPACE_S, -4)
        font = option.font
        painter.setFont(font)
        painter.setPen(colours.color("disabled" if info.problem else "text"))
        name = painter.fontMetrics().elidedText(info.name, Qt.TextElideMode.ElideMiddle, box.width())
        painter.drawText(box, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, name)
        font.setPixelSize(round(FONT_PX["small"] * colours.font_scale))
        painter.setFont(font)
        painter.setPen(colours.color("disabled" if info.problem else "faint"))
        painter.drawText(box, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft, f"{shape_text(info.shape)}   {info.dtype}")
        right = "not numbers" if info.problem else f"σ {number_text(found.std, 3)}" if found is not None else ""
        painter.drawText(box, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignRight, right)
        painter.restore()


class TensorList(QWidget):
    """Search field and list. `chosen` carries the TensorInfo a person selected."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = TensorModel(self)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self.model)
        self._sorted.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.search = QLineEdit(self)
        self.search.setPlaceholderText("Find a tensor by name")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Find a tensor by name")
        self.search.textChanged.connect(self._sorted.setFilterFixedString)
        self.view = QListView(self)
        self.view.setModel(self._sorted)
        self.view.setItemDelegate(TensorDelegate(self.view))
        self.view.setUniformItemSizes(True)
        self.view.setMouseTracking(True)
        self.view.setAccessibleName("Tensors of the file")
        self.view.selectionModel().currentChanged.connect(self._selected)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self.search)
        layout.addWidget(self.view)

    def show_listing(self, listing: Listing | None) -> None:
        """List the tensors of a file; None empties the list."""
        self.search.clear()
        self.model.show(listing.tensors if listing else ())
        count = len(self.model.infos)
        self.search.setVisible(count > 8)
        self.fit()

    def fit(self, room: int = 12 * ROW_HEIGHT) -> None:
        """Be as high as the list needs, at most `room` pixels (but four rows): one scroll bar is enough."""
        count = max(1, len(self.model.infos))
        self.view.setFixedHeight(min(count * ROW_HEIGHT + 4, max(room, 4 * ROW_HEIGHT)))
        self.view.scrollTo(self.view.currentIndex())

    def select(self, name: str) -> bool:
        """Choose a tensor, as a click would; False if it is not listed."""
        row = self.model.row_of(name)
        if row < 0:
            return False
        if not self._sorted.mapFromSource(self.model.index(row)).isValid():
            self.search.clear()
        self.view.setCurrentIndex(self._sorted.mapFromSource(self.model.index(row)))
        self.view.scrollTo(self.view.currentIndex())
        return True

    def current(self) -> TensorInfo | None:
        info = self.view.currentIndex().data(Qt.ItemDataRole.UserRole)
        return info if isinstance(info, TensorInfo) else None

    def statistics(self) -> Mapping[str, Statistics]:
        """What has been measured so far, by name."""
        return self.model.statistics

    def _selected(self, current: QModelIndex, _previous: QModelIndex) -> None:
        info = current.data(Qt.ItemDataRole.UserRole)
        if isinstance(info, TensorInfo):
            self.chosen.emit(info)
