"""The tools that edit a grid world: what the mouse draws, the world's own numbers, its size, worlds to begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup, QDoubleSpinBox, QGridLayout, QMenu, QSpinBox, QToolButton, QWidget, QWidgetAction,
)  # fmt: skip

from studio.ml.rl.errors import BadWorld
from studio.ml.rl.grid import GridWorld
from studio.ml.rl.worlds.grids import grids
from studio.ui.flow_layout import FlowLayout
from studio.ui.icons import IconButton
from studio.ui.tokens import SPACE_S, SPACE_XS
from studio.ui.wheel import wheel_passed_on
from studio_plugins.rl import grid_edits
from studio_plugins.rl.grid_edits import MOST_SIDE, MOST_WIND, Pen, Tool

TOOLS: tuple[tuple[Tool, str, str], ...] = (
    ("look", "view", "Look: point at a cell for its numbers"),
    ("wall", "wall", "Wall: nobody enters it. Drag to draw; the right button erases"),
    ("floor", "eraser", "Floor: clear cells"),
    ("cliff", "cliff", "Cliff: costs the cliff's reward and leads back to the start"),
    ("hole", "hole", "Hole: the episode ends"),
    ("goal", "flag", "Goal: the episode ends"),
    ("start", "start", "Start: drag it to where episodes begin"),
    ("reward", "coin", "Reward for entering a cell: click to set the number, turn the wheel to change it"),
    ("wind", "wind", "Wind: cells that a column pushes upwards; click a column, or turn the wheel over it"),
)
_MOST_REWARD = 10_000.0


class _Number(QDoubleSpinBox):
    """A number without noughts behind it."""

    def textFromValue(self, value: float) -> str:
        return f"{round(value, self.decimals()):g}"


class GridTools(QWidget):
    """`set_grid` says which world is edited. Signals: `pen_changed` (Pen, for `GridView.set_pen`), `edited` and `reshaped`
    (GridWorld after, before, what was done; `reshaped` has other states and needs new runs), `refused` (reason)."""

    pen_changed = Signal(object)
    edited = Signal(object, object, str)
    reshaped = Signal(object, object, str)
    refused = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid: GridWorld | None = None
        self._numbers = {"reward": 5.0, "wind": 1.0}
        self._quiet = False
        flow = FlowLayout(self, spacing=SPACE_XS)
        flow.setContentsMargins(0, 0, 0, 0)
        self._group = QButtonGroup(self)
        self.tools: dict[Tool, IconButton] = {}
        for tool, icon, tip in TOOLS:
            button = IconButton(icon, tip, self)
            button.setAccessibleName(tip.split(":")[0])
            button.setCheckable(True)
            button.clicked.connect(lambda _checked=False: self._choose())
            self._group.addButton(button)
            self.tools[tool] = button
            flow.addWidget(button)
        self.tools["look"].setChecked(True)
        self.number = self._real("Number of the tool", "The reward, or the strength of the wind, that the tool draws", 0.5)
        self.number.valueChanged.connect(self._renumber)
        self.number.hide()
        self.slip = self._real("Slip", "Probability of going sideways instead, half to each side", 0.05, low=0.0, high=1.0)
        self.slip.setPrefix("slip ")
        self.slip.valueChanged.connect(lambda value: self._edit("Change slip", lambda grid: replace(grid, slip=round(value, 4))))
        self.step_reward = self._real("Reward of a step", "The reward for entering any cell that has none of its own", 0.5)
        self.step_reward.setPrefix("step ")
        self.step_reward.valueChanged.connect(
            lambda value: self._edit("Change reward of a step", lambda grid: replace(grid, step_reward=value))
        )
        self.cliff_reward = self._real("Reward of the cliff", "The reward for going over the edge", 10.0)
        self.cliff_reward.setPrefix("cliff ")
        self.cliff_reward.valueChanged.connect(
            lambda value: self._edit("Change reward of the cliff", lambda grid: replace(grid, cliff_reward=value))
        )
        self.cliff_reward.hide()
        self.rows, self.columns = self._count("rows"), self._count("columns")
        for widget in (self.number, self.cliff_reward):
            flow.addWidget(widget)
        self.more = QToolButton(self)
        self.more.setText("World ▾")
        self.more.setToolTip("Slip, the reward of a step, the size; a named world to begin with, or this one without walls")
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setMenu(self._menu())
        flow.addWidget(self.more)
        self.setEnabled(False)

    # --- what is edited, and with what ---

    @property
    def pen(self) -> Pen:
        """What mouse and keyboard draw with."""
        tool = next(tool for tool, button in self.tools.items() if button.isChecked())
        return Pen(tool, self._numbers.get(tool, 0.0))

    def set_tool(self, tool: Tool) -> None:
        """Choose a tool, as a click would."""
        self.tools[tool].click()

    def set_grid(self, grid: GridWorld | None) -> None:
        """The world that is edited; says nothing."""
        self._grid = grid
        self.setEnabled(grid is not None)
        if grid is None:
            return
        self._quiet = True
        self.slip.setValue(grid.slip)
        self.step_reward.setValue(grid.step_reward)
        self.cliff_reward.setValue(grid.cliff_reward)
        self.rows.setValue(grid.rows)
        self.columns.setValue(grid.columns)
        self._quiet = False

    def _choose(self) -> None:
        tool = self.pen.tool
        self._quiet = True
        if tool in self._numbers:
            wind = tool == "wind"
            self.number.setRange(-MOST_WIND if wind else -_MOST_REWARD, MOST_WIND if wind else _MOST_REWARD)
            self.number.setDecimals(0 if wind else 2)
            self.number.setSingleStep(1.0)
            self.number.setValue(self._numbers[tool])
        self.number.setVisible(tool in self._numbers)
        self.cliff_reward.setVisible(tool == "cliff")
        self._quiet = False
        self.pen_changed.emit(self.pen)

    def _renumber(self, value: float) -> None:
        if not self._quiet:
            self._numbers[self.pen.tool] = value
            self.pen_changed.emit(self.pen)

    # --- edits of the whole world ---

    def _edit(self, text: str, change: Callable[[GridWorld], GridWorld]) -> None:
        """Make an edit and tell; one that cannot be is taken back."""
        before = self._grid
        if self._quiet or before is None:
            return
        try:
            after = change(before)
        except BadWorld as error:
            self.set_grid(before)
            self.refused.emit(str(error))
            return
        if after == before:
            return
        self.set_grid(after)
        same = (after.rows, after.columns, after.moves) == (before.rows, before.columns, before.moves)
        (self.edited if same else self.reshaped).emit(after, before, text)

    def _resize(self) -> None:
        rows, columns = self.rows.value(), self.columns.value()
        self._edit(f"Resize to {rows} × {columns}", lambda grid: grid_edits.resized(grid, rows, columns))

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        numbers = QWidgetAction(menu)
        numbers.setDefaultWidget(self._numbers_of_world(menu))
        menu.addAction(numbers)
        menu.addSeparator()
        for name, grid in grids().items():
            action = menu.addAction(name)
            action.triggered.connect(lambda _checked=False, name=name, grid=grid: self._edit(f"Take {name}", lambda _old: grid))
        menu.addSeparator()
        clear = menu.addAction("Clear the walls")
        clear.triggered.connect(lambda _checked=False: self._edit("Clear the walls", grid_edits.without_walls))
        return menu

    def _numbers_of_world(self, menu: QMenu) -> QWidget:
        """The world's own numbers, two by two."""
        sheet = QWidget(menu)
        table = QGridLayout(sheet)
        table.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
        for place, box in enumerate((self.slip, self.step_reward, self.rows, self.columns)):
            table.addWidget(box, place // 2, place % 2)
        return sheet

    # --- small parts ---

    def _real(self, name: str, tip: str, step: float, *, low: float = -_MOST_REWARD, high: float = _MOST_REWARD) -> QDoubleSpinBox:
        box = _Number(self)
        box.setRange(low, high)
        box.setDecimals(2)
        box.setSingleStep(step)
        box.setKeyboardTracking(False)
        self._named(box, name, tip)
        return box

    def _count(self, name: str) -> QSpinBox:
        box = QSpinBox(self)
        box.setRange(1, MOST_SIDE)
        box.setSuffix(f" {name}")
        box.setKeyboardTracking(False)
        self._named(box, name.capitalize(), f"How many {name} the world has; other worlds need new runs")
        box.valueChanged.connect(lambda _value: self._resize())
        return box

    def _named(self, box: QWidget, name: str, tip: str) -> None:
        box.setAccessibleName(name)
        box.setToolTip(tip)
        box.setFixedWidth(108)
        box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        box.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        return wheel_passed_on(watched, event) or super().eventFilter(watched, event)
