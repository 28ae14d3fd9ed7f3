"""The right column: the answer, the head in numbers, where a token looks, and why (q·k dimension by dimension)."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from studio.ui.bars import Bar, Bars
from studio.ui.cards import Facts, FormulaCard
from studio.ui.panel_layout import PanelLayout
from studio_plugins.attention.products_view import ProductsView
from studio_plugins.attention.results import STATISTICS, Array, PairProducts
from studio_plugins.attention.sight import Sight
from studio_plugins.attention.words import percent, visible_word

BEST, MOST_BARS = 8, 8
_FORMULA = "A = softmax(QK<sup>⊤</sup>/√d + mask)"
_NUMBERS = "q·k/√d + bias = $dot + $bias = $score<br>→ weight $weight"


class Insight(QWidget):
    """Builds its sections into a PanelLayout, and follows a Sight."""

    def __init__(self, zones: PanelLayout, sight: Sight) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the sections below
        self._sight = sight
        self._about = QLabel(zones)
        self._about.setWordWrap(True)
        self._about.setProperty("tone", "muted")
        self.answer = Bars("Answer", zones)
        box = QWidget(zones)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._about)
        layout.addWidget(self.answer)
        zones.add_insight("The model’s answer", box)
        self.row_bars, self.column_bars = Bars("Where it looks", zones), Bars("Who looks at it", zones)
        self._row_section = zones.add_insight("Where the token looks", self.row_bars)
        self.formula = FormulaCard(_FORMULA, _NUMBERS, "Point at a cell of the map to see its numbers.", zones)
        self.products = ProductsView(zones)
        why = QWidget(zones)
        inner = QVBoxLayout(why)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.formula)
        inner.addWidget(self.products)
        zones.add_insight("Why: q·k by dimension", why)
        self._column_section = zones.add_insight("Who looks at the token", self.column_bars)
        self.head_facts = Facts(zones)
        zones.add_insight("This head", self.head_facts)
        self.facts = Facts(zones)
        zones.add_insight("How it was captured", self.facts)
        sight.opened.connect(self._opened)
        sight.chose.connect(self._show_head)
        sight.counted.connect(self._show_head)
        for signal in (sight.pointed, sight.lined, sight.mapped):
            signal.connect(self._show_lines)
        self._show_lines()
        self.head_facts.set_facts({"head": "none yet"})
        self.facts.set_facts({"reading": "none yet"})

    def _opened(self) -> None:
        overview = self._sight.overview
        assert overview is not None
        self.facts.set_facts(dict(overview.facts))
        if not overview.scores:
            self._about.setText("This folder holds no head, or the text has no gap, so there is no answer.")
            self.answer.set_bars(())
            return
        scores = overview.scores[0]
        more = f" (the first of {len(overview.scores)} questions)" if len(overview.scores) > 1 else ""
        self._about.setText(f"{scores.about[:1].upper()}{scores.about[1:]}{more}")
        self.answer.set_bars(
            [Bar(visible_word(g.text), ((g.probability, "accent"),), percent(g.probability)) for g in scores.best[:BEST]]
        )

    def _show_head(self) -> None:
        sight = self._sight
        site, head = sight.site, sight.head
        if site is None or head is None:
            return
        facts = {"head": f"{site.title}, {head[1] + 1} of {site.heads}", "module": site.name}
        facts["map"] = f"{site.queries:,} × {site.keys:,}, d = {site.width}"
        tips = {}
        for name, (title, told) in STATISTICS.items():
            value = sight.statistics.get(name, {}).get(head, math.nan)
            facts[title.lower()] = "–" if math.isnan(value) else f"{value:.3f}"
            tips[title.lower()] = told
        if "effect" in sight.statistics:
            facts["effect"] = f"{sight.statistics['effect'].get(head, math.nan):.3g} nats"
        self.head_facts.set_facts(facts, tips)

    def _show_lines(self) -> None:
        sight = self._sight
        rows, columns = sight.rows, sight.columns
        along_row = sight.along_row() if sight.row >= 0 else None
        along_column = sight.along_column() if sight.column >= 0 else None
        self.row_bars.set_bars(top_bars(along_row, columns.words if columns is not None else (), "accent"))
        self.column_bars.set_bars(top_bars(along_column, rows.words if rows is not None else (), "series.1"))
        self._row_section.setVisible(along_row is not None)
        self._column_section.setVisible(along_column is not None)
        if sight.row < 0 or sight.column < 0:
            self.formula.set_numbers({})
            self.products.clear()

    def show_products(self, found: PairProducts) -> None:
        """q·k of the pair pointed at."""
        sight = self._sight
        if (found.row, found.column, found.head) != (sight.row, sight.column, sight.head):
            return
        weight = "0, masked" if math.isnan(found.weight) else f"{found.weight:.4f}" if found.weight >= 1e-3 else f"{found.weight:.2e}"
        bias = f"{found.bias:.3g}" if abs(found.bias) < 1e30 else "−∞"
        dot = f"{float(found.products.sum()):.3f}"
        self.formula.set_numbers({"dot": dot, "bias": bias, "score": f"{found.score:.3f}", "weight": weight})
        self.products.show_products(found)

    def say_no_products(self, why: str) -> None:
        """Why there are none."""
        self.formula.set_note(why)


def top_bars(weights: Array | None, words: tuple[str, ...], colour: str) -> list[Bar]:
    """The largest weights, in the order of the text."""
    if weights is None or not len(words):
        return []
    filled = np.nan_to_num(weights)[: len(words)]
    best = np.sort(np.argsort(filled)[-MOST_BARS:])
    shown = [(visible_word(words[i]), float(filled[i])) for i in best if filled[i] > 0]
    return [Bar(word, ((weight, colour),), f"{weight:.3f}") for word, weight in shown]
