"""One run of a pipeline, in the thread that belongs to it: what is seen of each step, and what its pictures become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from studio.ml.diffusion.external.asked import ExternalStep, Pixels
from studio.ml.diffusion.external.calling import Size, cell_of
from studio.ml.diffusion.external.errors import ExternalError, Offer
from studio.ml.diffusion.external.known_region import KnownRegion
from studio.ml.diffusion.external.preview import LatentToRgb, pixels
from studio.ml.diffusion.external.watching import Evaluations, Seen, networks_of, not_finite, schedulers_of, watched


@dataclass(eq=False)
class Run:
    """A pipeline about to draw `count` pictures.

    preview: from latents to colours, None for pipelines without; known: what is put back after each step; wake: called
    at the beginning of each turn, since another run may have used the networks in between.
    """

    pipeline: Any
    count: int
    size: Size
    preview: LatentToRgb | None
    known: KnownRegion | None
    wake: Callable[[], None]
    hand_over: Callable[[ExternalStep], None]
    _last: ExternalStep = field(default=ExternalStep(0, 1, 0.0), init=False)

    def draw(self, call: Mapping[str, Any]) -> None:
        """Call the pipeline, handing over after each step of its schedulers and once more with the pictures.

        Raises ExternalError where numbers are no longer numbers or the result is no picture, and what the pipeline
        raises.
        """
        evaluations = Evaluations(networks_of(self.pipeline))
        self.wake()
        with ExitStack() as stack:
            stack.enter_context(evaluations.counted())
            for stage, scheduler in schedulers_of(self.pipeline).items():
                stack.enter_context(watched(scheduler, partial(self._look, evaluations, stage)))
            output = self.pipeline(**call)
        self._finish(output[0])

    def _look(self, evaluations: Evaluations, stage: str, seen: Seen) -> Tensor:
        """A step is done: show it, wait for the next turn, and give back x for the next step."""
        if not_finite(seen.previous):
            raise self._broken(f"step {seen.index + 1}")
        shown = self._shown(seen.previous if seen.x0 is None else seen.x0)
        each = evaluations.taken() / self.count
        self._last = ExternalStep(seen.index, seen.total, seen.t, shown, evaluations=each, stage=stage)
        self.hand_over(self._last)
        self.wake()
        return seen.previous if self.known is None else self.known.put_back(seen)

    def _finish(self, pictures: Any) -> None:
        """pictures: [B, H, W, 3] in [0, 1], as diffusers gives them."""
        if not isinstance(pictures, np.ndarray) or pictures.ndim != 4 or pictures.shape[-1] != 3:
            raise ExternalError("This model made something that is no picture. Choose a model for pictures.")
        if not np.isfinite(pictures).all():
            raise self._broken("decoding")
        finished = (pictures * 255).round().astype(np.uint8)
        self.hand_over(replace(self._last, preview=None, pictures=finished, evaluations=0.0))

    def _shown(self, x: Tensor) -> Pixels | None:
        """uint8 [B, h, w, 3] of latents, or of pictures where a pipeline works on these."""
        x = self._unpacked(x) if x.ndim == 3 else x
        if x.ndim != 4:
            return None
        if self.preview is not None and x.shape[1] == len(self.preview.weights):
            return self.preview(x)
        return pixels(x.permute(0, 2, 3, 1)) if self.preview is None and x.shape[1] == 3 else None

    def _unpacked(self, x: Tensor) -> Tensor:
        """[B, cells, C] -> [B, C, h, w], by the pipeline's own rule."""
        unpack = getattr(self.pipeline, "_unpack_latents", None)
        unpacked: Tensor = x if unpack is None else unpack(x, self.size[1], self.size[0], cell_of(self.pipeline))
        return unpacked

    def _broken(self, where: str) -> ExternalError:
        """Numbers that are no longer numbers: because of the file, or of half precision, or of what was asked."""
        for name, part in self.pipeline.components.items():
            if isinstance(part, nn.Module) and _is_spoiled(part):
                return ExternalError(f"The weights of “{name}” hold values that are no numbers: get the model again.")
        if any(next(network.parameters()).dtype == torch.float16 for network in networks_of(self.pipeline)):
            return ExternalError(
                f"Half precision overflowed at {where}. Load the model in bfloat16 or float32.",
                [Offer("Use bfloat16", {"dtype": "bfloat16"}), Offer("Use full precision", {"dtype": "float32"})],
            )
        return ExternalError(
            f"The numbers grew beyond all bounds at {where}. Choose another scheduler, more steps or a lower guidance "
            "scale."
        )


def _is_spoiled(network: nn.Module) -> bool:
    """Whether some weights in memory are no numbers."""
    return any(not_finite(value) for value in network.parameters() if not value.is_meta)
