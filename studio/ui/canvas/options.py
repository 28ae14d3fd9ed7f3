"""The line above the canvas: what the current tool can be told, and what is done with the whole mask."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QToolButton,
    QWidget,
    QWidgetAction,
)

from studio.ui.canvas.brush import MAX_DIAMETER, Pressure
from studio.ui.canvas.keys import clear_target, invert_mask
from studio.ui.canvas.settings import Combine, ToolName
from studio.ui.canvas.toolbar import choose_colour
from studio.ui.canvas.view import CanvasView
from studio.ui.flow_layout import FlowLayout
from studio.ui.tokens import SPACE_M, SPACE_S, SPACE_XS
from studio.ui.wheel import WHEELED

_TICKS = 200  # of the slider for sizes, which is logarithmic
_MOST_PIXELS = 512
_ARROWS = 46  # pixels of a number's field beside its text
_SHAPES = (ToolName.LASSO, ToolName.RECTANGLE, ToolName.ELLIPSE, ToolName.FLOOD)


class Amount(QWidget):
    """A label, a slider and the number beside it."""

    def __init__(self, label: str, least: int, most: int, unit: str, tip: str, take: Callable[[int], None], *, logarithmic: bool = False) -> None:
        super().__init__()
        self._most, self._logarithmic = most, logarithmic
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._slider.setRange(0 if logarithmic else least, _TICKS if logarithmic else most)
        self._slider.setFixedWidth(64)
        self._number = QSpinBox(self)
        self._number.setRange(least, most)
        self._number.setSuffix(f" {unit}")
        self._number.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._number.setFixedWidth(self.fontMetrics().horizontalAdvance(f"{most} {unit}") + _ARROWS)
        for editor, kind in ((self._slider, "slider"), (self._number, "number")):
            editor.setToolTip(tip)
            editor.setAccessibleName(f"{label}, {kind}")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_XS)
        name = QLabel(label, self)
        name.setProperty("tone", "muted")
        row.addWidget(name)
        row.addWidget(self._slider)
        row.addWidget(self._number)
        self._slider.valueChanged.connect(lambda tick: take(self._value_at(tick)))
        self._number.valueChanged.connect(take)

    def show_value(self, value: float) -> None:
        """Show a value without telling of it."""
        with QSignalBlocker(self._slider), QSignalBlocker(self._number):
            self._number.setValue(round(value))
            self._slider.setValue(round(_TICKS * math.log(max(1.0, value)) / math.log(self._most)) if self._logarithmic else round(value))

    def value(self) -> int:
        return self._number.value()

    def _value_at(self, tick: int) -> int:
        return round(self._most ** (tick / _TICKS)) if self._logarithmic else tick


class ToolOptions(QFrame):
    """Shows and changes the settings of a `CanvasView`; wraps where it is narrow."""

    def __init__(self, view: CanvasView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view, self._settings = view, view.settings
        self.setProperty("edge", "bottom")
        self.setAccessibleName("Tool options")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        row = FlowLayout(self, spacing=SPACE_M)
        row.setContentsMargins(SPACE_S, SPACE_XS, SPACE_S, SPACE_XS)
        brush, keep = self._settings.set_brush, self._settings.set
        self._size = Amount("Size", 1, int(MAX_DIAMETER), "px", "Diameter in pixels of the picture ([ and ], or Ctrl and the wheel)",
                            lambda value: brush(diameter=value), logarithmic=True)  # fmt: skip
        self._hardness = Amount("Hardness", 0, 100, "%", "100 % has a sharp edge ({ and })", lambda value: brush(hardness=value / 100))
        self._opacity = Amount("Opacity", 1, 100, "%", "Of a whole stroke, however often it crosses itself", lambda value: brush(opacity=value / 100))
        self._pressure = _choice("What the pressure of a pen changes", {
            Pressure.SIZE: "Pen: size", Pressure.OPACITY: "Pen: opacity", Pressure.NOTHING: "Pen: nothing"},
            lambda value: brush(pressure=value))  # fmt: skip
        self._combine = _choice("How a shape meets what is there", {
            Combine.ADD: "Add", Combine.SUBTRACT: "Take away", Combine.REPLACE: "Replace"},
            lambda value: keep(combine=value))  # fmt: skip
        self._tolerance = Amount("Tolerance", 0, 255, "levels", "How much a colour channel may differ from where one clicks, of 255",
                                 lambda value: keep(tolerance=value))  # fmt: skip
        self._contiguous = QCheckBox("Connected only", self)
        self._contiguous.setToolTip("Only what is connected to where one clicks")
        self._contiguous.toggled.connect(lambda on: keep(contiguous=on))
        self._amount = Amount("By", 1, _MOST_PIXELS, "px", "How far the mask grows, shrinks or softens, in pixels of the picture", lambda _: None)
        self._amount.show_value(8)
        for widget in (self._size, self._hardness, self._opacity, self._pressure, self._combine, self._tolerance, self._contiguous):
            row.addWidget(widget)
        row.addWidget(_menu_button("Mask", "What is done with the whole mask", self._mask_menu()))
        row.addWidget(_menu_button("View", "What is shown of mask and hints", self._view_menu()))
        for editor in self.findChildren(QWidget):
            if isinstance(editor, WHEELED):
                editor.setFocusPolicy(Qt.FocusPolicy.TabFocus if isinstance(editor, QSlider) else Qt.FocusPolicy.StrongFocus)
        self._settings.changed.connect(self._show)
        view.work.busy_changed.connect(lambda text: self.setEnabled(not text))
        self._show()

    def _mask_menu(self) -> QMenu:
        menu, view = QMenu(self), self._view
        menu.addAction("Invert (I)", partial(invert_mask, view))
        menu.addAction("Clear what is painted on (Delete)", partial(clear_target, view))
        menu.addSeparator()
        _add_widget(menu, self._amount)
        for label, change in (("Grow", view.work.grow), ("Shrink", view.work.shrink), ("Feather", view.work.feather)):
            menu.addAction(label, lambda change=change: change(self._amount.value()))
        return menu

    def _view_menu(self) -> QMenu:
        menu, keep = QMenu(self), self._settings.set
        self._shown = {}
        for key, label in (("show_mask", "Show the mask"), ("show_hints", "Show colour hints"), ("mask_alone", "Mask alone (M)")):
            action = menu.addAction(label)
            action.setCheckable(True)
            action.toggled.connect(lambda on, key=key: keep(**{key: on}))
            self._shown[key] = action
        menu.addSeparator()
        self._overlay = Amount("Mask", 5, 100, "%", "How strongly the mask covers the picture", lambda value: keep(overlay_opacity=value / 100))
        _add_widget(menu, self._overlay)
        menu.addAction("Colour of the mask …", self._choose_overlay)
        menu.addSeparator()
        menu.addAction("Fit to the window (0)", self._view.fit)
        menu.addAction("Real size (1)", self._view.actual_size)
        menu.addAction("Turn left (4)", lambda: self._view.rotate(-15.0))
        menu.addAction("Turn right (6)", lambda: self._view.rotate(15.0))
        menu.addAction("Turn back (5)", self._view.straighten)
        return menu

    def _choose_overlay(self) -> None:
        values = self._settings.values
        choose_colour(self, values.overlay_colour(), lambda colour: self._settings.set(overlay=colour.name()))

    def _show(self) -> None:
        values = self._settings.values
        brush = values.brush_of(values.tool)
        for widget in (self._size, self._hardness, self._opacity, self._pressure):
            widget.setVisible(brush is not None)
        self._combine.setVisible(values.tool in _SHAPES)
        for widget in (self._tolerance, self._contiguous):
            widget.setVisible(values.tool is ToolName.FLOOD)
        if brush is not None:
            self._size.show_value(brush.diameter)
            self._hardness.show_value(100 * brush.hardness)
            self._opacity.show_value(100 * brush.opacity)
            _select(self._pressure, brush.pressure)
        _select(self._combine, values.combine)
        self._tolerance.show_value(values.tolerance)
        self._overlay.show_value(100 * values.overlay_opacity)
        with QSignalBlocker(self._contiguous):
            self._contiguous.setChecked(values.contiguous)
        for key, action in self._shown.items():
            with QSignalBlocker(action):
                action.setChecked(getattr(values, key))


def _choice(tip: str, options: dict[Pressure, str] | dict[Combine, str], take: Callable[[str], None]) -> QComboBox:
    box = QComboBox()
    for value, label in options.items():
        box.addItem(label, value.value)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    box.currentIndexChanged.connect(lambda index: take(box.itemData(index)))
    return box


def _select(box: QComboBox, value: str) -> None:
    with QSignalBlocker(box):
        box.setCurrentIndex(box.findData(str(value)))


def _menu_button(label: str, tip: str, menu: QMenu) -> QToolButton:
    button = QToolButton()
    button.setText(f"{label} ▾")
    button.setToolTip(tip)
    button.setAccessibleName(label)
    button.setMenu(menu)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def _add_widget(menu: QMenu, widget: QWidget) -> None:
    action = QWidgetAction(menu)
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(SPACE_M, SPACE_XS, SPACE_M, SPACE_XS)
    row.addWidget(widget)
    action.setDefaultWidget(holder)
    menu.addAction(action)
