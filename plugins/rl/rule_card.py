"""The update rule with the numbers of the last transition, the telling term set apart."""

from __future__ import annotations

from string import Template
from typing import Any

from PySide6.QtWidgets import QWidget

from studio.ml.rl.learner import NetLook, TableLook
from studio.ui.cards import FormulaCard
from studio.ui.theme import theme
from studio_plugins.rl.deep_rules import deep_rule
from studio_plugins.rl.rule_words import Rule, rule
from studio_plugins.rl.score_words import Names


class RuleCard(FormulaCard):
    """`show_table` or `show_net` at each look; text is laid out anew only where it changed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", "", "", parent)
        self._rule = Rule("")
        theme().changed.connect(self._write)

    def show_table(self, kind: str, look: TableLook, settings: Any, names: Names) -> None:
        """Of a tabular agent."""
        self.show_rule(rule(kind, look, settings, names))

    def show_net(self, kind: str, look: NetLook, settings: Any) -> None:
        """Of an agent with networks."""
        self.show_rule(deep_rule(kind, look.last, settings))

    def show_rule(self, told: Rule) -> None:
        if told != self._rule:
            self._rule = told
            self._write()

    def rule(self) -> Rule:
        """What is shown, before it is coloured."""
        return self._rule

    def _write(self) -> None:
        # In one go: a formula whose numbers are still to come hides their line, and the column would be laid out twice.
        self._symbols_html = _coloured(self._rule.symbols)
        self._template = Template(_coloured(self._rule.numbers))
        self._values = {"written": ""} if self._rule.numbers else {}
        self._render()
        self.set_note(self._rule.note)


def _coloured(text: str) -> str:
    soft, ink = theme().tokens["accent_soft"], theme().tokens["accent"]
    opening = f'<span style="background-color:{soft}; color:{ink}; font-weight:600;">'
    return text.replace("[[", opening).replace("]]", "</span>")
