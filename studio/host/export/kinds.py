"""What a panel can export, and the plain data that the exporters take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

ExportKind = Literal["image", "plot", "animation", "table", "script", "json"]


class ExportError(Exception):
    """Something that cannot be exported as asked; the message says what to do instead."""


@dataclass(frozen=True)
class Exportable:
    """One thing a panel offers: a name for the menu, its kind, and a function that produces it when asked.

    `produce` returns, by kind: image → Picture, uint8 array or PIL image; plot → a pyqtgraph PlotItem, PlotWidget or
    GraphicsLayout; animation → Animation or frames [N,H,W,3]; table → Table or a mapping column → values;
    script → text of a Python script; json → JSON text.
    """

    name: str
    kind: ExportKind
    produce: Callable[[], Any]


@dataclass(frozen=True)
class Picture:
    """Pixels (uint8 HxW, HxWx3, HxWx4 or a PIL image) and the settings to write into the file."""

    pixels: Any
    glassbox: Mapping[str, Any] | None = None
    parameters: str = ""


@dataclass(frozen=True)
class Animation:
    """Frames, uint8 [N,H,W,3] or a sequence of HxWx3, shown at `fps` frames a second; `hold` s more on the last one."""

    frames: Any
    fps: float = 12.0
    hold: float = 0.0


@dataclass(frozen=True)
class Table:
    """Columns of equal length, by name."""

    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(values) for values in self.columns.values()}
        if len(lengths) > 1:
            raise ExportError(f"The columns of this table have different lengths: {sorted(lengths)}.")

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()), ()))
