"""The thin bar above the stage: what is shown, how far it is, and what to do with the picture."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QProgressBar, QToolButton, QWidget

from studio.ui.elided import ElidedLabel
from studio.ui.icons import IconButton
from studio.ui.panel_layout import PanelLayout
from studio_plugins.generate.on_stage import OnStage
from studio_plugins.generate.stage import Stage


class StageBar(QWidget):
    """Fills the tool row of a PanelLayout. Signals: `variations`, `save`, `copy`, `keep`."""

    variations = Signal()
    save = Signal()
    copy = Signal()
    keep = Signal()

    def __init__(self, zones: PanelLayout, stage: Stage, parent: QWidget) -> None:
        super().__init__(parent)
        self.hide()  # only the owner of the tools below
        self._stage = stage
        self._all = IconButton("back", "Back to all pictures (Esc)", zones)
        self._all.clicked.connect(lambda _checked=False: stage.show_all())
        self._clean = _mode("x₀", "x₀: the picture the network predicts at this step", zones)
        self._noisy = _mode("xₜ", "xₜ: what the network sees at this step, noise included", zones)
        self._modes = QButtonGroup(self)
        for button in (self._clean, self._noisy):
            self._modes.addButton(button)
        self._clean.setChecked(True)
        self._noisy.toggled.connect(stage.set_noisy)
        self._progress = QProgressBar(zones)
        self._progress.setRange(0, 1000)
        self._progress.setTextVisible(False)
        self._progress.setFixedWidth(120)
        self._progress.setAccessibleName("Progress of the picture")
        self._progress.hide()
        self._status = ElidedLabel(zones)
        self._status.setProperty("tone", "muted")
        for widget in (self._all, self._clean, self._noisy, self._progress, self._status):
            zones.add_stage_tool(widget)
        self._keep = QToolButton(zones)
        self._keep.setText("Keep")
        self._keep.setToolTip("Save this picture in the History")
        self._keep.clicked.connect(lambda _checked=False: self.keep.emit())
        self._vary = QToolButton(zones)
        self._vary.setText("Variations")
        self._vary.setToolTip("Nine pictures with the same settings and neighbouring seeds")
        self._vary.clicked.connect(lambda _checked=False: self.variations.emit())
        self._copy = IconButton("copy", "Copy this picture", zones)
        self._copy.clicked.connect(lambda _checked=False: self.copy.emit())
        self._save = IconButton("save", "Save as… with the settings inside", zones)
        self._save.clicked.connect(lambda _checked=False: self.save.emit())
        for widget in (self._keep, self._vary, self._copy, self._save):
            zones.add_stage_tool(widget, right=True)
        stage.view_changed.connect(self._show_state)
        self._unkept = False
        self._show_state()

    def show_status(self, text: str, share: float | None) -> None:
        """A line on what is going on; `share` (0..1) also as a bar, None hides it."""
        self._status.setText(text)
        self._progress.setVisible(share is not None)
        if share is not None:
            self._progress.setValue(round(1000 * share))

    def status(self) -> str:
        return self._status.text()

    def refresh(self, shown: OnStage) -> None:
        """Offer what is possible with the run shown."""
        self._unkept = shown.unkept is not None
        self._show_state()

    def _show_state(self) -> None:
        something = self._stage.count > 0
        self._all.setVisible(self._stage.alone is not None)
        for button in (self._clean, self._noisy):
            button.setVisible(not self._stage.is_sweep)
            button.setEnabled(bool(self._stage.steps))
        self._noisy.setEnabled(self._stage.knows_noisy)
        for button in (self._vary, self._copy, self._save):
            button.setEnabled(something)
        self._keep.setVisible(self._unkept)


def _mode(text: str, tip: str, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(tip.split(":")[0])
    button.setCheckable(True)
    return button
