"""What the network will see of a canvas, for the panel to show while the selection is still being painted."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Offload, Progress
from studio_plugins.inpaint.inputs import InpaintInputs
from studio_plugins.inpaint.request import InpaintRequest

if TYPE_CHECKING:
    from studio.ml.diffusion.views import View


@dataclass(frozen=True, eq=False)
class SeeOrder:
    """A canvas as it is now, and the size of the network that would draw into it.

    native: the size of what comes out, where a second stage enlarges it; None is the network's own.
    """

    request: InpaintRequest
    inputs: InpaintInputs
    size: int
    native: int | None = None


def see(order: SeeOrder, ctx: JobContext) -> Generator[Event | Offload, Any, View]:
    """The view of a canvas, for the quick lane; a newer order should replace an older one. Raises RegionError."""
    yield Progress(0, 1, "looking")
    found: View = yield Offload(view_of, order)
    return found


def view_of(order: SeeOrder) -> View:
    """Exactly what a run with this request shows its network. Raises RegionError."""
    from studio.ml.diffusion.regions import Margins
    from studio.ml.diffusion.views import look

    request, inputs = order.request, order.inputs
    return look(
        inputs.picture,
        inputs.selection(request.mode),
        order.size,
        native=order.native,
        margins=Margins(request.padding, request.grow, request.feather, request.paste_grow, request.blend),
        whole=request.whole,
        hints=inputs.shown_hints(request.mode),
    )
