"""The left column: the form, and Cancel."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from studio.models.catalog import ModelInfo, find_models
from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from studio.ui.theme import theme
from studio_plugins.tradeoff.request import TradeoffRequest

_PROVIDERS = {"models": "text2im", "classifiers": "classifier", "clips": "clip"}


class Controls(QWidget):
    """Builds its parts into a PanelLayout. Signals: `changed` at every edit, `cancelled`."""

    changed = Signal()
    cancelled = Signal()

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the parts below, which live in the zones
        found, self.problems = find_models(kinds=tuple(_PROVIDERS.values()))
        self.form: RequestForm[TradeoffRequest] = RequestForm(
            TradeoffRequest,
            zones,
            providers={name: lambda kind=kind: _choices(found, kind) for name, kind in _PROVIDERS.items()},
        )
        self.form.changed.connect(self.changed)
        zones.add_control(self.form)
        self._cancel = QToolButton(zones)
        self._cancel.setText("Cancel")
        self._cancel.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._cancel.setToolTip("Stop after this step (Esc); the points there are stay and are kept")
        self._cancel.clicked.connect(lambda _checked=False: self.cancelled.emit())
        row = QWidget(zones)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addStretch(1)
        layout.addWidget(self._cancel)
        self.row = row
        theme().changed.connect(self._paint)
        self._paint()
        self.set_busy(False)

    def set_busy(self, busy: bool) -> None:
        """Whether there is something to cancel."""
        self._cancel.setEnabled(busy)

    def _paint(self) -> None:
        self._cancel.setIcon(theme().icon("stop", "error"))


def _choices(models: Sequence[ModelInfo], kind: str) -> list[tuple[str, str]]:
    return [(info.id, info.title) for info in models if info.kind == kind]
