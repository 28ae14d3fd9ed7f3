"""What heads do, tested by switching them off: answers before and after, what is written without them, named sets."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox, QHBoxLayout, QInputDialog, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget,
)  # fmt: skip

from studio.ui.bars import Bar, Bars
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.attention.request import head_name, head_of
from studio_plugins.attention.results import EffectRow, Effects, HeadKey
from studio_plugins.attention.sight import Sight
from studio_plugins.attention.words import percent, visible_word

_HOW = (
    "Right-click a head on the left, or press Space on it, to switch it off. Then its output is nought, and everything "
    "else stays."
)


class EffectPage(QWidget):
    """Signals: `asked_each` (every head by itself), `asked_text` (write with and without), `sets_changed` (name -> heads)."""

    asked_each = Signal()
    asked_text = Signal()
    sets_changed = Signal(object)

    def __init__(self, sight: Sight, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sight = sight
        self.sets: dict[str, tuple[str, ...]] = {}
        self.effects: Effects | None = None
        self.sets_box = QComboBox(self)
        self.sets_box.setAccessibleName("Sets of heads")
        self.sets_box.setToolTip("Heads that were switched off together and kept under a name")
        self.sets_box.activated.connect(self._take_set)
        self.keep = QPushButton("Keep as…", self)
        self.keep.setToolTip("Keep these heads as a set with a name")
        self.keep.clicked.connect(lambda _on=False: self._ask_name())
        self.forget = QPushButton("Forget set", self)
        self.forget.clicked.connect(lambda _on=False: self._forget_set())
        self.all_on = QPushButton("Switch all on", self)
        self.all_on.clicked.connect(lambda _on=False: sight.set_off(frozenset()))
        self.each = QPushButton("Test every head", self)
        self.each.setToolTip("Switch each head off by itself; then heads can be sorted by what that changes")
        self.each.clicked.connect(lambda _on=False: self.asked_each.emit())
        self.write = QPushButton("Write both ways", self)
        self.write.setToolTip("Let the model write on with all heads, and without these")
        self.write.clicked.connect(lambda _on=False: self.asked_text.emit())
        rows = []
        for widgets in ((self.all_on, self.write, self.each), (self.sets_box, self.keep, self.forget)):
            rows.append(QHBoxLayout())
            for widget in widgets:
                rows[-1].addWidget(widget)
            rows[-1].addStretch(1)
        self.said, self.texts = QLabel(_HOW, self), QLabel("", self)
        for label in (self.said, self.texts):
            label.setWordWrap(True)
        self._body = QWidget(self)
        self._list = QVBoxLayout(self._body)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.addStretch(1)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidget(self._body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        layout.setSpacing(SPACE_M)
        for row in rows:
            layout.addLayout(row)
        layout.addWidget(self.said)
        layout.addWidget(self.texts)
        layout.addWidget(area, 1)
        sight.switched.connect(self._switched)
        self._show_sets()
        self._switched()

    def set_sets(self, sets: Mapping[str, tuple[str, ...]]) -> None:
        """The sets kept before."""
        self.sets = dict(sets)
        self._show_sets()

    def _show_sets(self) -> None:
        self.sets_box.clear()
        self.sets_box.addItem("Sets …", None)
        for name in self.sets:
            self.sets_box.addItem(f"{name} ({len(self.sets[name])})", name)
        self.sets_box.setEnabled(bool(self.sets))
        self.forget.setEnabled(False)

    def _take_set(self, at: int) -> None:
        name = self.sets_box.itemData(at)
        self.forget.setEnabled(name is not None)
        if name is not None:
            self._sight.set_off(frozenset(_key(head) for head in self.sets[name]))

    def _ask_name(self) -> None:
        dialog = QInputDialog(self)
        dialog.setWindowTitle("Keep a set of heads")
        dialog.setLabelText("Name of the set")
        dialog.textValueSelected.connect(self.keep_set)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def keep_set(self, name: str) -> None:
        """Keep the heads that are off under a name."""
        if name.strip() and self._sight.off:
            self.sets = {**self.sets, name.strip(): tuple(sorted(head_name(*head) for head in self._sight.off))}
            self._show_sets()
            self.sets_changed.emit(dict(self.sets))

    def _forget_set(self) -> None:
        name = self.sets_box.currentData()
        if name in self.sets:
            del self.sets[name]
            self._show_sets()
            self.sets_changed.emit(dict(self.sets))

    def _switched(self) -> None:
        off, overview = self._sight.off, self._sight.overview
        for widget in (self.keep, self.all_on):
            widget.setEnabled(bool(off))
        self.write.setEnabled(bool(off) and overview is not None and overview.takes_words)
        self.each.setEnabled(overview is not None and bool(overview.scores))
        if not off or overview is None:
            self.effects = None
            self.said.setText(_HOW)
            self.texts.hide()
            self._clear()
            return
        names = [f"{overview.site(site).title}, head {head + 1}" for site, head in sorted(off, key=overview.heads.index)]
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        self.said.setText(f"Off: {'; '.join(names[:6])}{more}.")

    def _clear(self) -> None:
        while self._list.count() > 1:
            item = self._list.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()

    def show_effects(self, effects: Effects) -> None:
        """Answers before and after."""
        if effects.off != self._sight.off or self._sight.overview is None or effects.key != self._sight.overview.key:
            return
        self.effects = effects
        self._clear()
        for row in effects.rows:
            label = QLabel(self._sentence(row), self._body)
            label.setWordWrap(True)
            bars = Bars(f"Change of {row.about}", self._body)
            bars.set_bars([bar for change in row.changes for bar in _pair(change.text, change.before, change.after)])
            self._list.insertWidget(self._list.count() - 1, label)
            self._list.insertWidget(self._list.count() - 1, bars)
        self.texts.setVisible(effects.texts is not None)
        if effects.texts is not None:
            where = "They are the same." if effects.differs is None else f"They differ from token {effects.differs + 1} on."
            with_all, without = map(_escape, effects.texts)
            self.texts.setText(f"<b>With all heads:</b> {with_all}<br><b>Without these:</b> {without}<br>{where}")

    def _sentence(self, row: EffectRow) -> str:
        what = "Another answer is the likeliest now." if row.flipped else "The likeliest answer stays."
        return f"<b>{row.about[:1].upper()}{row.about[1:]}</b>: KL(before ‖ after) = {row.kl:.4g} nats. {what}"


def _pair(text: str, before: float, after: float) -> list[Bar]:
    change = 100 * (after - before)
    told = f"{change:+.1f}" if abs(change) >= 0.1 else f"{change:+.3f}" if abs(change) >= 5e-4 else "±0"
    return [
        Bar(visible_word(text), ((before, "border_strong"),), f"{percent(before)} before"),
        Bar("", ((after, "accent" if change >= 0 else "series.1"),), f"{percent(after)} after ({told})"),
    ]


def _key(name: str) -> HeadKey:
    return head_of(name)


def _escape(text: str) -> str:
    from html import escape

    return escape(text)
