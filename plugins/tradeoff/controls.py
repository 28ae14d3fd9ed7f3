"""The left column: the form, and Cancel."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from studio.models.catalog import ModelInfo, find_models
from studio.ui.cancel_row import CancelRow
from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from studio_plugins.tradeoff.request import TradeoffRequest

_PROVIDERS = {"models": "text2im", "classifiers": "classifier", "clips": "clip"}


class Controls(QWidget):
    """Builds its parts into a PanelLayout. Signal: `changed` at every edit."""

    changed = Signal()

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
        self.row = CancelRow("Stop after this step (Esc); the points there are stay and are kept", zones)


def _choices(models: Sequence[ModelInfo], kind: str) -> list[tuple[str, str]]:
    return [(info.id, info.title) for info in models if info.kind == kind]
