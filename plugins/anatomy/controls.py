"""The left column: which model, and the form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QWidget

from studio.ml.anatomy.presets import PRESETS
from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from studio.ui.tokens import SPACE_S
from studio_plugins.anatomy.jobs import Listed
from studio_plugins.anatomy.request import PRESET, AnatomyRequest
from studio_plugins.anatomy.results import Look

_HEADINGS = ("Well-known shapes, without weights", "Bundled with the studio", "On this machine", "Opened here")


class Controls(QWidget):
    """Builds its parts into a PanelLayout. Signals: `changed` at every edit, `chosen` (name of a model),
    `opening_folder`, `opening_file`, `resetting` (back to the model's own sizes)."""

    changed = Signal()
    chosen = Signal(str)
    opening_folder = Signal()
    opening_file = Signal()
    resetting = Signal()

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the parts below, which live in the zones
        self._listed = Listed((), ())
        self._opened: dict[str, str] = {}
        self._models = QComboBox(zones)
        self._models.setAccessibleName("Model")
        self._models.setToolTip("A well-known shape, a bundled model, or one of this machine's library")
        self._models.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._models.setMinimumContentsLength(12)
        self._models.setMaxVisibleItems(24)
        self._models.setPlaceholderText("Choose a model…")
        self._models.activated.connect(self._take)
        zones.add_control(self._models)
        row = QWidget(zones)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        for text, tip, signal in (
            ("Open folder…", "A folder of transformers on the disk, as save_pretrained writes it", self.opening_folder),
            ("Open config…", "A config.json alone, of a model of any size: no weights are needed", self.opening_file),
        ):
            button = QPushButton(text, row)
            button.setToolTip(tip)
            button.clicked.connect(lambda _checked=False, signal=signal: signal.emit())
            layout.addWidget(button)
        zones.add_control(row)
        self.form: RequestForm[AnatomyRequest] = RequestForm(AnatomyRequest, zones)
        self.form.changed.connect(self.changed)
        zones.add_control(self.form)
        self._size = QLabel(zones)
        self._size.setWordWrap(True)
        self._size.setProperty("tone", "faint")
        zones.add_control(self._size)
        self._reset = QPushButton("Back to the model's own sizes", zones)
        self._reset.setToolTip("Width, layers and heads as the configuration has them")
        self._reset.clicked.connect(lambda _checked=False: self.resetting.emit())
        self._reset.hide()
        zones.add_control(self._reset)
        self._fill()

    def show_listed(self, listed: Listed) -> None:
        """The models on this machine."""
        self._listed = listed
        self._fill()

    def show_model(self, model: str, title: str) -> None:
        """Choose what is shown; a folder or file that is not listed is added."""
        known = {name for name, _ in (*self._listed.bundled, *self._listed.library)}
        if not model.startswith(PRESET) and model not in known:
            self._opened[model] = title
        self._fill()
        at = self._models.findData(model)
        if at >= 0:
            self._models.setCurrentIndex(at)

    def show_look(self, look: Look) -> None:
        """Whether the sizes are the model's own; and those, where the form does not name any."""
        hypothetical = look.change is not None or bool(look.problem)
        self._reset.setVisible(hypothetical)
        words = ""
        if look.problem:
            words = look.problem
        elif look.change is not None:
            words = "A hypothetical model: the sizes above are not those of the model, and nobody has trained it."
        self._size.setText(words)
        self._size.setVisible(bool(words))

    def names(self) -> list[str]:
        """Every model that is offered."""
        found = [self._models.itemData(i) for i in range(self._models.count())]
        return [str(name) for name in found if name]

    def _fill(self) -> None:
        chosen = self._models.currentData()
        blocked = self._models.blockSignals(True)
        self._models.clear()
        presets = tuple((f"{PRESET}{name}", found.title) for name, found in PRESETS.items())
        offered = (presets, self._listed.bundled, self._listed.library, tuple(self._opened.items()))
        for heading, entries in zip(_HEADINGS, offered, strict=True):
            if entries:
                self._add_heading(heading)
            for name, title in entries:
                self._models.addItem(f"   {title}", name)
                if not name.startswith(PRESET):
                    self._models.setItemData(self._models.count() - 1, str(Path(name)), 3)  # the tooltip
        at = self._models.findData(chosen) if chosen else -1
        self._models.setCurrentIndex(at)
        self._models.blockSignals(blocked)

    def _add_heading(self, text: str) -> None:
        self._models.addItem(text, "")
        model = self._models.model()
        if isinstance(model, QStandardItemModel):
            model.item(self._models.count() - 1).setEnabled(False)

    def _take(self, at: int) -> None:
        name = self._models.itemData(at)
        if name:
            self.chosen.emit(str(name))

    def set(self, values: Mapping[str, object]) -> None:
        """Show some fields of the form."""
        self.form.set_fields(values)
