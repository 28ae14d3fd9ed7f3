"""The three zones of every panel: controls on the left, the stage in the middle, insight on the right."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt, QTimer
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from studio.ui.collapsible import Collapsible
from studio.ui.icons import IconButton
from studio.ui.tokens import SPACE_L, SPACE_M, SPACE_S
from studio.ui.wheel import WHEELED, wheel_passed_on

LayoutT = TypeVar("LayoutT", bound=QBoxLayout)
CONTROLS_WIDTH, INSIGHT_WIDTH, NARROW = 304, 296, 1100
LEAST_CONTROLS, LEAST_STAGE, LEAST_INSIGHT = 280, 360, 264
ALL_THREE = LEAST_CONTROLS + LEAST_STAGE + LEAST_INSIGHT + 2  # and two handles


class Column(QScrollArea):
    """A scrollable column whose content is as wide as the view; `add` appends."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setAutoFillBackground(False)
        self._body = QWidget(self)
        self._body.setAutoFillBackground(False)
        self.layout_ = QVBoxLayout(self._body)
        self.layout_.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        self.layout_.setSpacing(SPACE_M)
        self.layout_.addStretch(1)
        self.setWidget(self._body)
        self.verticalScrollBar().rangeChanged.connect(self._make_room)

    def add(self, widget: QWidget, stretch: int = 0) -> None:
        """Append a widget above the free space at the bottom; build it first, its fields are looked at here."""
        self.layout_.insertWidget(self.layout_.count() - 1, widget, stretch)
        inside = [widget, *widget.findChildren(QWidget)]
        for child in inside:
            if isinstance(child, WHEELED):
                child.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                child.installEventFilter(self)
            elif isinstance(child, Collapsible):
                child.toggled.connect(partial(self._unfolded, child))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        return wheel_passed_on(watched, event) or super().eventFilter(watched, event)

    def _make_room(self, _low: int, high: int) -> None:
        # The bar takes its width from the margin, so that nothing moves when it appears.
        bar = self.verticalScrollBar().sizeHint().width() if high > 0 else 0
        self.layout_.setContentsMargins(SPACE_L, SPACE_L, max(0, SPACE_L - bar), SPACE_L)

    def _unfolded(self, section: Collapsible, expanded: bool) -> None:
        if expanded and self.isVisible():
            QTimer.singleShot(0, section, partial(self._reveal, section))  # once the column has its new height

    def _reveal(self, section: Collapsible) -> None:
        """Scroll to what was just unfolded: to its end, but never past its heading."""
        top = section.mapTo(self._body, QPoint(0, 0)).y()
        self.ensureVisible(0, top + section.height(), 0, SPACE_S)
        self.ensureVisible(0, top, 0, SPACE_S)


