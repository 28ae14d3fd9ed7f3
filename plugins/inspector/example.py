"""A good example: the weights of a bundled model, or the bundled picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from studio.engine import JobContext, run_inline
from studio.resources import resource
from studio_plugins.inspector import jobs
from studio_plugins.inspector.axes import can_be_picture, first_view
from studio_plugins.inspector.reading import Listing, TensorInfo
from studio_plugins.inspector.request import MeasureRequest, PlaneRequest

if TYPE_CHECKING:
    from studio_plugins.inspector.panel import InspectorPanel

MEASURED = 24
"""Tensors whose figures the example shows."""


def bundled_file() -> Path:
    """The largest bundled weight file, else the atlas of emoji. Raises FileNotFoundError when the installation has neither."""
    try:
        weights = sorted(resource("models").glob("*/*.safetensors"), key=lambda path: (path.stat().st_size, path.name))
    except FileNotFoundError:
        weights = []
    return weights[-1] if weights else resource("data", "emoji-atlas.png")


def telling(listing: Listing) -> TensorInfo:
    """A tensor worth looking at first: the embedding of words if there is one, else the largest of two axes, else the first."""
    flat = [info for info in listing.tensors if len(info.shape) == 2 and min(info.shape) >= 16 and not info.problem]
    embedding = [info for info in flat if "embed" in info.name]
    return max(embedding or flat or list(listing.tensors), key=lambda info: info.count)


def show(panel: InspectorPanel) -> None:
    """Fill the panel with the example here and now, as the jobs would, without the engine."""
    context = JobContext()
    try:
        listing: Listing = run_inline(jobs.list_file, str(bundled_file()), context=context)
        chosen = telling(listing)
        near = [info.name for info in listing.tensors if not info.problem]
        at = near.index(chosen.name)
        view = first_view(chosen)
        found = run_inline(jobs.measure, MeasureRequest(str(listing.path), tuple(near[max(0, at - 8) : at + MEASURED])), context=context)
        request = PlaneRequest(str(listing.path), chosen.name, view.rows, view.cols, view.index, can_be_picture(chosen))
        plane = run_inline(jobs.plane, request, context=context)
    finally:
        context.models.clear()
        context.cleanup()
    panel.show_example(listing, chosen, plane, found)
