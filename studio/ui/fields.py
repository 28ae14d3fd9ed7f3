"""Editors for one field of a request: numbers, choices, switches, paths, lists. The texts are in `text_fields`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from studio.host.request import Choice, FieldSpec, Idle
from studio.ui.icons import IconButton
from studio.ui.theme import restyle
from studio.ui.tokens import SPACE_S
from studio.ui.wheel import wheel_passed_on

_INT_LIMIT = 2**31 - 1
_TICKS = 1000
MAX_DECIMALS = 8


class FieldEditor(QWidget):
    """One labelled control. `value()` gives what is in it; `changed` fires at every edit, by person or program."""

    changed = Signal()

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec = spec
        self._error = QLabel(self)
        self._error.setProperty("tone", "error")
        self._error.setWordWrap(True)
        self._error.hide()
        self._note, self._reason = _faint_line(self), _faint_line(self)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)

    def value(self) -> Any:
        """The value for the request; may be invalid, the request says so."""
        raise TypeError(f"{type(self).__name__} gives no value")

    def set_value(self, value: Any) -> None:
        """Show a value."""
        raise TypeError(f"{type(self).__name__} takes no value")

    def focus_widget(self) -> QWidget:
        """The control that takes the keyboard."""
        raise TypeError(f"{type(self).__name__} takes no keyboard")

    def set_error(self, text: str) -> None:
        """Say below the control what is wrong with its value; an empty text takes it back."""
        self._error.setText(text)
        self._error.setVisible(bool(text))
        control = self.focus_widget()
        if bool(control.property("invalid")) != bool(text):
            control.setProperty("invalid", bool(text))
            restyle(control)

    def error(self) -> str:
        return self._error.text()

    def set_note(self, text: str) -> None:
        """A quiet remark below the control; empty hides it."""
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def note(self) -> str:
        return self._note.text()

    def set_idle(self, idle: Idle | None) -> None:
        """Grey or hide the control because its value has no effect now, and say why; None takes it back."""
        self.setEnabled(idle is None)
        self.setVisible(idle is None or not idle.hidden)
        self._reason.setText(idle.reason if idle else "")
        self._reason.setVisible(bool(self._reason.text()))

    def idle_reason(self) -> str:
        """Why its value has no effect now; empty when it has."""
        return self._reason.text()

    def describe(self) -> str:
        """Tooltip: meaning, unit and range in words."""
        parts = [self.spec.help] if self.spec.help else []
        low, high, unit = self.spec.minimum, self.spec.maximum, self.spec.unit
        if low is not None and high is not None and high < _INT_LIMIT:
            parts.append(f"From {low:g} to {high:g}{f' {unit}' if unit else ''}.")
        elif unit:
            parts.append(f"In {unit}.")
        return "\n".join(parts)

    def _finish(self, *controls: QWidget) -> None:
        """Names, tooltips and wheel behaviour of the controls; the error line goes below."""
        tip = self.describe()
        for control in controls:
            control.setToolTip(_wrapped(tip))
            control.setAccessibleName(self.spec.title)
            control.setAccessibleDescription(tip)
            control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            control.installEventFilter(self)
        self._layout.addWidget(self._note)
        self._layout.addWidget(self._reason)
        self._layout.addWidget(self._error)

    def _label(self) -> QLabel:
        label = QLabel(self.spec.title, self)
        label.setProperty("tone", "muted")
        label.setToolTip(_wrapped(self.describe()))
        return label

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        return wheel_passed_on(watched, event) or super().eventFilter(watched, event)


def _faint_line(parent: QWidget) -> QLabel:
    """A line that wraps, hidden until it has something to say."""
    line = QLabel(parent)
    line.setProperty("tone", "faint")
    line.setWordWrap(True)
    line.hide()
    return line


class NumberField(FieldEditor):
    """Spin box, with a slider below it where the range is closed. The value set is kept exactly."""

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(spec, parent)
        self._whole = spec.kind == "int"
        self._exact: float | int | None = None
        self._spin: QSpinBox | QDoubleSpinBox = (
            QSpinBox(self) if self._whole else _ManyPlaces(self) if spec.log else QDoubleSpinBox(self)
        )
        self._low, self._high, self._step = _range(spec)
        if isinstance(self._spin, QSpinBox):
            self._spin.setRange(int(self._low), int(self._high))
            self._spin.setSingleStep(max(1, int(self._step)))
        else:
            self._decimals = MAX_DECIMALS if spec.log else _decimals(self._step)
            self._spin.setDecimals(self._decimals)
            self._spin.setRange(float(self._low), float(self._high))
            self._spin.setSingleStep(float(self._step))
        if spec.log and spec.step is None:
            self._spin.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        self._spin.setKeyboardTracking(False)
        self._spin.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._spin.setFixedWidth(96)
        if spec.unit:
            self._spin.setSuffix(f" {spec.unit}")
            self._spin.setFixedWidth(max(96, self._spin.fontMetrics().horizontalAdvance(f"88888 {spec.unit}") + 28))
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        row.addWidget(self._label(), 1)
        row.addWidget(self._spin)
        self._layout.addLayout(row)
        self._slider: QSlider | None = None
        controls: list[QWidget] = [self._spin]
        if spec.minimum is not None and spec.maximum is not None and spec.maximum > spec.minimum:
            self._slider = QSlider(Qt.Orientation.Horizontal, self)
            count = round(self._high - self._low) if self._whole and not spec.log else _TICKS
            self._slider.setRange(0, min(count, _TICKS))
            self._slider.setPageStep(max(1, self._slider.maximum() // 10))
            self._slider.valueChanged.connect(self._from_slider)
            self._layout.addWidget(self._slider)
            controls.append(self._slider)
        self._spin.valueChanged.connect(self._from_spin)
        self._finish(*controls)

    def value(self) -> float | int:
        return self._exact if self._exact is not None else self._spin.value()

    def set_value(self, value: Any) -> None:
        if isinstance(self._spin, QDoubleSpinBox):
            self._spin.setDecimals(max(self._decimals, _decimals(float(value))))
        self._exact = value
        blocked = self._spin.blockSignals(True)
        self._spin.setValue(value)
        self._spin.blockSignals(blocked)
        if not (self._low <= value <= self._high):
            self._exact = None
        self._show_on_slider()
        self.changed.emit()

    def focus_widget(self) -> QWidget:
        return self._spin

    def _from_spin(self) -> None:
        self._exact = None
        self._show_on_slider()
        self.changed.emit()

    def _from_slider(self, tick: int) -> None:
        assert self._slider is not None
        share = tick / max(1, self._slider.maximum())
        low, high = float(self._low), float(self._high)
        value = math.exp(math.log(low) + share * math.log(high / low)) if self._logarithmic else low + share * (high - low)
        if self._logarithmic:
            value = float(f"{value:.3g}") if 0 < share < 1 else value
        else:
            value = low + round((value - low) / self._step) * self._step
        self._exact = None
        blocked = self._spin.blockSignals(True)
        self._spin.setValue(round(value) if self._whole else value)  # type: ignore[arg-type]
        self._spin.blockSignals(blocked)
        self.changed.emit()

    @property
    def _logarithmic(self) -> bool:
        return self.spec.log and self._low > 0

    def _show_on_slider(self) -> None:
        if self._slider is None:
            return
        low, high, value = float(self._low), float(self._high), float(self._spin.value())
        share = math.log(value / low) / math.log(high / low) if self._logarithmic else (value - low) / (high - low)
        blocked = self._slider.blockSignals(True)
        self._slider.setValue(round(share * self._slider.maximum()))
        self._slider.blockSignals(blocked)


class _ManyPlaces(QDoubleSpinBox):
    """For numbers that go over many powers of ten: as many places as there are, no zeros after them."""

    def textFromValue(self, value: float) -> str:
        text = f"{value:.{MAX_DECIMALS}f}".rstrip("0").rstrip(".")
        return text.replace(".", self.locale().decimalPoint())


class ChoiceField(FieldEditor):
    """A list to choose from; `set_choices` fills it at run time."""

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(spec, parent)
        self._box = QComboBox(self)
        self._box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._box.setMinimumContentsLength(8)
        self._layout.addWidget(self._label())
        self._layout.addWidget(self._box)
        self._finish(self._box)
        self.set_choices(spec.choices)
        self._box.currentIndexChanged.connect(lambda _index: self.changed.emit())

    def set_choices(self, choices: Sequence[Choice]) -> None:
        """Offer these; what was chosen stays chosen, and stays listed even when it is no longer offered."""
        chosen = self._box.currentData()
        blocked = self._box.blockSignals(True)
        self._box.clear()
        for choice in choices:
            self._box.addItem(choice.label, choice.value)
        self._box.blockSignals(blocked)
        if chosen is not None:
            self._select(chosen)

    def value(self) -> Any:
        return self._box.currentData()

    def set_value(self, value: Any) -> None:
        self._select(value)
        self.changed.emit()

    def focus_widget(self) -> QWidget:
        return self._box

    def _select(self, value: Any) -> None:
        blocked = self._box.blockSignals(True)
        at = next((i for i in range(self._box.count()) if self._box.itemData(i) == value), -1)
        if at < 0:
            self._box.addItem(str(value), value)
            at = self._box.count() - 1
        self._box.setCurrentIndex(at)
        self._box.blockSignals(blocked)


class SwitchField(FieldEditor):
    """A check box with the field's title."""

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(spec, parent)
        self._box = QCheckBox(spec.title, self)
        self._layout.addWidget(self._box)
        self._finish(self._box)
        self._box.toggled.connect(lambda _on: self.changed.emit())

    def value(self) -> bool:
        return self._box.isChecked()

    def set_value(self, value: Any) -> None:
        blocked = self._box.blockSignals(True)
        self._box.setChecked(bool(value))
        self._box.blockSignals(blocked)
        self.changed.emit()

    def focus_widget(self) -> QWidget:
        return self._box


