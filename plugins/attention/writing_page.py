"""A text being written: step through it, and see the map grow, what was likely, what each layer thought, and the cache."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QHBoxLayout, QHeaderView, QLabel, QPushButton, QSlider, QSplitter, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget,
)  # fmt: skip

from studio.ui.bars import Bar, Bars
from studio.ml.attention.values import Guess
from studio.ui.icons import IconButton
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.attention.map_view import MapView
from studio_plugins.attention.results import LensRow, LensRows, WrittenToken
from studio_plugins.attention.sight import Sight
from studio_plugins.attention.words import percent, size, visible_word

_FRAME_MS = 450
_HINT = "“Write on” lets the model write, one token after the other. Then step through what it wrote."


class WritingPage(QWidget):
    """Signals: `asked` (write on), `asked_lens` (what each layer would answer to the reading as it is)."""

    asked = Signal()
    asked_lens = Signal()

    def __init__(self, sight: Sight, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sight = sight
        self.tokens: list[WrittenToken] = []
        self._at = -1
        self.write = QPushButton("Write on", self)
        self.write.clicked.connect(lambda _on=False: self.asked.emit())
        self.lens_button = QPushButton("Logit lens", self)
        self.lens_button.setToolTip("What each layer would answer, if the model ended there")
        self.lens_button.clicked.connect(lambda _on=False: self.asked_lens.emit())
        self.play = IconButton("play", "Play from the start", self)
        self.play.clicked.connect(lambda _on=False: self.toggle_play())
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setAccessibleName("Token written")
        self.slider.setToolTip("Which token; arrow keys step")
        self.slider.setEnabled(False)
        self.slider.valueChanged.connect(self._moved)
        self.said = QLabel(_HINT, self)
        self.said.setWordWrap(True)
        self.text = QLabel("", self)
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.RichText)
        self.text.hide()
        self.map = MapView("Map so far", self)
        self.map.hovered.connect(lambda row, column: sight.point(row, column))
        self.best = Bars("Next token", self)
        self.table = QTableWidget(0, 3, self)
        self.table.setHorizontalHeaderLabels(["layer", "token", "share"])
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        self.table.setAccessibleName("Logit lens")
        self._clock = QTimer(self)
        self._clock.setInterval(_FRAME_MS)
        self._clock.timeout.connect(self._tick)
        row = QHBoxLayout()
        for widget, stretch in ((self.write, 0), (self.lens_button, 0), (self.play, 0), (self.slider, 1)):
            row.addWidget(widget, stretch)
        right = QWidget(self)
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        picked, lens = QLabel("<b>What it was picked from</b>", right), QLabel("<b>Logit lens</b>", right)
        lens.setToolTip("The answer, were this the last layer: its state through the final norm and the head")
        self.table.setMinimumWidth(150)
        for widget, stretch in ((picked, 0), (self.best, 0), (lens, 0), (self.table, 1)):
            column.addWidget(widget, stretch)
        split = QSplitter(Qt.Orientation.Horizontal, self)
        split.addWidget(self.map)
        split.addWidget(right)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        split.setChildrenCollapsible(False)
        split.setSizes([420, 280])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        layout.setSpacing(SPACE_S)
        layout.addLayout(row)
        layout.addWidget(self.text)
        layout.addWidget(self.said)
        layout.addWidget(split, 1)
        sight.opened.connect(self._opened)
        sight.mapped.connect(self._mapped)
        sight.grew.connect(lambda: self.map.set_limit(sight.limit))
        sight.shaded.connect(lambda: self.map.set_shading(sight.shading))
        sight.pointed.connect(lambda: self.map.mark(sight.row, sight.column, sight.pinned))
        self.map.set_shading(sight.shading)

    # --- a text ---

    def begin(self) -> None:
        """Another text is being written."""
        self.stop()
        self.tokens, self._at = [], -1
        self.slider.setEnabled(False)
        self.text.hide()

    def add(self, token: WrittenToken) -> None:
        """One more token; while it is being written the newest is shown."""
        if token.number != len(self.tokens):
            return
        self.tokens.append(token)
        self._show(len(self.tokens) - 1)

    def finish(self, tokens: tuple[WrittenToken, ...], full: bool) -> None:
        """It is written."""
        self.tokens = list(tokens)
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(0, len(tokens) - 1))
        self.slider.setValue(len(tokens) - 1)
        self.slider.blockSignals(False)
        self.slider.setEnabled(len(tokens) > 1)
        if tokens:
            self._show(len(tokens) - 1)
        if full:
            self.said.setText(f"{self.said.text()} The model can read no further.")

    def _opened(self) -> None:
        overview = self._sight.overview
        writes = overview is not None and overview.takes_words
        self.write.setEnabled(writes)
        if overview is not None and not overview.written:
            self.begin()
            self.best.set_bars(_bars(overview.scores[0].best[:8]) if overview.scores else [])
            self.table.setRowCount(0)
            self.said.setText(_HINT if writes else f"{overview.title} does not write; its answer stands beside.")

    def _mapped(self) -> None:
        found, rows, columns = self._sight.map, self._sight.rows, self._sight.columns
        if found is not None and rows is not None and columns is not None:
            self.map.show_map(found.levels, found.shape, rows.words, columns.words, square=self._sight.square)
            self.map.set_limit(self._sight.limit)

    def _moved(self, at: int) -> None:
        self._show(at)
        overview = self._sight.overview
        if overview is not None and overview.written and self.tokens:
            written = self.tokens[at].read
            site = self._sight.site
            grows = site is not None and site.tower != "encoder"
            self._sight.grow(None if at == len(self.tokens) - 1 or not grows else written)

    def _show(self, at: int) -> None:
        if not 0 <= at < len(self.tokens):
            return
        self._at = at
        token = self.tokens[at]
        pieces = []
        for i, one in enumerate(self.tokens):
            word = visible_word(one.text).replace("·", " ").replace("<", "&lt;")
            pieces.append(f"<b>[{word}]</b>" if i == at else word if i < at else f"<span style='color:gray'>{word}</span>")
        self.text.setText(" ".join(pieces))
        self.text.show()
        cache = f"KV cache {size(token.cache_bytes)}" if token.cache_bytes else "no KV cache"
        if token.cache_bytes:
            exact = token.cache_bytes == token.cache_formula
            cache += ", exactly 2·G·d·T per layer" if exact else f"; 2·G·d·T per layer gives {size(token.cache_formula)}"
        ends = " It ends the text." if token.ends else ""
        self.said.setText(
            f"Token {at + 1}: “{visible_word(token.text)}” with {percent(token.probability)}, from {token.read:,} tokens read, "
            f"{1000 * token.seconds:.0f} ms; {cache}.{ends}"
        )
        self.best.set_bars(_bars(token.best[:8], token.text))
        self.show_lens(token.lens)

    def show_lens(self, rows: tuple[LensRow, ...]) -> None:
        """What each layer would answer."""
        self.table.setRowCount(len(rows))
        for i, row in enumerate(reversed(rows)):
            best = row.best[0]
            told = ", ".join(f"{visible_word(guess.text)} {percent(guess.probability)}" for guess in row.best)
            name = "The embeddings" if row.layer == "0" else f"Layer {row.layer}"
            for k, text in enumerate((row.layer, visible_word(best.text), percent(best.probability))):
                item = QTableWidgetItem(text)
                item.setToolTip(f"{name} would write: {told}")
                self.table.setItem(i, k, item)

    def show_answers(self, found: LensRows) -> None:
        """The lens of a reading that nothing was written to."""
        if self._sight.overview is not None and found.key == self._sight.overview.key:
            self.show_lens(found.rows)

    # --- playing ---

    def toggle_play(self) -> None:
        """From the first token to the last, or stop."""
        if self._clock.isActive():
            self.stop()
        elif len(self.tokens) > 1:
            self.slider.setValue(0)
            self._clock.start()

    def stop(self) -> None:
        self._clock.stop()

    def _tick(self) -> None:
        self.slider.setValue(self.slider.value() + 1)
        if self.slider.value() >= self.slider.maximum() or not self.isVisible():
            self._clock.stop()


def _bars(guesses: Sequence[Guess], picked: str = "") -> list[Bar]:
    return [
        Bar(
            visible_word(guess.text),
            ((guess.probability, "accent" if picked in ("", guess.text) else "border_strong"),),
            percent(guess.probability),
        )
        for guess in guesses
    ]
