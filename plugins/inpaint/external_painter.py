"""Public checkpoints as painters: any diffusers pipeline that fills holes or changes pictures draws into a view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.engine import JobContext
from studio.models.external import lora_of, provenance_of_external
from studio_plugins.inpaint.choices import Method
from studio_plugins.inpaint.painters import Painted
from studio_plugins.inpaint.request import InpaintRequest

if TYPE_CHECKING:
    from studio.ml.diffusion.external.asked import Asked
    from studio.ml.diffusion.external.model import ExternalModel
    from studio.ml.diffusion.views import View


class ExternalPainter:
    """A diffusers pipeline. It keeps what is known in a way of its own, so that `method` has no effect.

    It sees the view's picture and its soft mask, and gives back a picture that is near the known part, not equal to
    it: what of that is pasted, the view's composite mask says.
    """

    sha256 = ""  # of many gigabytes, and so worked out on demand only (in the Models panel)

    def __init__(self, model: ExternalModel) -> None:
        self.model = model
        self.name, self.size = model.name, model.native_size

    @property
    def methods(self) -> Sequence[Method]:
        return ("trained",)

    def paint(self, view: View, request: InpaintRequest) -> Iterator[Painted]:
        for step in self.model.sample(self.asked(view, request)):
            yield Painted(
                done=step.index + 1,
                total=step.total,
                t=step.t,
                x0=step.preview,
                pictures=step.pictures,
                evaluations=step.evaluations,
            )

    def asked(self, view: View, request: InpaintRequest) -> Asked:
        """The request in the words of public checkpoints.

        A pipeline that changes pictures but fills no holes refines all of what it sees.
        """
        from studio.ml.diffusion.external.asked import Asked

        fills = "inpaint" in self.model.capabilities or request.mode != "refine"
        return Asked(
            prompt=request.condition,
            negative=request.negative,
            seeds=request.seeds,
            steps=request.steps,
            scale=request.guidance_scale,
            width=view.size,
            height=view.size,
            scheduler=request.scheduler,
            image=view.picture,
            mask=view.soft if fills else None,
            strength=request.strength if request.mode == "refine" else 1.0,
            loras=tuple(lora_of(text) for text in request.loras),
        )

    def provenance(self, ctx: JobContext) -> Mapping[str, Any]:
        return provenance_of_external(self.model, ctx)
