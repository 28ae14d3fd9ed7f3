"""Painters: networks that draw into a view, whatever they are made of; and what one step of theirs shows as numpy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from studio.engine import JobContext
from studio.host.pictures import Pixels, to_pixels
from studio.models.provenance import provenance_of
from studio_plugins.inpaint.choices import METHODS, Method
from studio_plugins.inpaint.request import InpaintRequest

if TYPE_CHECKING:
    from torch import Tensor

    from studio.ml.diffusion.inpainting import Inpainter
    from studio.ml.diffusion.sampler import Resume, StepRecord
    from studio.ml.diffusion.sampling import Sampling
    from studio.ml.diffusion.upsampling import Upsampler
    from studio.ml.diffusion.views import View

Stage = Literal["base", "upsample"]


class NotNumbers(ValueError):
    """A network whose answers are no numbers; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Painted:
    """One step of a batch of N: the done-th of the `total` that its stage takes, at the network's time t.

    x0: the pictures the network predicted at this step, uint8 [N, n, n, 3], None where it does not say. x_t: the noisy
    ones it saw, as pictures. pictures: what came out, with the last step only. guidance: the mean over the batch of
    ‖ε(x|y) − ε(x|∅)‖₂, None where only one of them was computed. evaluations: of the network, per picture.
    """

    done: int
    total: int
    t: float
    x0: Pixels | None
    x_t: Pixels | None = None
    pictures: Pixels | None = None
    guidance: float | None = None
    evaluations: float = 1
    stage: Stage = "base"

    @property
    def last(self) -> bool:
        """Whether its stage ends with it."""
        return self.pictures is not None


class Painter(Protocol):
    """A network that draws into views of its size. Its steps are bounded work each; whoever iterates may stop."""

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def methods(self) -> Sequence[Method]:
        """The ways it can keep what is known, best first."""
        ...

    def paint(self, view: View, request: InpaintRequest) -> Iterator[Painted]:
        """The steps of a batch with the request's seeds. Raises ValueError for what it cannot do, and NotNumbers."""
        ...

    def provenance(self, ctx: JobContext) -> Mapping[str, Any]:
        """What, besides the request, decides its pictures."""
        ...


class GlidePainter:
    """A text-conditional diffusion network of this studio: trained to inpaint, or inpainting by replacement."""

    def __init__(self, model: Inpainter) -> None:
        self.model = model
        self.name, self.sha256, self.size = model.name, model.sha256, model.image_size

    @property
    def methods(self) -> Sequence[Method]:
        from studio.ml.diffusion.unet import InpaintText2ImUNet

        trained = isinstance(self.model.net, InpaintText2ImUNet)
        return tuple(method for method in METHODS if trained or method != "trained")

    def paint(self, view: View, request: InpaintRequest) -> Iterator[Painted]:
        import torch

        from studio.ml.diffusion.sampling import Sampling
        from studio.ml.evaluation.oracle import as_tensor

        image = as_tensor(view.picture[None]).to(self.model.device)
        sampling = Sampling(request.sampler, request.steps, eta=request.eta)
        records = self.model.sample(
            image,
            torch.from_numpy(view.keep)[None, None],
            [request.condition] * request.batch,
            request.seeds,
            method=request.method,
            scale=request.scale,
            negative=request.negative,
            sampling=sampling,
            resume=self._start(image, request, sampling),
        )
        return _painted(records, self.name, self.model.schedule.alphas_cumprod, "base")

    def provenance(self, ctx: JobContext) -> Mapping[str, Any]:
        return provenance_of(self.model, ctx)

    def _start(self, image: Tensor, request: InpaintRequest, sampling: Sampling) -> Resume | None:
        """Where refining begins; every other mode begins with noise."""
        from studio.ml.diffusion.image2image import start_from

        if request.mode != "refine":
            return None
        noise = self.model.noise([request.condition] * request.batch, request.seeds)
        schedule = self.model.schedule
        return start_from(image, request.strength, sampling.schedule(schedule), schedule, noise)


class Enlarger:
    """An up-sampler as the second stage of any painter of its size."""

    def __init__(self, model: Upsampler) -> None:
        self.model = model
        self.name, self.sha256, self.size = model.name, model.sha256, model.image_size

    @property
    def steps(self) -> int:
        """How many it takes."""
        return len(self.model.sampling.schedule(self.model.schedule))

    def enlarge(self, pictures: Pixels, request: InpaintRequest) -> Iterator[Painted]:
        """Pictures [N, n, n, 3] of the first stage -> steps, the last with [N, 4n, 4n, 3]. Raises NotNumbers."""
        from studio.ml.evaluation.oracle import as_tensor

        prompts = [request.condition] * request.batch
        records = self.model.sample(as_tensor(pictures).to(self.model.device), prompts, request.seeds)
        return _painted(records, self.name, self.model.schedule.alphas_cumprod, "upsample")


def _painted(records: Iterator[StepRecord], name: str, abar: Any, stage: Stage) -> Iterator[Painted]:
    """Step records as numpy; a run that begins on the way counts its own steps only."""
    first = None
    for record in records:
        first = record.index if first is None else first
        total, done = record.total - first, record.index - first + 1
        x_t, x0, x = _leave_device(record, with_result=done == total)
        if not np.isfinite(x0).all():
            raise NotNumbers(
                f"“{name}” answers with what are no numbers. Choose 32 bits in Precision; if that does not help, its "
                "weights are damaged: get them again."
            )
        reach = np.float32(np.sqrt(abar[record.t]) + 2 * np.sqrt(1 - abar[record.t]))
        yield Painted(
            done=done,
            total=total,
            t=record.t,
            x0=to_pixels(x0),
            x_t=to_pixels(x_t / reach),
            pictures=None if x is None else to_pixels(x),
            guidance=_guidance(record),
            evaluations=1 + (record.parts.eps_uncond is not None),
            stage=stage,
        )


def _leave_device(record: StepRecord, *, with_result: bool) -> tuple[Any, Any, Any]:
    """x_t, x0 and, with the result, x as [N, n, n, 3] float32, in one copy from the device."""
    import torch

    parts = [record.x_t, record.x0] + ([record.x] if with_result else [])
    moved = torch.stack([part.float() for part in parts]).permute(0, 1, 3, 4, 2).cpu().numpy()
    return moved[0], moved[1], moved[2] if with_result else None


def _guidance(record: StepRecord) -> float | None:
    """‖ε(x|y) − ε(x|∅)‖₂, mean over the batch."""
    if record.parts.eps_uncond is None:
        return None
    apart = (record.parts.eps_cond.float() - record.parts.eps_uncond.float()).flatten(1).norm(dim=1)
    return float(apart.mean())
