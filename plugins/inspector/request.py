"""What can be asked of a file: a look at everything in it (kept in History), and the panel's own quick questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from studio.host.request import Request, ui
from studio_plugins.inspector.colours import MapName, RangeName


class InspectRequest(Request):
    """Measure the tensors of a file and keep the table."""

    kind: ClassVar[str] = "inspect"

    path: str = ui(title="File", help="An image, .npy, .npz or .safetensors file.", widget="file", min_length=1, sweepable=False)
    tensor: str = ui("", title="Tensor", help="The name of one tensor; empty measures all of them.", sweepable=False)


@dataclass(frozen=True)
class MeasureRequest:
    """The statistics of some tensors of a file, in this order."""

    path: str
    tensors: tuple[str, ...]


@dataclass(frozen=True)
class PlaneRequest:
    """A plane of a tensor: `rows` and `cols` are axes (-1: there is none), `index` fixes all the others.

    `picture`: the last axis holds 3 or 4 colour channels (then it is neither `rows` nor `cols`).
    """

    path: str
    tensor: str
    rows: int
    cols: int
    index: tuple[int, ...]
    picture: bool = False
    colours: MapName = "auto"
    spread: RangeName = "robust"
