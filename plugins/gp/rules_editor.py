"""What a fit may do with each hyper-parameter: hold it, keep it within bounds, lean towards a prior."""

from __future__ import annotations

import math
from functools import partial

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QFrame, QGridLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from studio.host.request import RequestError
from studio.ml.gp.kernel import Parameter
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.gp.document import Scene
from studio_plugins.gp.request import Rule

_FIELDS = (
    ("low", "At least", "The smallest value a fit may take; empty for the usual bound"),
    ("high", "At most", "The largest value a fit may take; empty for the usual bound"),
    ("median", "Prior around", "Log-normal prior: the value expected before the data; empty for none"),
    ("factor", "within a factor", "The prior holds the value within this factor of the median with 68 %"),
)


class RulesEditor(QWidget):
    """A line for each hyper-parameter; click it to change its rule. Signal: `edited` (all rules)."""

    edited = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rules: tuple[Rule, ...] = ()
        self._names: tuple[str, ...] = ()
        self.lines: dict[str, QPushButton] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)

    def show_scene(self, scene: Scene) -> None:
        """Show the rules of the model's hyper-parameters; says nothing."""
        self._rules = scene.rules
        parameters = scene.model.parameters()
        names = tuple(parameter.name for parameter in parameters)
        if names != self._names:
            self._rebuild(names)
        for parameter in parameters:
            rule = self.rule(parameter.name)
            line = self.lines[parameter.name]
            line.setText(f"{parameter.name} = {parameter.value:.3g}    {in_words(rule)}")
            line.setProperty("parameter", parameter)

    def rule(self, name: str) -> Rule:
        """The rule of one hyper-parameter."""
        return next((rule for rule in self._rules if rule.name == name), Rule(name=name))

    def open(self, name: str) -> RulePopup:
        """Show what can be set for a hyper-parameter, below its line."""
        line = self.lines[name]
        popup = RulePopup(line.property("parameter"), self.rule(name), self)
        popup.edited.connect(self._take)
        popup.adjustSize()
        popup.move(line.mapToGlobal(QPoint(0, line.height() + 2)))
        popup.show()
        return popup

    def _rebuild(self, names: tuple[str, ...]) -> None:
        for line in self.lines.values():
            self._layout.removeWidget(line)
            line.hide()
            line.deleteLater()
        self._names = names
        self.lines = {}
        for name in names:
            line = QPushButton(self)
            line.setProperty("role", "row")
            line.setToolTip("Fix it, give it bounds or a prior")
            line.clicked.connect(partial(self._open, name))
            self._layout.addWidget(line)
            self.lines[name] = line

    def _open(self, name: str, _checked: bool = False) -> None:
        self.open(name)

    def _take(self, rule: Rule) -> None:
        others = tuple(other for other in self._rules if other.name != rule.name)
        self.edited.emit(others if rule.idle else (*others, rule))


class RulePopup(QFrame):
    """The rule of one hyper-parameter. Signal: `edited` (Rule), when a field is left or the box is ticked."""

    edited = Signal(object)

    def __init__(self, parameter: Parameter, rule: Rule, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setProperty("surface", "popup")
        self._parameter = parameter
        title = QLabel(f"{parameter.name} = {parameter.value:.4g}", self)
        self.fixed = QCheckBox("Fixed: a fit does not change it", self)
        self.fixed.setChecked(rule.fixed)
        values = {"low": rule.low, "high": rule.high, "median": rule.median, "factor": math.exp(rule.spread)}
        if rule.median is None:
            values["factor"] = None
        self.edits: dict[str, QLineEdit] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_M)
        grid.setHorizontalSpacing(SPACE_S)
        grid.addWidget(title, 0, 0, 1, 2)
        grid.addWidget(self.fixed, 1, 0, 1, 2)
        for row, (name, text, tip) in enumerate(_FIELDS, start=2):
            edit = QLineEdit("" if values[name] is None else f"{values[name]:.4g}", self)
            edit.setAccessibleName(text)
            edit.setToolTip(tip)
            edit.setAlignment(Qt.AlignmentFlag.AlignRight)
            edit.setPlaceholderText("usual" if name in ("low", "high") else "none" if name == "median" else "2.718")
            edit.setFixedWidth(96)
            edit.setEnabled(parameter.positive or name in ("low", "high"))
            label = QLabel(text, self)
            label.setProperty("tone", "muted")
            label.setBuddy(edit)
            grid.addWidget(label, row, 0)
            grid.addWidget(edit, row, 1)
            edit.editingFinished.connect(self._tell)
            self.edits[name] = edit
        self.problem = QLabel(self)
        self.problem.setProperty("tone", "error")
        self.problem.setWordWrap(True)
        self.problem.hide()
        grid.addWidget(self.problem, 2 + len(_FIELDS), 0, 1, 2)
        self.fixed.toggled.connect(lambda _on: self._tell())

    def _tell(self) -> None:
        try:
            rule = self._read()
        except ValueError as error:
            self.problem.setText(str(error))
            self.problem.show()
            self.adjustSize()
            return
        self.problem.hide()
        self.edited.emit(rule)

    def _read(self) -> Rule:
        """The rule as it is written. Raises ValueError, whose message says what to change."""
        found: dict[str, float | None] = {}
        for name, text, _tip in _FIELDS:
            written = self.edits[name].text().strip().replace(",", ".")
            try:
                found[name] = float(written) if written else None
            except ValueError:
                raise ValueError(f"{text}: “{written}” is not a number.") from None
        low, high, median, factor = (found[name] for name, _text, _tip in _FIELDS)
        if self._parameter.positive and any(bound is not None and bound <= 0 for bound in (low, high, median)):
            raise ValueError("This hyper-parameter is above 0, and so are its bounds and its prior.")
        if factor is not None and factor <= 1:
            raise ValueError("The factor of the prior must be above 1.")
        if low is not None and high is not None and not low < high:
            raise ValueError(f"The bounds must rise: {low:g} is not below {high:g}.")
        spread = math.log(factor) if factor is not None else 1.0
        try:
            return Rule(name=self._parameter.name, fixed=self.fixed.isChecked(), low=low, high=high, median=median, spread=spread)
        except ValueError as error:
            raise RequestError.from_validation(error) from error


def in_words(rule: Rule) -> str:
    """A rule in a few words, empty where it asks for nothing."""
    if rule.fixed:
        return "fixed"
    words = []
    if rule.low is not None or rule.high is not None:
        low = "" if rule.low is None else f"{rule.low:.3g}"
        high = "" if rule.high is None else f"{rule.high:.3g}"
        words.append(f"{low}…{high}")
    if rule.median is not None:
        words.append(f"prior {rule.median:.3g} ×÷ {math.exp(rule.spread):.2g}")
    return ", ".join(words)
