"""A section that folds under its heading."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from studio.ui.theme import theme
from studio.ui.tokens import SPACE_S


class Collapsible(QWidget):
    """A heading one can click (or press Space on) to fold what is below it. Put widgets in with `add`."""

    toggled = Signal(bool)

    def __init__(self, heading: str, parent: QWidget | None = None, *, expanded: bool = True) -> None:
        super().__init__(parent)
        self._button = QToolButton(self)
        self._button.setText(heading)
        self._button.setCheckable(True)
        self._button.setProperty("role", "section")
        self._button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._button.setIconSize(QSize(14, 14))
        self._button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._button.toggled.connect(self._fold)
        self._body = QWidget(self)
        self._inner = QVBoxLayout(self._body)
        self._inner.setContentsMargins(0, 4, 0, SPACE_S)
        self._inner.setSpacing(SPACE_S)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._button)
        layout.addWidget(self._body)
        self._body.setVisible(expanded)
        self._button.setChecked(expanded)
        self._show_state()

    @property
    def expanded(self) -> bool:
        return self._button.isChecked()

    def set_expanded(self, expanded: bool) -> None:
        """Fold or unfold, as a click would."""
        self._button.setChecked(expanded)

    def heading(self) -> str:
        return self._button.text()

    def set_heading(self, text: str) -> None:
        self._button.setText(text)
        self._show_state()

    def add(self, widget: QWidget, stretch: int = 0) -> None:
        """Append a widget to the body."""
        self._inner.addWidget(widget, stretch)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._show_state()

    def _fold(self, expanded: bool) -> None:
        self._body.setVisible(expanded)
        self._show_state()
        self.toggled.emit(expanded)

    def _show_state(self) -> None:
        expanded = self._button.isChecked()
        self._button.setIcon(theme().icon("chevron-down" if expanded else "chevron-right", "muted"))
        self._button.setAccessibleName(f"{self._button.text()}, {'expanded' if expanded else 'collapsed'}")
