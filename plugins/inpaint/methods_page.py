"""The methods side by side: the same selection and noise filled by each, and how well each joins what was there."""

from __future__ import annotations

from functools import partial

import numpy as np
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from studio.host.export import Table
from studio.host.pictures import Pixels
from studio.ui import heat
from studio.ui.picture_table import PictureTable
from studio.ui.table_cells import ColumnHeading, RowHeading
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.inpaint.choices import METHODS, Method
from studio_plugins.inpaint.insight import levels
from studio_plugins.inpaint.request import InpaintRequest
from studio_plugins.inpaint.results import Filled, MethodsResult

_PICTURE, _SEAM = 0, 1
_SEAM_TIP = (
    "Along the border of what was drawn: by how much the gradient across it differs from the picture's own, in levels "
    "of 255"
)
_NO_SEAM = "The seams cannot be compared where nothing known borders on what was drawn."


class MethodsPage(QWidget):
    """`begin`, `preview` while a method draws, `show_result`.

    Signals: `closed`, back to the canvas; `taken`, a method to go on with.
    """

    closed = Signal()
    taken = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.result: MethodsResult | None = None
        self._methods: list[Method] = []
        self._title = QLabel(self)
        self._title.setProperty("tone", "title")
        self._title.setWordWrap(True)
        self._about = QLabel("One selection, one seed, one network; only the way to keep what is known differs.", self)
        self._about.setProperty("tone", "muted")
        self._about.setWordWrap(True)
        self.back = QPushButton("Back to the canvas", self)
        self.back.setToolTip("Back to the canvas (Esc)")
        self.back.clicked.connect(lambda _checked=False: self.closed.emit())
        self._verdict = QLabel(self)
        self._verdict.setWordWrap(True)
        self.table = PictureTable(self)
        self.table.menu_asked.connect(self._menu)
        head = QHBoxLayout()
        words = QVBoxLayout()
        words.addWidget(self._title)
        words.addWidget(self._about)
        head.addLayout(words, 1)
        head.addWidget(self.back)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_M)
        column.setSpacing(SPACE_S)
        column.addLayout(head)
        column.addWidget(self._verdict)
        column.addWidget(self.table, 1)

    def begin(self, request: InpaintRequest) -> None:
        """A comparison starts; its columns come as the methods do."""
        self.result, self._methods = None, []
        self._title.setText(f"Methods compared, seed {request.seed}")
        self._verdict.setText("")
        self.table.set_rows([RowHeading("picture"), RowHeading("seam", _SEAM_TIP)])
        self.table.set_columns([])

    def preview(self, method: str, pictures: Pixels) -> None:
        """What a method draws at the moment, [N, h, w, 3]."""
        known = next((name for name in METHODS if name == method), None)
        if known is None:
            return
        place = self._column(known)
        self.table.set_cell(_PICTURE, place, np.ascontiguousarray(pictures[0]))

    def show_result(self, result: MethodsResult) -> None:
        """All methods, their seams on one scale."""
        self.begin(result.request)
        self.result = result
        for method in result.filled:
            self._column(method)
        high = max(float(filled.seams[0].map.max()) for filled in result.filled.values())
        self.table.set_columns([_heading(method, filled) for method, filled in result.filled.items()])
        self.table.set_rows([RowHeading("picture"), RowHeading("seam", _SEAM_TIP, heat.colours(), 0.0, high)])
        for place, filled in enumerate(result.filled.values()):
            seam = filled.seams[0]
            self.table.set_cell(_PICTURE, place, np.ascontiguousarray(filled.patches[0]))
            self.table.set_cell(_SEAM, place, heat.paint(seam.map, high), values=seam.map)
        self._verdict.setText(_verdict(result))

    def numbers(self) -> Table:
        """One row a method."""
        rows = list(self.result.filled.items()) if self.result is not None else []
        return Table(
            {
                "method": [METHODS[method] for method, _ in rows],
                "seam error": [filled.seams[0].error for _, filled in rows],
                "seam jump": [filled.seams[0].jump for _, filled in rows],
                "evaluations": [filled.cost.evaluations for _, filled in rows],
                "seconds": [filled.cost.seconds for _, filled in rows],
            }
        )

    def _menu(self, column: int, place: QPoint) -> None:
        menu, method = QMenu(self), self._methods[column]
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(f"Paint with {METHODS[method]}", partial(self.taken.emit, method))
        menu.popup(place)

    def _column(self, method: Method) -> int:
        if method not in self._methods:
            before = [self.table.image(_PICTURE, place) for place in range(len(self._methods))]
            self._methods.append(method)
            self.table.set_columns([ColumnHeading(METHODS[name]) for name in self._methods])
            for place, image in enumerate(before):
                self.table.set_cell(_PICTURE, place, image)
        return self._methods.index(method)


def _heading(method: Method, filled: Filled) -> ColumnHeading:
    seam, cost = filled.seams[0], filled.cost
    lines = (
        f"seam error {levels(seam.error)}",
        f"seam jump {levels(seam.jump)}",
        f"{cost.seconds:.1f} s, {cost.evaluations:g} evaluations",
    )
    return ColumnHeading(METHODS[method], lines)


def _verdict(result: MethodsResult) -> str:
    """Which method joins best here, in a sentence; a single seed proves nothing in general, and it says so."""
    errors = {method: filled.seams[0].error for method, filled in result.filled.items()}
    known = {method: error for method, error in errors.items() if error == error}
    if len(known) < 2:
        missing = "Only a network that was trained to inpaint knows all three. " if len(errors) < 3 else ""
        return missing if known else f"{missing}{_NO_SEAM}"
    best = min(known, key=lambda method: known[method])
    return f"Smallest seam error: {METHODS[best]}, {known[best]:.2f} levels. One seed; try others before concluding."
