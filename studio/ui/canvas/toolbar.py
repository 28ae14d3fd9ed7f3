"""The tools beside the canvas: what the pointer does, what is painted on, undo; and those of the view below it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QButtonGroup, QColorDialog, QFrame, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from studio.ui.canvas.document import Target
from studio.ui.canvas.keys import TOOL_KEYS
from studio.ui.canvas.settings import ToolName
from studio.ui.canvas.view import CanvasView
from studio.ui.icons import IconButton
from studio.ui.theme import theme
from studio.ui.tokens import SPACE_XS

_SIZE, _SMALL = 20, 14
_TITLES: dict[ToolName, tuple[str, str]] = {
    ToolName.BRUSH: ("Brush", "Shift draws straight lines, [ and ] change the size"),
    ToolName.ERASER: ("Eraser", "Has a size of its own"),
    ToolName.LASSO: ("Lasso", "Draw around what to select; Ctrl takes away"),
    ToolName.RECTANGLE: ("Rectangle", "Shift makes a square, Ctrl takes away"),
    ToolName.ELLIPSE: ("Ellipse", "Shift makes a circle, Ctrl takes away"),
    ToolName.FLOOD: ("Fill by colour", "Selects what has the colour one clicks on"),
}
_ICONS: dict[ToolName, str] = {name: name.value for name in ToolName} | {ToolName.FLOOD: "fill"}
_TARGETS: dict[Target, tuple[str, str, str]] = {
    Target.MASK: ("mask", "Paint the mask", "What is covered is drawn anew (X changes over)"),
    Target.HINTS: ("hints", "Paint colour hints", "Paint what the model shall refine (X changes over)"),
}


class CanvasTools(QFrame):
    """A narrow column beside a `CanvasView`; it shows and changes the view's settings."""

    def __init__(self, view: CanvasView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view, self._settings = view, view.settings
        self.setProperty("edge", "right")
        self.setAccessibleName("Canvas tools")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(SPACE_XS, SPACE_XS, SPACE_XS, SPACE_XS)
        self._column.setSpacing(2)
        self._tools = {name: self._add_tool(name) for name in ToolName}
        self._exclusive(list(self._tools.values()))
        self._divide()
        self._targets = {target: self._add_target(target) for target in Target}
        self._exclusive(list(self._targets.values()))
        self._colour = ColourButton("Colour of the hints", self)
        self._colour.clicked.connect(self._choose_colour)
        self._column.addWidget(self._colour, 0, Qt.AlignmentFlag.AlignHCenter)
        self._divide()
        stack = view.document.undo
        self._undo = self._add("undo", "Undo", view.undo)
        self._redo = self._add("redo", "Redo", view.redo)
        stack.indexChanged.connect(self._show_undo)
        self._column.addStretch(1)
        self._settings.changed.connect(self._show)
        theme().changed.connect(self._show)
        self._show()
        self._show_undo()

    def _add_tool(self, name: ToolName) -> IconButton:
        title, more = _TITLES[name]
        button = self._add(_ICONS[name], f"{title} ({TOOL_KEYS[name]}). {more}", partial(self._settings.set, tool=name))
        button.setCheckable(True)
        return button

    def _add_target(self, target: Target) -> IconButton:
        icon, title, more = _TARGETS[target]
        button = self._add(icon, f"{title}. {more}", partial(self._settings.set, target=target))
        button.setCheckable(True)
        return button

    def _add(self, icon: str, tip: str, action: object) -> IconButton:
        button = IconButton(icon, tip, self, size=_SIZE)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keyboard with the canvas
        button.clicked.connect(lambda: action())  # type: ignore[operator]
        self._column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        return button

    def _exclusive(self, buttons: list[IconButton]) -> None:
        group = QButtonGroup(self)
        for button in buttons:
            group.addButton(button)

    def _divide(self) -> None:
        line = QFrame(self)
        line.setProperty("role", "divider")
        line.setFixedHeight(1)
        self._column.addSpacing(SPACE_XS)
        self._column.addWidget(line)
        self._column.addSpacing(SPACE_XS)

    def _show(self) -> None:
        values = self._settings.values
        self._tools[values.tool].setChecked(True)
        self._targets[values.target].setChecked(True)
        self._colour.show_colour(QColor(values.colour))
        self._colour.setEnabled(values.target is Target.HINTS)

    def _show_undo(self) -> None:
        stack = self._view.document.undo
        for button, possible, text in (
            (self._undo, stack.canUndo(), f"Undo {stack.undoText()} (Ctrl+Z)"),
            (self._redo, stack.canRedo(), f"Redo {stack.redoText()} (Ctrl+Shift+Z)"),
        ):
            button.setEnabled(possible)
            button.setToolTip(text if possible else text.split()[0])

    def _choose_colour(self) -> None:
        choose_colour(self, QColor(self._settings.values.colour), lambda colour: self._settings.set(colour=colour.name()))


class ViewTools(QWidget):
    """A narrow row below a `CanvasView`: turn, zoom, fit."""

    def __init__(self, view: CanvasView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for icon, tip, action in (
            ("rotate", "Turn the view (4 and 6; 5 turns it back)", partial(view.rotate, 15.0)),
            ("zoom-out", "Zoom out (-)", partial(view.zoom, 0.8)),
            ("zoom-in", "Zoom in (+)", partial(view.zoom, 1.25)),
            ("fit", "Fit to the window (0; 1 shows real size)", view.fit),
        ):
            button = IconButton(icon, tip, self, size=_SMALL)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(lambda _checked=False, action=action: action())
            row.addWidget(button)


class ColourButton(QToolButton):
    """A button that shows a colour."""

    def __init__(self, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setIconSize(QSize(_SIZE, _SIZE))
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def show_colour(self, colour: QColor) -> None:
        """Show another colour."""
        self.setAccessibleDescription(colour.name())
        picture = QPixmap(2 * _SIZE, 2 * _SIZE)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(theme().color("border_strong"))
        painter.setBrush(colour)
        painter.drawRoundedRect(4, 4, 2 * _SIZE - 8, 2 * _SIZE - 8, 6, 6)
        painter.end()
        self.setIcon(QIcon(picture))


def choose_colour(parent: QWidget, colour: QColor, chosen: object) -> None:
    """Ask for a colour without stopping the window; `chosen(colour)` follows when one is taken."""
    dialog = QColorDialog(colour, parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
    dialog.colorSelected.connect(chosen)  # type: ignore[arg-type]
    dialog.open()
