"""The example of the manual's pictures: a ring in a ring, really worked out when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.ml.linear.clouds import CloudName, cloud
from studio_plugins.kernel_trick.request import EDGE, Dot, KernelTrickRequest

if TYPE_CHECKING:
    from studio_plugins.kernel_trick.panel import KernelTrickPanel

COUNT, NOISE = 60, 0.07


def example(name: CloudName) -> tuple[Dot, ...]:
    """Points of an example."""
    points, labels = cloud(name, COUNT, NOISE)
    inside = points.clip(-EDGE, EDGE).round(3)
    return tuple((float(x), float(y), int(label)) for (x, y), label in zip(inside, labels, strict=True))


def show(panel: KernelTrickPanel) -> None:
    """Work out the example here and now, without the engine."""
    from studio.engine import run_inline
    from studio_plugins.kernel_trick.jobs import Order, look

    request = KernelTrickRequest(points=example("circles"), gamma=1.5, cost=10.0)
    panel.document.start_with(request.points)
    panel.controls.form.set_value(request)
    panel.stage.show_page("lift")
    panel.desk.look = run_inline(look, Order(request, "lift"))
    panel.desk.looked.emit(panel.desk.look)
