"""The thin bar above the stage: which rows are shown, how far the drawing is, what is under the pointer."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QProgressBar, QToolButton, QWidget

from studio.ui.elided import ElidedLabel
from studio.ui.icons import IconButton
from studio.ui.panel_layout import PanelLayout
from studio_plugins.guidance.stage import Stage

_ROWS = (
    ("xₜ", "Show the row xₜ: what the network sees at this step"),
    ("x₀", "Show the row x₀: the picture predicted at this step"),
    ("terms", "Show a heat map for each guidance: where it acts on the picture, and how much"),
)


class StageBar(QWidget):
    """Fills the tool row of a PanelLayout. Signals: `save` (the whole table), `picture` (of the batch)."""

    save = Signal()
    picture = Signal(int)

    def __init__(self, zones: PanelLayout, stage: Stage, parent: QWidget) -> None:
        super().__init__(parent)
        self.hide()  # only the owner of the tools below
        self.rows: dict[str, QToolButton] = {}
        for name, tip in _ROWS:
            button = QToolButton(zones)
            button.setText(name)
            button.setToolTip(tip)
            button.setAccessibleName(tip.split(":")[0])
            button.setCheckable(True)
            button.setChecked(True)
            button.toggled.connect(lambda on, name=name: stage.show_rows(name, on))
            zones.add_stage_tool(button)
            self.rows[name] = button
        self._pictures = QComboBox(zones)
        self._pictures.setAccessibleName("Which picture of the batch is shown")
        self._pictures.activated.connect(self.picture)
        self._pictures.hide()
        self._progress = QProgressBar(zones)
        self._progress.setRange(0, 1000)
        self._progress.setTextVisible(False)
        self._progress.setFixedWidth(90)
        self._progress.setAccessibleName("Progress of the comparison")
        self._progress.hide()
        self._status = ElidedLabel(zones)
        self._status.setProperty("tone", "muted")
        for widget in (self._pictures, self._progress, self._status):
            zones.add_stage_tool(widget)
        fit = IconButton("fit", "Show whole pictures again (0)", zones)
        fit.clicked.connect(lambda _checked=False: stage.table.fit())
        save = IconButton("save", "Save the whole table as a picture…", zones)
        save.clicked.connect(lambda _checked=False: self.save.emit())
        for button in (fit, save):
            zones.add_stage_tool(button, right=True)
        self._said = ""
        stage.hovered.connect(lambda text: self._status.setText(text or self._said))

    def show_status(self, text: str, share: float | None) -> None:
        """A line on what is going on; `share` (0..1) also as a bar, None hides it."""
        self._said = text
        self._status.setText(text)
        self._progress.setVisible(share is not None)
        if share is not None:
            self._progress.setValue(round(1000 * share))

    def status(self) -> str:
        return self._said

    def set_pictures(self, count: int, current: int) -> None:
        """Offer the pictures of a batch."""
        if self._pictures.count() != count:
            self._pictures.clear()
            self._pictures.addItems([f"picture {i + 1} of {count}" for i in range(count)])
        self._pictures.setCurrentIndex(current)
        self._pictures.setVisible(count > 1)
