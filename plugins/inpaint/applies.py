"""Which settings of a run have no effect with the others as they are, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.host.request import Idle

if TYPE_CHECKING:
    from studio_plugins.inpaint.request import InpaintRequest


def idle_fields(request: InpaintRequest) -> dict[str, Idle]:
    """Field name → why it changes nothing."""
    idle: dict[str, Idle] = {}
    if request.mode == "remove":
        idle["prompt"] = Idle("Removing draws without a prompt.")
    if request.mode != "refine":
        idle["strength"] = Idle("Only Refine starts from what is there.", hidden=True)
    if request.scale is None:
        idle["guidance_scale"] = Idle("Without a prompt there is nothing to guide towards.")
    if request.whole:
        idle["padding"] = Idle("The model sees the whole picture.")
    if request.sampler != "ddim":
        idle["eta"] = Idle("Only DDIM uses it.")
    if request.kind == "inpaint-methods":
        idle["method"] = Idle("Every method is drawn.")
    return idle