class LineField(FieldEditor):
    """One line of text; also numbers without limits, paths (with a Browse button) and lists (comma between items)."""

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(spec, parent)
        self._line = QLineEdit(self)
        self._line.setPlaceholderText(spec.placeholder or ("separate with commas" if spec.kind == "list" else ""))
        self._layout.addWidget(self._label())
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self._line, 1)
        if spec.kind == "path":
            browse = IconButton("open", f"Choose {spec.title.lower()}", self)
            browse.clicked.connect(self._browse)
            row.addWidget(browse)
        self._layout.addLayout(row)
        self._finish(self._line)
        self._line.textChanged.connect(lambda _text: self.changed.emit())

    def value(self) -> Any:
        text = self._line.text()
        if self.spec.kind == "list":
            return tuple(_item(part.strip(), self.spec.item) for part in text.split(",") if part.strip())
        if self.spec.optional and not text.strip():
            return None
        return _item(text.strip(), self.spec.kind) if self.spec.kind in ("int", "float", "seed") else text

    def set_value(self, value: Any) -> None:
        shown = ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else "" if value is None else str(value)
        blocked = self._line.blockSignals(True)
        self._line.setText(shown)
        self._line.setCursorPosition(0)
        self._line.blockSignals(blocked)
        self.changed.emit()

    def focus_widget(self) -> QWidget:
        return self._line

    def _browse(self) -> None:
        dialog = QFileDialog(self, f"Choose {self.spec.title.lower()}", self._line.text())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory if self.spec.widget == "path" else QFileDialog.FileMode.AnyFile)
        dialog.fileSelected.connect(self._line.setText)
        dialog.open()


def _item(text: str, kind: str | None) -> Any:
    """The text as the kind of value it should be; text that is none stays text, for the request to complain about."""
    try:
        return int(text) if kind in ("int", "seed") else float(text) if kind == "float" else text
    except ValueError:
        return text


def _range(spec: FieldSpec) -> tuple[float, float, float]:
    low = -_INT_LIMIT if spec.minimum is None else spec.minimum
    high = _INT_LIMIT if spec.maximum is None else spec.maximum
    span = high - low
    step = spec.step or (1 if spec.kind == "int" else 0.01 if span <= 10 or spec.maximum is None else 0.1)
    # Open bounds: the spin box stays one step inside, the request still accepts what is closer.
    return low + step * spec.open_minimum, high - step * spec.open_maximum, step


def _decimals(number: float) -> int:
    text = f"{number:.{MAX_DECIMALS}f}".rstrip("0")
    return max(1, len(text.partition(".")[2]))


def _wrapped(tip: str) -> str:
    """Rich text, so that Qt wraps a long tooltip."""
    safe = tip.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")
    return f"<qt>{safe}</qt>" if tip else ""
