"""The right column: what the chosen run learnt last, from what, and what it would do now."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from studio.ml.rl.kinds import KINDS
from studio.ml.rl.learner import Look
from studio.ui.cards import Facts
from studio.ui.panel_layout import PanelLayout
from studio.ui.tokens import SPACE_S
from studio_plugins.rl.buffer_card import BufferCard
from studio_plugins.rl.net_card import ActionCard
from studio_plugins.rl.policy_words import policy_sentence, policy_words
from studio_plugins.rl.rule_card import RuleCard
from studio_plugins.rl.score_words import Names
from studio_plugins.rl.table_card import TableCard


class PolicyCard(QWidget):
    """Behaviour against target policy of a tabular agent."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.facts, self.words = Facts(self), QLabel(self)
        self.words.setWordWrap(True)
        self.words.setProperty("tone", "muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self.words)
        layout.addWidget(self.facts)


class Insight:
    """Fills the insight column of `zones`; `show_look` at each new look of the run whose numbers are shown."""

    def __init__(self, zones: PanelLayout) -> None:
        self.run = QLabel("Nothing has been learnt yet.", zones)
        self.run.setProperty("tone", "muted")
        self.run.setWordWrap(True)
        self.rule, self.actions, self.policy = RuleCard(zones), ActionCard(zones), PolicyCard(zones)
        self.buffer, self.table = BufferCard(zones), TableCard(zones)
        zones.add_insight("The last update", self._with_run(zones))
        self._actions = zones.add_insight("What it would do now", self.actions)
        self._policies = zones.add_insight("Behaviour and target policy", self.policy)
        self._buffer = zones.add_insight("Age of the experience", self.buffer)
        self._table = zones.add_insight("All action values", self.table)
        self._last: tuple[str, str, Look, Any, Names, bool] | None = None
        for section in (self._actions, self._policies, self._buffer, self._table):
            section.toggled.connect(self._again)  # what was folded has not been following
        self.clear()

    def clear(self) -> None:
        """There is no run."""
        self._last = None
        self.run.setText("Nothing has been learnt yet. Press Train.")
        for widget in (self.rule, self._actions, self._policies, self._buffer, self._table):
            widget.hide()

    def show_look(self, title: str, kind: str, look: Look, settings: Any, names: Names, *, on_policy: bool) -> None:
        """title: the run in words; kind, settings: of its agent, on_policy as `learners.LEARNERS` says."""
        self._last = (title, kind, look, settings, names, on_policy)
        self.run.setText(title)
        table, net = look.table, look.net
        tabular = table is not None and kind in KINDS
        self.rule.setVisible(tabular or net is not None)
        self._actions.setVisible(table is not None or net is not None)
        self._policies.setVisible(tabular)
        self._table.setVisible(table is not None)
        self._buffer.setVisible(net is not None)
        if table is not None:
            if tabular:
                self.rule.show_table(kind, table, settings, names)
                self._show_policies(kind, look, names)
            if self._actions.expanded:
                self.actions.show_table(table, names)
            if self._table.expanded:
                self.table.show_look(table, names)
        elif net is not None:
            self.rule.show_net(kind, net, settings)
            if self._actions.expanded:
                self.actions.show_net(net, names)
            if self._buffer.expanded:
                self.buffer.show_ages(net.ages, on_policy=on_policy)

    def _again(self, expanded: bool) -> None:
        if expanded and self._last is not None:
            *shown, on_policy = self._last
            self.show_look(*shown, on_policy=on_policy)

    def _show_policies(self, kind: str, look: Look, names: Names) -> None:
        if look.table is not None and self._policies.expanded:
            self.policy.facts.set_facts(policy_words(kind, look.table, names))
            self.policy.words.setText(policy_sentence(kind, look.table))

    def _with_run(self, zones: PanelLayout) -> QWidget:
        body = QWidget(zones)
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self.run)
        layout.addWidget(self.rule)
        return body
