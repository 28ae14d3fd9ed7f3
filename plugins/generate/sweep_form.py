"""The Sweep section of the controls: one or two settings and the values to compare."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from studio.host.request import RequestError
from studio.ui.theme import restyle
from studio_plugins.generate.axes import AxisSyntaxError, format_axis, parse_axis
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.sweep_labels import AxisField, axis_field, axis_fields
from studio_plugins.generate.sweep_request import SweepAxis, SweepRequest

_SYNTAX = "1-5 is 1, 2, 3, 4, 5; 1-9 (+2) is every second; 0-8 [5] is five values; or a list: 1, 2, 3"


class SweepForm(QWidget):
    """Two axes; `request(base)` builds the sweep. Signals: `run` (the button), `changed`."""

    run = Signal()
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        self._axes = [_AxisRow("Columns", optional=False, parent=self), _AxisRow("Rows", optional=True, parent=self)]
        for row in self._axes:
            layout.addWidget(row)
            row.changed.connect(self._edited)
        self._summary = QLabel(self)
        self._summary.setProperty("tone", "faint")
        self._summary.setWordWrap(True)
        layout.addWidget(self._summary)
        self.button = QPushButton("Draw the grid", self)
        self.button.setToolTip("Draw one picture for each combination, all from the same seed unless the seed varies")
        self.button.clicked.connect(lambda _checked=False: self.run.emit())
        layout.addWidget(self.button)
        self._axes[0].set_axis("guidance_scale", "0-8 [5]")
        self._edited()

    def request(self, base: GenerateRequest) -> SweepRequest:
        """The sweep over `base`. Raises AxisSyntaxError or RequestError."""
        axes = [axis for axis in (row.axis() for row in self._axes) if axis is not None]
        return SweepRequest.checked(base=base, axes=axes)

    def show_request(self, request: SweepRequest) -> None:
        """Show the axes of a sweep."""
        for place, row in enumerate(self._axes):
            if place < len(request.axes):
                axis = request.axes[place]
                row.set_axis(axis.field, format_axis(axis.values, axis_field(axis.field).kind))
            else:
                row.set_axis("", "")

    def state(self) -> list[list[str]]:
        return [list(row.texts()) for row in self._axes]

    def restore(self, state: object) -> None:
        """Take up `state()`; anything malformed is ignored."""
        if not isinstance(state, list):
            return
        for row, pair in zip(self._axes, state, strict=False):
            if isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair):
                row.set_axis(pair[0], pair[1])

    def _edited(self) -> None:
        problem, count = "", 1
        for row in self._axes:
            try:
                axis = row.axis()
                count *= len(axis.values) if axis else 1
                row.set_invalid(False)
            except AxisSyntaxError as error:
                problem = problem or str(error)
                row.set_invalid(True)
        self._summary.setProperty("tone", "error" if problem else "faint")
        self._summary.setText(problem or f"{count} picture{'s' if count > 1 else ''}, from the settings above")
        restyle(self._summary)
        self.button.setEnabled(not problem)
        self.changed.emit()


class _AxisRow(QWidget):
    changed = Signal()

    def __init__(self, title: str, *, optional: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self._fields: dict[str, AxisField] = {field.name: field for field in axis_fields()}
        self._field = QComboBox(self)
        self._field.setAccessibleName(f"{title}: setting")
        if optional:
            self._field.addItem("nothing (one row)", "")
        for field in self._fields.values():
            self._field.addItem(field.title, field.name)
        self._values = QLineEdit(self)
        self._values.setAccessibleName(f"{title}: values")
        label = QLabel(title, self)
        label.setProperty("tone", "muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (label, self._field, self._values):
            layout.addWidget(widget)
        self._field.currentIndexChanged.connect(lambda _index: self._choose())
        self._values.textChanged.connect(lambda _text: self.changed.emit())
        self._choose()

    def axis(self) -> SweepAxis | None:
        """The axis, None when this row varies nothing. Raises AxisSyntaxError."""
        field = self._fields.get(self._field.currentData())
        if field is None:
            return None
        return SweepAxis(field=field.name, values=parse_axis(self._values.text(), field.kind, field.choices))

    def texts(self) -> tuple[str, str]:
        return str(self._field.currentData()), self._values.text()

    def set_axis(self, name: str, values: str) -> None:
        at = self._field.findData(name)
        if at >= 0:
            self._field.setCurrentIndex(at)
            self._values.setText(values)

    def set_invalid(self, invalid: bool) -> None:
        if bool(self._values.property("invalid")) != invalid:
            self._values.setProperty("invalid", invalid)
            restyle(self._values)

    def _choose(self) -> None:
        field = self._fields.get(self._field.currentData())
        self._values.setVisible(field is not None)
        if field is not None:
            self._values.setText(field.example)
            self._values.setPlaceholderText(field.example)
            separated = "Values separated by |" if field.kind == "text" else _SYNTAX
            self._values.setToolTip(f"One of {', '.join(field.choices)}" if field.choices else separated)
        self.changed.emit()
