"""How the posterior is worked out, and from how many inducing points where the formula as it stands would take too long."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QPushButton, QSpinBox, QWidget

from studio.ui.tokens import SPACE_S
from studio_plugins.gp.document import Scene
from studio_plugins.gp.ways import EXACT_LIMIT, MOST_INDUCING, SPARSE_LIMIT

METHODS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "auto": ("automatic", f"The formula as it stands up to {EXACT_LIMIT:,} points, inducing points up to {SPARSE_LIMIT:,}, batches beyond"),
        "exact": ("exact", "The formula as it stands: n³/3 operations"),
        "sparse": ("inducing points", "SGPR (Titsias 2009): m points stand for all, n·m² operations; a lower bound of log p(y)"),
        "stochastic": ("batches (GPyTorch)", "SVGP: inducing points that learn from small batches, to a million points; press Fit"),
    }
)


class MethodEditor(QWidget):
    """Signals: `method_edited` (name), `count_edited` (number), `spread_wanted` (by the variance they leave),
    `evenly_wanted`."""

    method_edited = Signal(str)
    count_edited = Signal(int)
    spread_wanted = Signal()
    evenly_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.method = QComboBox(self)
        self.method.setAccessibleName("Method")
        for name, (title, tip) in METHODS.items():
            self.method.addItem(title, name)
            self.method.setItemData(self.method.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.method.setFixedWidth(144)
        self.method.activated.connect(lambda _index: self.method_edited.emit(self.method.currentData()))
        self.count = QSpinBox(self)
        self.count.setRange(1, MOST_INDUCING)
        self.count.setAccessibleName("Inducing points")
        self.count.setToolTip("How many inducing points stand for all. Drag their triangles at the foot of the plot.")
        self.count.setFixedWidth(144)
        self.count.setKeyboardTracking(False)
        self.count.valueChanged.connect(self._count)
        self.spread = QPushButton("By variance", self)
        self.spread.setToolTip("Put each inducing point where those before leave f most uncertain (Burt et al. 2020)")
        self.spread.clicked.connect(lambda _checked=False: self.spread_wanted.emit())
        self.evenly = QPushButton("Evenly", self)
        self.evenly.setToolTip("Spread the inducing points evenly over the data")
        self.evenly.clicked.connect(lambda _checked=False: self.evenly_wanted.emit())
        self._quiet = False
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE_S)
        grid.setColumnStretch(0, 1)
        self._rows: list[QWidget] = []
        for row, (text, widget) in enumerate((("Method", self.method), ("Inducing points", self.count))):
            label = QLabel(text, self)
            label.setProperty("tone", "muted")
            label.setBuddy(widget)
            grid.addWidget(label, row, 0)
            grid.addWidget(widget, row, 1)
            self._rows += [label, widget]
        grid.addWidget(self.evenly, 2, 0)
        grid.addWidget(self.spread, 2, 1)

    def show_scene(self, scene: Scene) -> None:
        """Show a state of the document; says nothing."""
        self._quiet = True
        self.method.setCurrentIndex(self.method.findData(scene.method))
        way = scene.way
        self.method.setEnabled(scene.likelihood == "gaussian")
        self.method.setToolTip(way.why)
        if way.inducing is not None:
            self.count.setValue(len(way.inducing))
        for widget in (*self._rows[2:], self.evenly, self.spread):
            widget.setVisible(way.inducing is not None)
        self._quiet = False

    def _count(self, count: int) -> None:
        if not self._quiet:
            self.count_edited.emit(count)
