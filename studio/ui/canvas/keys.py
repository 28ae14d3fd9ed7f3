"""The keyboard of the canvas: one table, from which the tool bar's tooltips are written as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence

from studio.ml.vision.masks import invert
from studio.ui.canvas.document import Target
from studio.ui.canvas.settings import ToolName

if TYPE_CHECKING:
    from studio.ui.canvas.view import CanvasView

Action = Callable[["CanvasView"], Any]

TOOL_KEYS: dict[ToolName, str] = {
    ToolName.BRUSH: "B", ToolName.ERASER: "E", ToolName.LASSO: "L", ToolName.RECTANGLE: "R", ToolName.ELLIPSE: "O",
    ToolName.FLOOD: "F",
}  # fmt: skip
"""The key that chooses each tool."""

_PAN = 60.0  # pixels an arrow key moves the picture
_ZOOM, _TURN = 1.25, 15.0


def key_action(event: QKeyEvent) -> Action | None:
    """What a key press on the canvas does, or None when it is not one of its keys."""
    keys = QKeySequence.StandardKey
    if event.matches(keys.Undo):
        return lambda view: view.undo()
    if event.matches(keys.Redo) or event.keyCombination() == QKeySequence("Ctrl+Y")[0]:
        return lambda view: view.redo()
    if event.modifiers() & Qt.KeyboardModifier.ControlModifier and not event.text().isprintable():
        return None  # the window's shortcuts; AltGr, which writes [ and ] on many keyboards, has a text
    return _BY_KEY.get(Qt.Key(event.key())) or _BY_TEXT.get(event.text().lower())


def invert_mask(view: CanvasView) -> None:
    """Keep what was drawn and draw what was kept."""
    if not view.busy and not view.document.is_empty:
        view.document.edit_mask(invert, "Invert mask")


def clear_target(view: CanvasView) -> None:
    """Take away everything from what is painted on."""
    if view.busy:
        return
    if view.settings.values.target is Target.MASK:
        view.document.clear_mask()
    else:
        view.document.clear_hints()


def swap_target(view: CanvasView) -> None:
    """Paint on the colour hints instead of the mask, or back."""
    target = view.settings.values.target
    view.settings.set(target=Target.HINTS if target is Target.MASK else Target.MASK)


def _tool(name: ToolName) -> Action:
    return lambda view: view.settings.set(tool=name)


_BY_KEY: dict[Qt.Key, Action] = {
    Qt.Key.Key_Escape: lambda view: view.cancel(),
    Qt.Key.Key_Delete: clear_target,
    Qt.Key.Key_Left: lambda view: view.pan(QPointF(_PAN, 0)),
    Qt.Key.Key_Right: lambda view: view.pan(QPointF(-_PAN, 0)),
    Qt.Key.Key_Up: lambda view: view.pan(QPointF(0, _PAN)),
    Qt.Key.Key_Down: lambda view: view.pan(QPointF(0, -_PAN)),
}

_BY_TEXT: dict[str, Action] = {
    **{key.lower(): _tool(name) for name, key in TOOL_KEYS.items()},
    "[": lambda view: view.settings.grow_brush(-1),
    "]": lambda view: view.settings.grow_brush(1),
    "{": lambda view: view.settings.harden_brush(-1),
    "}": lambda view: view.settings.harden_brush(1),
    "+": lambda view: view.zoom(_ZOOM),
    "=": lambda view: view.zoom(_ZOOM),
    "-": lambda view: view.zoom(1 / _ZOOM),
    "0": lambda view: view.fit(),
    "1": lambda view: view.actual_size(),
    "4": lambda view: view.rotate(-_TURN),
    "5": lambda view: view.straighten(),
    "6": lambda view: view.rotate(_TURN),
    "i": invert_mask,
    "m": lambda view: view.settings.set(mask_alone=not view.settings.values.mask_alone),
    "x": swap_target,
}
