"""Raw, rollout, relevancy and norm-weighted maps of one place side by side; a token pointed at in one is marked in all."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.attention.map_view import MapView
from studio_plugins.attention.results import Level, Sides
from studio_plugins.attention.sight import Sight
from studio_plugins.attention.words import visible_word

NAMES = ("raw", "rollout", "relevancy", "norm")


class SidesPage(QWidget):
    """Signal: `asked`: another answer or way is wanted; the desk works it out."""

    asked = Signal()

    def __init__(self, sight: Sight, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sight = sight
        self.sides: Sides | None = None
        self.answer = QComboBox(self)
        self.answer.setAccessibleName("Answer")
        self.answer.setToolTip("The answer whose relevancy is shown")
        self.answer.activated.connect(lambda _at: self.asked.emit())
        self.drop_sink = QCheckBox("Drop first token", self)
        self.drop_sink.setToolTip("Rollout without the first token: in models that write, nearly all of it drifts there")
        self.drop_sink.clicked.connect(lambda _on: self.asked.emit())
        row = QHBoxLayout()
        row.addWidget(QLabel("Relevancy for", self))
        row.addWidget(self.answer)
        row.addSpacing(SPACE_M)
        row.addWidget(self.drop_sink)
        row.addStretch(1)
        grid = QGridLayout()
        grid.setSpacing(SPACE_S)
        self.views: dict[str, MapView] = {}
        self._titles: dict[str, QLabel] = {}
        for i, name in enumerate(NAMES):
            title = QLabel(self)
            title.setWordWrap(True)
            title.setProperty("tone", "muted")
            view = MapView(name, self)
            view.hovered.connect(lambda row, column: sight.point(row, column))
            view.picked.connect(lambda row, column: sight.point(row, column, pin=True))
            grid.addWidget(title, 2 * (i // 2), i % 2)
            grid.addWidget(view, 2 * (i // 2) + 1, i % 2)
            grid.setRowStretch(2 * (i // 2) + 1, 1)
            grid.setColumnStretch(i % 2, 1)
            self.views[name], self._titles[name] = view, title
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        layout.addLayout(row)
        layout.addLayout(grid, 1)
        sight.opened.connect(self._opened)
        sight.shaded.connect(self._shade)
        sight.pointed.connect(self._mark)
        self._shade()

    @property
    def chosen_answer(self) -> int | None:
        """The index of the answer to explain, None for the likeliest."""
        found = self.answer.currentData()
        return found if isinstance(found, int) else None

    def _opened(self) -> None:
        overview = self._sight.overview
        assert overview is not None
        self.sides = None
        self.answer.clear()
        self.answer.addItem("the likeliest answer", None)
        for guess in overview.scores[0].best if overview.scores else ():
            self.answer.addItem(f"“{visible_word(guess.text)}”", guess.index)
        self.answer.setEnabled(bool(overview.scores))

    def show_sides(self, sides: Sides) -> None:
        """Four maps, or why there is none."""
        sight = self._sight
        if sight.overview is None or (sides.key, sides.head) != (sight.overview.key, sight.head):
            return
        self.sides = sides
        rows, columns = sight.rows, sight.columns
        for side in sides.sides:
            view = self.views[side.name]
            self._titles[side.name].setText(f"<b>{side.title}</b>  {side.told}")
            if side.map is None or rows is None or columns is None:
                view.show_text(side.why)
            else:
                view.show_map((Level(1, side.map),), side.map.shape, rows.words, columns.words, square=sight.square)
        self._mark()

    def _shade(self) -> None:
        for view in self.views.values():
            view.set_shading(self._sight.shading)

    def _mark(self) -> None:
        for view in self.views.values():
            view.mark(self._sight.row, self._sight.column, self._sight.pinned)
