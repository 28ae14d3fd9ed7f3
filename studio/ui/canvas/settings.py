"""What a person has chosen on the canvas: tool, brushes, colours, what is shown. Saved with the panel."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor

from studio.ui.canvas.brush import MAX_DIAMETER, MIN_DIAMETER, Brush
from studio.ui.canvas.document import Target
from studio.ui.theme import theme

_SIZE_STEP = 1.15
_HARDNESS_STEP = 0.1
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Percent = Annotated[float, Field(ge=0, le=1)]


class ToolName(StrEnum):
    BRUSH = "brush"
    ERASER = "eraser"
    LASSO = "lasso"
    RECTANGLE = "rectangle"
    ELLIPSE = "ellipse"
    FLOOD = "flood"


class Combine(StrEnum):
    """How a shape meets what is there."""

    ADD = "add"
    SUBTRACT = "subtract"
    REPLACE = "replace"


class Choices(BaseModel):
    """The values. `overlay` is the colour of the mask on the picture, None the theme's."""

    model_config = ConfigDict(frozen=True)

    tool: ToolName = ToolName.BRUSH
    target: Target = Target.MASK
    brush: Brush = Brush()
    eraser: Brush = Brush(diameter=60.0)
    colour: Colour = "#d93a2b"
    combine: Combine = Combine.ADD
    tolerance: int = Field(24, ge=0, le=255)
    contiguous: bool = True
    show_mask: bool = True
    show_hints: bool = True
    mask_alone: bool = False
    overlay: Colour | None = None
    overlay_opacity: Percent = 0.5

    def brush_of(self, tool: ToolName) -> Brush | None:
        """The brush of a tool; each tool has its own. None for tools without."""
        return {ToolName.BRUSH: self.brush, ToolName.ERASER: self.eraser}.get(tool)

    def overlay_colour(self) -> QColor:
        """The colour of the mask on the picture."""
        return QColor(self.overlay) if self.overlay else theme().color("error")


class CanvasSettings(QObject):
    """Holds the choices; `changed` comes after every change. Canvas and tool bars share one."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.values = Choices()

    def set(self, **changes: Any) -> None:
        """Choose. Raises pydantic's ValidationError for a value out of range."""
        values = Choices.model_validate({**dict(self.values), **changes})
        if values != self.values:
            self.values = values
            self.changed.emit()

    def set_brush(self, *, diameter: float | None = None, hardness: float | None = None, opacity: float | None = None,
                  pressure: str | None = None) -> None:  # fmt: skip
        """Change the brush of the current tool, within its limits; nothing happens for a tool without a brush."""
        brush = self.values.brush_of(self.values.tool)
        if brush is None:
            return
        given = {"hardness": hardness, "opacity": opacity}
        changes: dict[str, Any] = {key: min(max(value, 0.0), 1.0) for key, value in given.items() if value is not None}
        if diameter is not None:
            changes["diameter"] = min(max(diameter, MIN_DIAMETER), MAX_DIAMETER)
        if pressure is not None:
            changes["pressure"] = pressure
        self.set(**{self.values.tool: {**vars(brush), **changes}})

    def grow_brush(self, steps: float) -> None:
        """Make the brush larger by so many steps of 15 %, but whole pixels at least; smaller where `steps` < 0."""
        brush = self.values.brush_of(self.values.tool)
        if brush is not None:
            wanted = brush.diameter * _SIZE_STEP**steps
            least = brush.diameter + (1 if steps > 0 else -1)
            self.set_brush(diameter=round(max(wanted, least) if steps > 0 else min(wanted, least)))

    def harden_brush(self, steps: float) -> None:
        """Make the brush harder by so many steps of 10 %."""
        brush = self.values.brush_of(self.values.tool)
        if brush is not None:
            self.set_brush(hardness=brush.hardness + steps * _HARDNESS_STEP)

    def state(self) -> dict[str, Any]:
        """The choices as JSON data."""
        return self.values.model_dump(mode="json")

    def restore(self, state: Mapping[str, Any]) -> None:
        """Choose what was saved; what is unknown or out of range keeps its default."""
        kept: dict[str, Any] = {}
        for key in Choices.model_fields.keys() & state.keys():
            try:
                kept[key] = getattr(Choices.model_validate({key: state[key]}), key)
            except ValidationError:
                continue
        self.values = Choices(**kept)
        self.changed.emit()
