"""A public checkpoint as a generator of steps: the pipeline's own call, cut at every step of its scheduler."""

from __future__ import annotations

import copy
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from typing import Any

import torch
from torch import nn

from studio.ml.diffusion.external.adapters import Adapters
from studio.ml.diffusion.external.asked import DEFAULT, Asked, ExternalStep, Role
from studio.ml.diffusion.external.calling import Size, arguments, cell_of, native_size, reads_negative, size_of
from studio.ml.diffusion.external.errors import ExternalError
from studio.ml.diffusion.external.family import ROLES
from studio.ml.diffusion.external.known_region import KnownRegion
from studio.ml.diffusion.external.memory import Offload, is_out_of_memory, out_of_memory
from studio.ml.diffusion.external.preview import LatentToRgb, can_fit, fit
from studio.ml.diffusion.external.roles import can_hold_latents, is_composite, keeps_latents_flat, roles_of
from studio.ml.diffusion.external.run import Run
from studio.ml.diffusion.external.schedulers import Choice, choices, made
from studio.ml.diffusion.external.turns import in_turns
from studio.ml.diffusion.external.watching import networks_of, schedulers_of

THREAD = "external-pipeline"
TOLD: Mapping[Role, str] = {
    "text2im": "drawing from text",
    "image2image": "changing a picture",
    "inpaint": "filling a masked part",
}


class ExternalModel:
    """A loaded pipeline.

    name: what it is called; family: "Stable Diffusion XL"; precision: of the numbers on the disk ("float16"); pipeline:
    diffusers' own object, placed where it runs.
    """

    def __init__(
        self,
        name: str,
        family: str,
        pipeline: Any,
        *,
        precision: str = "",
        offload: Offload = "none",
        tiling: bool = False,
    ) -> None:
        self.name, self.family, self.pipeline = name, family, pipeline
        self.precision, self.offload, self.tiling = precision, offload, tiling
        self._roles = roles_of(pipeline)
        for role in self._roles.values():
            role.set_progress_bar_config(disable=True)
        self._adapters = Adapters(pipeline)
        self._running = 0
        self._lock = threading.Lock()

    @property
    def capabilities(self) -> tuple[Role, ...]:
        """What it can do."""
        held = "text2im" in self._roles and can_hold_latents(self.pipeline)
        return tuple(role for role in ROLES if role in self._roles or (role == "inpaint" and held))

    @property
    def native_size(self) -> int:
        """Pixels a side of the pictures it was trained on."""
        return native_size(self.pipeline)

    @property
    def reads_negative(self) -> bool:
        """Whether a negative prompt changes its pictures."""
        return reads_negative(self.pipeline)

    @property
    def stepwise(self) -> bool:
        """Whether it can be watched and stopped step by step; others draw in one go."""
        return bool(schedulers_of(self.pipeline))

    @property
    def nbytes(self) -> int:
        """Of its weights in memory, wherever they lie."""
        parts = [part for part in self.pipeline.components.values() if isinstance(part, nn.Module)]
        values = {value for part in parts for value in (*part.parameters(), *part.buffers())}
        return sum(value.numel() * value.element_size() for value in values)

    @property
    def schedulers(self) -> tuple[str, ...]:
        """Names that `Asked.scheduler` may have; the first is the authors' own."""
        return (DEFAULT, *self._choices)

    @property
    def dtype(self) -> torch.dtype:
        """In which it computes."""
        return next(networks_of(self.pipeline)[0].parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return torch.device(self.pipeline._execution_device)

    @cached_property
    def preview(self) -> LatentToRgb | None:
        """The map behind the previews, fitted at the first run; None where there are no latents of a known kind."""
        vae = getattr(self.pipeline, "vae", None)
        return fit(vae, cell_of(self.pipeline), self.device) if can_fit(vae) else None

    def sample(
        self, asked: Asked, *, inside: AbstractContextManager[object] | None = None
    ) -> Iterator[ExternalStep]:
        """Draw: one record for each step, then one more with the pictures.

        inside: entered in the thread of the run while it is under way, to listen to its networks (`attention`).
        Picture i has noise of its own, of `asked.seeds[i]`. Closing the generator stops the pipeline where it is; runs
        of one model may take turns. Raises ExternalError, at once for what the model cannot do; DeviceFull when memory
        runs out.
        """
        asked.check()
        if asked.role not in self.capabilities:
            told = ", ".join(TOLD[role] for role in self.capabilities)
            raise ExternalError(f"“{self.name}” cannot do this: it is made for {told}.")
        if asked.scheduler not in self.schedulers:
            known = ", ".join(self.schedulers)
            raise ExternalError(f"“{self.name}” has no scheduler “{asked.scheduler}”. Choose from {known}.")
        pipeline = self._for_run(asked)
        size = size_of(pipeline, asked, self.native_size)
        run = partial(self._draw, pipeline, asked, size, arguments(pipeline, asked, size), inside or nullcontext())
        return self._steps(run)

    def _steps(self, draw: Callable[[Callable[[ExternalStep], None]], None]) -> Iterator[ExternalStep]:
        with self._lock:
            if not self._running:
                self._adapters.forget()
            self._running += 1
        try:
            yield from in_turns(draw, THREAD)
        finally:
            with self._lock:
                self._running -= 1

    def _draw(
        self,
        pipeline: Any,
        asked: Asked,
        size: Size,
        call: Mapping[str, Any],
        inside: AbstractContextManager[object],
        hand_over: Callable[[ExternalStep], None],
    ) -> None:
        """The whole run, in its thread."""
        full = False
        try:
            known = None if asked.role in self._roles else KnownRegion.of(pipeline, asked, size, self.device)
            wake = partial(self._adapters.use, asked.loras)
            run = Run(pipeline, len(asked.seeds), size, self.preview, known, wake, hand_over)
            with inside:
                run.draw(call)
        except Exception as error:
            full = is_out_of_memory(error)
            if not full:
                raise
            traceback.clear_frames(error.__traceback__)  # they hold the tensors that filled the memory
        finally:
            if self.offload == "model":
                pipeline.maybe_free_model_hooks()
        if full:
            dtype = str(self.dtype).removeprefix("torch.")
            raise out_of_memory(self.name, asked, size, dtype=dtype, offload=self.offload, tiling=self.tiling)

    def _for_run(self, asked: Asked) -> Any:
        """The role's pipeline with the same networks and a scheduler of its own, so that runs may take turns."""
        pipeline = self._roles[asked.role if asked.role in self._roles else "text2im"]
        if is_composite(pipeline):
            return with_own_schedulers(pipeline, {})
        own = copy.copy(pipeline)
        if schedulers_of(pipeline):
            vars(own)["scheduler"] = made(pipeline.scheduler, self._choices.get(asked.scheduler))
        return own

    @cached_property
    def _choices(self) -> dict[str, Choice]:
        if is_composite(self.pipeline) or not schedulers_of(self.pipeline):
            return {}
        return choices(self.pipeline.scheduler, own_sigmas=keeps_latents_flat(self.pipeline))


def with_own_schedulers(pipeline: Any, copies: dict[int, Any]) -> Any:
    """A copy of a pipeline of pipelines that shares all networks, in which a scheduler they share is still shared."""
    from diffusers import DiffusionPipeline

    own = copy.copy(pipeline)
    for name, part in schedulers_of(pipeline).items():
        vars(own)[name] = copies.setdefault(id(part), copy.deepcopy(part))
    for name, part in vars(pipeline).items():
        if isinstance(part, DiffusionPipeline):
            vars(own)[name] = with_own_schedulers(part, copies)
    return own
