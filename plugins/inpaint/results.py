"""What a run gives back: patches, where they lie on the picture, what they cost, and where they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studio.host.pictures import Pixels
from studio_plugins.inpaint.choices import Method
from studio_plugins.inpaint.painters import Painted
from studio_plugins.inpaint.request import InpaintRequest, MethodsRequest

if TYPE_CHECKING:
    from studio.ml.diffusion.seams import Seam
    from studio.ml.diffusion.views import View

MAX_STEPS_BYTES = 16 << 20


@dataclass(frozen=True)
class Cost:
    """What drawing took: steps of all stages, evaluations of the networks per picture, seconds without waiting."""

    steps: int = 0
    evaluations: float = 0
    seconds: float = 0.0

    def after(self, step: Painted, seconds: float) -> Cost:
        """The cost after one more step."""
        return Cost(self.steps + 1, self.evaluations + step.evaluations, self.seconds + seconds)

    def metrics(self) -> dict[str, Any]:
        """What is kept with a result."""
        return {"seconds": round(self.seconds, 3), "evaluations": self.evaluations, "steps": self.steps}

    @classmethod
    def stored(cls, metrics: Mapping[str, Any]) -> Cost:
        """The cost kept with a result."""
        return cls(
            int(metrics.get("steps", 0)), float(metrics.get("evaluations", 0)), float(metrics.get("seconds", 0.0))
        )


@dataclass(frozen=True, eq=False)
class Filled:
    """What came of one selection: patches uint8 [N, m, m, 3] for the view's region, and the seam of each.

    seams are measured at the network's size, before anything is enlarged. steps: those kept, first
    to last; with very many steps or pictures only every k-th is.
    """

    patches: Pixels
    seams: tuple[Seam, ...]
    cost: Cost
    steps: tuple[Painted, ...] = ()


@dataclass(frozen=True, eq=False)
class InpaintResult:
    """A finished run on a picture of this shape, (H, W, 3 or 4).

    record_id: where it is kept; None when it could not be saved, then `problem` says why.
    """

    request: InpaintRequest
    shape: tuple[int, ...]
    view: View
    filled: Filled
    provenance: Mapping[str, Any] = field(default_factory=dict)
    record_id: str | None = None
    problem: str = ""

    def __len__(self) -> int:
        return len(self.filled.patches)

    def picture(self, index: int, under: Pixels) -> Pixels:
        """The picture [H, W, 3 or 4] with a variant in its place; outside the composite mask not a bit is changed."""
        from studio.ml.diffusion.compositing import paste_back

        return paste_back(under, self.filled.patches[index], self.view.region, self.view.composite)

    def layer(self, index: int) -> tuple[Pixels, int, int]:
        """A variant as a layer: RGBA [h, w, 4], straight alpha, and its left and top on the picture."""
        from studio.ml.diffusion.compositing import layer

        return layer(self.filled.patches[index], self.view.region, self.view.composite, self.shape)


@dataclass(frozen=True, eq=False)
class MethodsResult:
    """The same selection filled by every method that the model knows."""

    request: MethodsRequest
    shape: tuple[int, ...]
    view: View
    filled: Mapping[Method, Filled]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    record_id: str | None = None
    problem: str = ""

    def of(self, method: Method) -> InpaintResult:
        """One method's part, as a run of its own would give it."""
        fields = self.request.to_dict() | {"method": method}
        request = InpaintRequest.checked(**fields)
        return InpaintResult(request, self.shape, self.view, self.filled[method], self.provenance)


def kept_steps(steps: Sequence[Painted]) -> tuple[Painted, ...]:
    """Of all steps those that are kept: every k-th and the last, so that their pictures stay within bounds."""
    shown = [step for step in steps if step.x0 is not None]
    size = sum(2 * step.x0.nbytes for step in shown if step.x0 is not None)
    stride = max(1, -(-size // MAX_STEPS_BYTES))
    return tuple(step for i, step in enumerate(shown) if i % stride == 0 or i == len(shown) - 1)