class PanelLayout(QWidget):
    """Make one in `Panel.build`: `zones = PanelLayout(self)`; it fills the panel.

    `add_control(widget)` and `set_primary(label, callback)` fill the controls, `set_stage(widget)` the centre,
    `add_insight(heading, widget)` the foldable right column, `add_stage_tool(widget)` the thin bar above the stage.
    """

    def __init__(self, panel: QWidget) -> None:
        super().__init__(panel)
        outer = QVBoxLayout(panel)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self)
        self._panel = panel
        self.primary: QPushButton | None = None
        self._controls = Column(self)
        self._controls.setAccessibleName("Controls")
        self._footer = QVBoxLayout()
        self._footer.setContentsMargins(SPACE_L, SPACE_S, SPACE_L, SPACE_L)
        self._footer.setSpacing(SPACE_S)
        left = _framed(self, "right")
        left_layout = _tight(QVBoxLayout(left))
        left_layout.addWidget(self._controls, 1)
        left_layout.addLayout(self._footer)
        left.setMinimumWidth(LEAST_CONTROLS)
        self._left = left

        centre = QWidget(self)
        centre.setMinimumWidth(LEAST_STAGE)  # said here, so that a long text above the stage cannot widen the window
        self._centre = _tight(QVBoxLayout(centre))
        self._tools = _framed(centre, "bottom")
        self._tool_row = QHBoxLayout(self._tools)
        self._tool_row.setContentsMargins(SPACE_M, 4, SPACE_S, 4)
        self._tool_row.setSpacing(4)
        self._tool_row.addStretch(1)
        self._left_tools = 0
        self.insight_button = IconButton("sidebar-right", "Show or hide the insight column", self._tools)
        self.insight_button.setCheckable(True)
        self.insight_button.setChecked(True)
        self.insight_button.toggled.connect(self.set_insight_visible)
        self.insight_button.hide()
        self._tool_row.addWidget(self.insight_button)
        self._tools.hide()
        self._centre.addWidget(self._tools)
        self._stage: QWidget | None = None

        self._insight = Column(self)
        self._insight.setAccessibleName("Insight")
        self._right = _framed(self, "left")
        _tight(QVBoxLayout(self._right)).addWidget(self._insight)
        self._right.setMinimumWidth(LEAST_INSIGHT)
        self._right.hide()

        self._splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self._splitter.setHandleWidth(1)
        for widget, stretch in ((left, 0), (centre, 1), (self._right, 0)):
            self._splitter.addWidget(widget)
            self._splitter.setStretchFactor(self._splitter.count() - 1, stretch)
        self._splitter.setCollapsible(0, False)
        self._splitter.setCollapsible(1, False)
        self._splitter.setCollapsible(2, False)
        self._narrow = False
        self._insight_wanted = True
        self._splitter.setSizes([CONTROLS_WIDTH, 700, INSIGHT_WIDTH])
        _tight(QVBoxLayout(self)).addWidget(self._splitter)

    def add_control(self, widget: QWidget) -> None:
        """Append to the controls, above the primary button."""
        self._controls.add(widget)

    def set_primary(
        self, label: str, callback: Callable[[], Any], *, shortcut: str = "", tip: str = "", icon: str = ""
    ) -> QPushButton:
        """The one primary button of the panel, always visible below the controls."""
        button = QPushButton(label, self)
        button.setProperty("role", "primary")
        button.setToolTip(f"{tip or label}{f' ({shortcut})' if shortcut else ''}")
        button.setAccessibleName(label)
        button.clicked.connect(lambda _checked=False: callback())
        if shortcut:
            keys = QShortcut(QKeySequence(shortcut), self._panel)
            keys.setContext(Qt.ShortcutContext.WindowShortcut)  # a panel under another tab is hidden, so its key is off
            keys.activated.connect(button.click)
        self._footer.insertWidget(0, button)
        self.primary = button
        return button

    def add_secondary(self, widget: QWidget) -> None:
        """A row below the primary button (e.g. queue options)."""
        self._footer.addWidget(widget)

    def set_stage(self, widget: QWidget) -> None:
        """The picture or plot in the centre; replaces the one before (which is hidden, not deleted)."""
        if self._stage is not None:
            self._centre.removeWidget(self._stage)
            self._stage.hide()
        self._stage = widget
        self._centre.addWidget(widget, 1)
        widget.show()

    def add_stage_tool(self, widget: QWidget, *, right: bool = False) -> None:
        """A button or label in the thin bar above the stage."""
        self._tools.show()
        if right:
            self._tool_row.insertWidget(self._tool_row.count() - 1, widget)
        else:
            self._tool_row.insertWidget(self._left_tools, widget)
            self._left_tools += 1

    def add_below_stage(self, widget: QWidget) -> None:
        """A strip under the stage, such as a timeline."""
        self._centre.addWidget(widget)

    def add_insight(self, heading: str, widget: QWidget, *, expanded: bool = True) -> Collapsible:
        """A foldable section of the right column."""
        section = Collapsible(heading, self, expanded=expanded)
        section.add(widget)
        self._insight.add(section)
        self._tools.show()
        self.insight_button.show()
        self._right.setVisible(self.insight_button.isChecked())
        return section

    def set_insight_visible(self, visible: bool) -> None:
        """Show or hide the right column; where there is no room for three, it takes the place of the controls."""
        self._right.setVisible(visible and not self.insight_button.isHidden())
        self._show_controls()
        self.insight_button.setChecked(visible)
        if not self._narrow:
            self._insight_wanted = visible

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # The stage comes first: below this width the insight column folds, and comes back when there is room again.
        width = event.size().width()
        narrow = width < NARROW
        if narrow != self._narrow:
            self._narrow = narrow
            self.set_insight_visible(self._insight_wanted and not narrow)
        elif width < ALL_THREE <= event.oldSize().width():
            self.set_insight_visible(False)
        self._show_controls()

    def _show_controls(self) -> None:
        self._left.setVisible(self._right.isHidden() or self.width() >= ALL_THREE)

    def minimumSizeHint(self) -> QSize:
        # Without the insight column, which folds when room is short: it must not keep the window from becoming smaller.
        return QSize(LEAST_CONTROLS + LEAST_STAGE + 1, super().minimumSizeHint().height())

    def state(self) -> dict[str, Any]:
        """Widths and folding, for `Panel.state()`."""
        return {"sizes": self._splitter.sizes(), "insight": self._insight_wanted}

    def restore(self, state: Any) -> None:
        """Take up `state()`; anything malformed is ignored."""
        if not isinstance(state, dict):
            return
        sizes = state.get("sizes")
        if isinstance(sizes, list) and len(sizes) == 3 and all(isinstance(s, int) and 0 <= s < 10_000 for s in sizes):
            if sizes[1] > 0:
                self._splitter.setSizes(sizes)
        if isinstance(state.get("insight"), bool):
            self._insight_wanted = state["insight"]
            self.set_insight_visible(self._insight_wanted and not self._narrow)

    def sizeHint(self) -> QSize:
        return QSize(1100, 720)


def _framed(parent: QWidget, edge: str) -> QFrame:
    frame = QFrame(parent)
    frame.setProperty("edge", edge)
    return frame


def _tight(layout: LayoutT) -> LayoutT:
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    return layout
