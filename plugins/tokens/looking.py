"""How the maps are looked at: which layer and head, one step or all, and how they are painted over the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QMenu, QSizePolicy, QSlider, QToolButton, QWidget

from studio.ui.tokens import SPACE_S
from studio.ui.wheel import wheel_passed_on

ALL = -1


@dataclass(frozen=True)
class Look:
    """layer, head: ALL or an index; every_step: the mean of all steps instead of the one under the timeline's mark.

    opacity: of the map over the picture. smooth: between cells. common: small maps share one colour scale.
    """

    layer: int = ALL
    head: int = ALL
    every_step: bool = False
    opacity: float = 0.6
    smooth: bool = False
    common: bool = False

    @classmethod
    def of(cls, stored: Any) -> Look:
        """A look kept by `asdict`; what is malformed gets its default."""
        found = stored if isinstance(stored, Mapping) else {}
        plain = cls()
        good = {k: v for k, v in found.items() if k in asdict(plain) and type(v) is type(getattr(plain, k))}
        look = cls(**good)
        opacity = min(1.0, max(0.0, look.opacity))
        return replace(look, opacity=opacity, layer=max(ALL, look.layer), head=max(ALL, look.head))


class LookBar(QWidget):
    """The row of controls above the picture; `every_step` and `display` are put into the bar above it by the panel.

    `changed` fires when the look does, by person or program.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._heads: tuple[int, ...] = ()
        self.layers = _combo("Layer", "Which attention layer's maps are shown; all: their mean", self)
        self.heads = _combo("Head", "Which head of the layer; all: their mean. Choose a layer first", self)
        self.every_step = QToolButton(self)
        self.every_step.setText("All steps")
        self.every_step.setCheckable(True)
        self.every_step.setToolTip("Show the mean of all steps instead of the step under the timeline's mark")
        self.opacity = QSlider(Qt.Orientation.Horizontal, self)
        self.opacity.setRange(0, 100)
        self.opacity.setMinimumWidth(60)
        self.opacity.setMaximumWidth(160)
        self.opacity.setToolTip("How much the map covers the picture, 0 to 100 %")
        self.opacity.setAccessibleName("Opacity of the map")
        label = QLabel("Map", self)
        label.setProperty("tone", "muted")
        label.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self.display = more = QToolButton(self)
        more.setText("Display")
        more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        more.setToolTip("How the maps are painted")
        menu = QMenu(more)
        self.smooth = menu.addAction("Smooth between cells")
        self.common = menu.addAction("One colour scale for all words")
        for action in (self.smooth, self.common):
            action.setCheckable(True)
            action.toggled.connect(lambda _on: self.changed.emit())
        more.setMenu(menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(self.layers, 100)
        row.addWidget(self.heads, 70)
        row.addWidget(label)
        row.addWidget(self.opacity, 70)
        row.addStretch(1)  # takes what is beyond the greatest width of the others
        self.layers.currentIndexChanged.connect(lambda _index: self._layer_chosen())
        self.heads.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.every_step.toggled.connect(lambda _on: self.changed.emit())
        self.opacity.valueChanged.connect(lambda _value: self.changed.emit())
        for wheeled in (self.layers, self.heads, self.opacity):
            wheeled.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            wheeled.installEventFilter(self)
        self.set_layers((), ())
        self.show_look(Look())

    def set_layers(self, titles: Sequence[str], heads: Sequence[int]) -> None:
        """Offer these layers, each with so many heads; the choice stays where it is still there."""
        look = self.look
        self._heads = tuple(heads)
        _offer(self.layers, "All layers", titles)
        self.show_look(look)

    @property
    def look(self) -> Look:
        """What is chosen."""
        return Look(
            self.layers.currentIndex() - 1 if self.layers.count() else ALL,
            self.heads.currentIndex() - 1 if self.heads.count() else ALL,
            self.every_step.isChecked(),
            self.opacity.value() / 100,
            self.smooth.isChecked(),
            self.common.isChecked(),
        )

    def show_look(self, look: Look) -> None:
        """Show a look, as far as its layer and head are there; `changed` fires once."""
        parts = (self.layers, self.heads, self.every_step, self.opacity, self.smooth, self.common)
        blockers = [QSignalBlocker(part) for part in parts]
        self.layers.setCurrentIndex(look.layer + 1 if look.layer < self.layers.count() - 1 else 0)
        self._offer_heads()
        self.heads.setCurrentIndex(look.head + 1 if look.head < self.heads.count() - 1 else 0)
        self.every_step.setChecked(look.every_step)
        self.opacity.setValue(round(100 * look.opacity))
        self.smooth.setChecked(look.smooth)
        self.common.setChecked(look.common)
        del blockers
        self.changed.emit()

    def _layer_chosen(self) -> None:
        with QSignalBlocker(self.heads):
            self._offer_heads()
        self.changed.emit()

    def _offer_heads(self) -> None:
        """The heads of the layer chosen; a layer of which only the mean was kept has none to choose from."""
        layer = self.layers.currentIndex() - 1
        count = self._heads[layer] if 0 <= layer < len(self._heads) else 0
        _offer(self.heads, "All heads", [f"Head {i + 1}" for i in range(count)] if count > 1 else ())
        self.heads.setEnabled(count > 1)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        return wheel_passed_on(watched, event) or super().eventFilter(watched, event)


def _combo(name: str, tip: str, parent: QWidget) -> QComboBox:
    combo = QComboBox(parent)
    combo.setAccessibleName(name)
    combo.setToolTip(tip)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    combo.setMinimumWidth(80)
    combo.setMaximumWidth(190)
    return combo


def _offer(combo: QComboBox, first: str, others: Sequence[str]) -> None:
    with QSignalBlocker(combo):
        combo.clear()
        combo.addItems([first, *others])
