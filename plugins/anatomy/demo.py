"""The example of the manual's pictures: GPT-2, really opened, counted and timed when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio_plugins.anatomy.request import FIRST, AnatomyRequest

if TYPE_CHECKING:
    from studio_plugins.anatomy.panel import AnatomyPanel


def show(panel: AnatomyPanel) -> None:
    """Open and count the example here and now, without the engine."""
    from studio.engine import run_inline
    from studio_plugins.anatomy import jobs
    from studio_plugins.anatomy.results import look_at

    request = AnatomyRequest(model=FIRST, tokens=512)
    opened = run_inline(jobs.open_model, request.model)
    look = look_at(request, opened.anatomy)
    counted = run_inline(jobs.count_model, jobs.CountOrder(look.request, look.change, look.key, opened))
    panel.show_known(request, opened, counted)
    diagram = panel.stage.layer.diagram
    parts = counted.measured.diagram.parts if counted.measured.diagram is not None else ()
    diagram.choose(next((i for i, part in enumerate(parts) if part.kind == "scores"), -1))
