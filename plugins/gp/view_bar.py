"""The thin bar above the plot: undo, what is drawn, and how the axes are set."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLabel, QSpinBox, QWidget

from studio.ui.icons import IconButton
from studio.ui.panel_layout import PanelLayout
from studio.ui.states import States
from studio_plugins.gp.view import MOST_SAMPLES, View

BANDS = ((0.0, "no band"), (1.0, "1σ band"), (1.96, "95 % band"), (2.0, "2σ band"), (3.0, "3σ band"))


class ViewBar(QWidget):
    """Signals: `changed` (View), `fitting` (show all points)."""

    changed = Signal(object)
    fitting = Signal()

    def __init__(self, zones: PanelLayout, undo: States) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the parts below, which live in the zones
        self._view, self._quiet = View(), False
        self.undo = _button("undo", "Undo (Ctrl+Z)", zones)
        self.redo = _button("redo", "Redo (Ctrl+Shift+Z)", zones)
        for button, act, able in (
            (self.undo, undo.undo, undo.canUndoChanged), (self.redo, undo.redo, undo.canRedoChanged)
        ):  # fmt: skip
            button.clicked.connect(act)
            button.setEnabled(False)
            able.connect(button.setEnabled)
        undo.undoTextChanged.connect(lambda text: self.undo.setToolTip(f"Undo {text} (Ctrl+Z)".replace("  ", " ")))
        undo.redoTextChanged.connect(lambda text: self.redo.setToolTip(f"Redo {text} (Ctrl+Shift+Z)".replace("  ", " ")))
        fit = _button("fit", "Show all points", zones)
        fit.clicked.connect(lambda _checked=False: self.fitting.emit())
        self.band = QComboBox(zones)
        self.band.setAccessibleName("Band")
        self.band.setToolTip("Half the width of the band, in standard deviations of f")
        self.band.setEditable(True)
        self.band.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        for width, title in BANDS:
            self.band.addItem(title, width)
        self.band.setFixedWidth(104)
        self.band.activated.connect(self._edited)
        edit = self.band.lineEdit()
        assert edit is not None
        edit.editingFinished.connect(self._read_band)
        self.samples = QSpinBox(zones)
        self.samples.setRange(0, MOST_SAMPLES)
        self.samples.setSuffix(" samples")
        self.samples.setAccessibleName("Samples")
        self.samples.setToolTip("Functions drawn from the posterior (and from the prior, where it shows)")
        self.samples.valueChanged.connect(self._edited)
        self.moving = _toggle("play", "Let the samples wander through sample space along great circles", zones)
        self.again = _button("dice", "Draw other samples", zones)
        self.again.clicked.connect(self._draw_again)
        self.prior = _toggle("curve", "Show the prior: what is believed before any point is seen", zones)
        self.noisy = _toggle("noise", "Band of new observations (f + noise) rather than of the function f", zones)
        self.loo = _toggle("compare", "Leave-one-out: what all other points predict of each, within 2σ", zones)
        for toggle in (self.moving, self.prior, self.noisy, self.loo):
            toggle.toggled.connect(self._edited)
        parts: tuple[QWidget, ...] = (
            self.undo, self.redo, fit, _gap(zones), self.band, self.noisy, self.prior, self.loo, _gap(zones), self.samples,
            self.again, self.moving,
        )  # fmt: skip
        self._of_functions = parts[4:]
        for part in parts:
            zones.add_stage_tool(part)
        self.set_view(self._view)

    @property
    def view(self) -> View:
        return self._view

    def set_view(self, view: View) -> None:
        """Show a view, and say so."""
        self._quiet = True
        self._view = view
        at = self.band.findData(view.band)
        self.band.setCurrentIndex(at)
        if at < 0:
            self.band.setEditText(f"{view.band:g}σ band")
        self.samples.setValue(view.samples)
        for toggle, on in (
            (self.moving, view.moving), (self.prior, view.prior), (self.noisy, view.noisy), (self.loo, view.loo)
        ):  # fmt: skip
            toggle.setChecked(on)
        self.moving.setEnabled(view.samples > 0)
        self.again.setEnabled(view.samples > 0)
        self._quiet = False
        self.changed.emit(view)

    def show_functions(self, shown: bool) -> None:
        """Whether a function over one input is on show: what is drawn of it can be chosen only then."""
        for part in self._of_functions:
            part.setVisible(shown)

    def _edited(self) -> None:
        if self._quiet:
            return
        width = self.band.currentData() if self.band.currentIndex() >= 0 else self._view.band
        self.set_view(
            replace(
                self._view, band=float(width), samples=self.samples.value(), moving=self.moving.isChecked(),
                prior=self.prior.isChecked(), noisy=self.noisy.isChecked(), loo=self.loo.isChecked(),
            )
        )  # fmt: skip

    def _read_band(self) -> None:
        """A width that is typed: any number of standard deviations, such as 2.5."""
        text = self.band.currentText().replace("σ", " ").replace("band", " ").replace(",", ".").strip()
        if self.band.findText(self.band.currentText()) >= 0:
            return
        try:
            width = float(text)
        except ValueError:
            width = self._view.band
        self.set_view(replace(self._view, band=min(max(width, 0.0), 5.0)))

    def _draw_again(self) -> None:
        self.set_view(replace(self._view, seed=self._view.seed + 1))


def _button(icon: str, tip: str, parent: QWidget) -> IconButton:
    return IconButton(icon, tip, parent)


def _toggle(icon: str, tip: str, parent: QWidget) -> IconButton:
    button = IconButton(icon, tip, parent)
    button.setCheckable(True)
    return button


def _gap(parent: QWidget) -> QLabel:
    gap = QLabel(parent)
    gap.setFixedWidth(8)
    return gap
