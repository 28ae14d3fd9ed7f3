"""The bar that chooses what lies over a grid world."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from studio.ui.icons import IconButton
from studio.ui.tokens import SPACE_XS
from studio_plugins.rl.overlays import HEATS, TIPS, Overlays

_TOGGLES = (
    ("behaviour", "policy", "Behaviour policy: arrows as long as the probability that the agent acts so"),
    ("target", "target-policy", "Greedy policy: the action of the highest value, which off-policy agents learn about"),
    ("optimal", "optimal", "Optimal policy: outlines that the greedy policy fills once it is learnt"),
    ("trail", "trail", "Trajectory of the present episode"),
)


class OverlayBar(QWidget):
    """Signal: `changed` (Overlays)."""

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._overlays = Overlays()
        self.heat = QComboBox(self)
        self.heat.setAccessibleName("Map")
        for heat, title in HEATS.items():
            self.heat.addItem(title, heat)
            self.heat.setItemData(self.heat.count() - 1, TIPS[heat], Qt.ItemDataRole.ToolTipRole)
        self.heat.activated.connect(lambda _index: self._edited())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_XS)
        row.addWidget(self.heat)
        self.toggles: dict[str, IconButton] = {}
        for name, icon, tip in _TOGGLES:
            button = IconButton(icon, tip, self)
            button.setAccessibleName(tip.split(":")[0])
            button.setCheckable(True)
            button.clicked.connect(lambda _checked=False: self._edited())
            row.addWidget(button)
            self.toggles[name] = button
        self.set_overlays(self._overlays)

    @property
    def overlays(self) -> Overlays:
        return self._overlays

    def set_overlays(self, overlays: Overlays) -> None:
        """Show a choice; says nothing."""
        self._overlays = overlays
        self.heat.setCurrentIndex(self.heat.findData(overlays.heat))
        self.heat.setToolTip(TIPS[overlays.heat])
        for name, button in self.toggles.items():
            button.setChecked(getattr(overlays, name))

    def set_optimal_known(self, known: bool) -> None:
        """Whether the world's table is known, so that there is a best policy to show."""
        self.toggles["optimal"].setEnabled(known)

    def _edited(self) -> None:
        chosen = {name: button.isChecked() for name, button in self.toggles.items()}
        self.set_overlays(replace(self._overlays, heat=self.heat.currentData(), **chosen))
        self.changed.emit(self._overlays)
