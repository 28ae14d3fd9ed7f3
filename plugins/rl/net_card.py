"""What an agent says of the present moment: the value of each action, and how likely it is to take it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from studio.ml.rl.learner import Floats, NetLook, TableLook
from studio.ui.bars import Bar, Bars
from studio.ui.cards import Facts
from studio.ui.tokens import SPACE_S
from studio_plugins.rl.score_words import Names, number
from studio_plugins.rl.spread_bars import SpreadBars

MOST = 18
"""Actions that are listed; of more, those with the highest values or probabilities."""


class ActionCard(QWidget):
    """Bars of values and of probabilities; the greedy action is set apart. Works for tables and networks alike."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._titles = [QLabel(self) for _ in range(3)]
        for title in self._titles:
            title.setProperty("tone", "faint")
        self.values, self.policy = Bars("Action values now", self), Bars("Policy now", self)
        self.spreads = SpreadBars("Continuous actions now", self)
        self.facts = Facts(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        pairs = zip(self._titles, (self.values, self.policy, self.spreads), strict=True)
        for title, bars in pairs:
            layout.addWidget(title)
            layout.addWidget(bars)
        layout.addWidget(self.facts)
        self._show(None, None, Names())

    def show_table(self, look: TableLook, names: Names) -> None:
        """The row of the present state."""
        self._show(look.q[look.state], look.policy[look.state], names)
        visits = number(float(look.visits[look.state]), 7)
        self.facts.set_facts({"state": names.state(look.state), "visited": f"{visits} times"})

    def show_net(self, look: NetLook, names: Names) -> None:
        """The present observation of the first world."""
        self._show(look.values, look.policy, names)
        spreads: list[tuple[str, float, float]] = []
        if look.mean is not None:
            deviations = np.zeros_like(look.mean) if look.deviation is None else look.deviation
            pairs = zip(look.mean.tolist(), deviations.tolist(), strict=True)
            spreads = [(_part(names, k, len(look.mean)), mean, deviation) for k, (mean, deviation) in enumerate(pairs)]
        self._titles[2].setText("Action: mean ± one standard deviation")
        self._titles[2].setVisible(bool(spreads))
        self.spreads.setVisible(bool(spreads))
        self.spreads.set_spreads(spreads)
        self.facts.set_facts({} if look.value is None else {"value of this moment": number(look.value)})

    def _show(self, values: Floats | None, policy: Floats | None, names: Names) -> None:
        for bars, title, shown, text in (
            (self.values, self._titles[0], values, "Value of each action"),
            (self.policy, self._titles[1], policy, "Probability of each action"),
        ):
            title.setText(text)
            for widget in (title, bars):
                widget.setVisible(shown is not None)
        for widget in (self.spreads, self._titles[2]):
            widget.hide()
        if values is not None:
            self.values.set_bars(*_bars(values, names, probabilities=False))
        if policy is not None:
            self.policy.set_bars(*_bars(policy, names, probabilities=True))


def _bars(numbers: Floats, names: Names, *, probabilities: bool) -> tuple[Sequence[Bar], int]:
    """The lines, and which of them is the best (−1 where several are). Values fill their bar from worst to best."""
    chosen = np.arange(len(numbers))
    if len(numbers) > MOST:
        chosen = np.sort(np.argsort(-numbers, kind="stable")[:MOST])
    low, high = (0.0, 1.0) if probabilities else (float(numbers.min()), float(numbers.max()))
    best = numbers == numbers.max()
    bars = []
    for a in chosen.tolist():
        share = (float(numbers[a]) - low) / (high - low) if high > low else 0.0
        # The worst still has a little of a bar, so that it does not look as if it had no value.
        share = share if probabilities else 0.04 + 0.96 * share
        text = f"{100 * float(numbers[a]):.1f} %" if probabilities else number(float(numbers[a]))
        bars.append(Bar(names.action(a), ((share, "series.0" if best[a] else "border_strong"),), text))
    places = np.flatnonzero(best[chosen])
    return bars, int(places[0]) if best.sum() == 1 else -1


def _part(names: Names, place: int, parts: int) -> str:
    if place < len(names.actions):
        return names.actions[place]
    return "action" if parts == 1 else f"action {place + 1}"
