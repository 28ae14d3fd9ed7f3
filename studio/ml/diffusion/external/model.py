"""A public checkpoint as a generator of steps: the pipeline's own call, cut at every step of its scheduler."""

from __future__ import annotations

import copy
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from studio.ml.diffusion.external.adapters import Adapters
from studio.ml.diffusion.external.asked import DEFAULT, Asked, ExternalStep, Pixels, Role
from studio.ml.diffusion.external.calling import Size, arguments, cell_of, native_size, reads_negative, size_of
from studio.ml.diffusion.external.errors import ExternalError, Offer
from studio.ml.diffusion.external.known_region import KnownRegion
from studio.ml.diffusion.external.memory import Offload, out_of_memory
from studio.ml.diffusion.external.preview import LatentToRgb, can_fit, fit, pixels
from studio.ml.diffusion.external.roles import can_hold_latents, is_composite, keeps_latents_flat, roles_of
from studio.ml.diffusion.external.schedulers import Choice, choices, made
from studio.ml.diffusion.external.turns import in_turns
from studio.ml.diffusion.external.watching import Evaluations, Seen, networks_of, not_finite, watched

THREAD = "external-pipeline"


class ExternalModel:
    """A loaded pipeline.

    name: what it is called; family: "Stable Diffusion XL"; precision: of the numbers on the disk. `pipeline` is
    diffusers' own object, placed where it runs.
    """

    def __init__(
        self, name: str, family: str, pipeline: Any, *, precision: str = "", offload: Offload = "none", tiling: bool = False
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
        found = [role for role in ("text2im", "image2image", "inpaint") if role in self._roles]
        held = "inpaint" not in found and "text2im" in found and can_hold_latents(self.pipeline)
        return (*found, "inpaint") if held else tuple(found)

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
        return bool(_schedulers(self.pipeline))

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

    def sample(self, asked: Asked) -> Iterator[ExternalStep]:
        """Draw: one record for each step, then one more with the pictures.

        Picture i has noise of its own, of `asked.seeds[i]`. Closing the generator stops the pipeline where it is. Raises
        ExternalError before the first step for what the model cannot do, DeviceFull when memory runs out.
        """
        asked.check()
        if asked.role not in self.capabilities:
            raise ExternalError(f"“{self.name}” cannot do this: it is made for {_words(self.capabilities)}.")
        pipeline = self._for_run(asked)
        size = size_of(pipeline, asked, self.native_size)
        call = arguments(pipeline, asked, size)
        return self._drawing(pipeline, asked, size, call)

    def _drawing(self, pipeline: Any, asked: Asked, size: Size, call: Mapping[str, Any]) -> Iterator[ExternalStep]:
        def draw(hand_over: Callable[[ExternalStep], None]) -> None:
            self._draw(pipeline, asked, size, call, hand_over)

        self._begin()
        try:
            yield from in_turns(draw, THREAD)
        finally:
            self._end()

    def _draw(
        self, pipeline: Any, asked: Asked, size: Size, call: Mapping[str, Any], hand_over: Callable[[ExternalStep], None]
    ) -> None:
        """Run the pipeline, handing over after each step; in the thread of the run."""
        full = False
        try:
            self._run(_Run(self, pipeline, asked, size, hand_over), call)
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

    def _run(self, run: _Run, call: Mapping[str, Any]) -> None:
        self._adapters.use(run.asked.loras)
        with ExitStack() as stack:
            for stage, scheduler in _schedulers(run.pipeline).items():
                stack.enter_context(watched(scheduler, lambda seen, stage=stage: run.look(seen, stage)))  # type: ignore[misc]
            stack.enter_context(run.evaluations.counted())
            output = run.pipeline(**call)
        run.finish(output)

    def wake(self, asked: Asked) -> None:
        """Before a run's turn: what another run may have changed in the shared networks is as this one wants it."""
        self._adapters.use(asked.loras)

    def _begin(self) -> None:
        with self._lock:
            if not self._running:
                self._adapters.forget()
            self._running += 1

    def _end(self) -> None:
        with self._lock:
            self._running -= 1

    def _for_run(self, asked: Asked) -> Any:
        """A copy of the role's pipeline with the same networks and schedulers of its own, so that runs may interleave."""
        pipeline = self._roles[asked.role if asked.role in self._roles else "text2im"]
        if asked.scheduler == DEFAULT and is_composite(pipeline):
            return _with_own_schedulers(pipeline, {})
        own = copy.copy(pipeline)
        if getattr(pipeline, "scheduler", None) is not None:
            vars(own)["scheduler"] = made(pipeline.scheduler, asked.scheduler, self._choices)
        return own

    @cached_property
    def _choices(self) -> dict[str, Choice]:
        scheduler = getattr(self.pipeline, "scheduler", None)
        if scheduler is None or is_composite(self.pipeline):
            return {}
        return choices(scheduler, own_sigmas=keeps_latents_flat(self.pipeline))


class _Run:
    """What happens in one run between the pipeline and whoever watches it."""

    def __init__(
        self, model: ExternalModel, pipeline: Any, asked: Asked, size: Size, hand_over: Callable[[ExternalStep], None]
    ) -> None:
        self.model, self.pipeline, self.asked, self.size = model, pipeline, asked, size
        self.evaluations = Evaluations(networks_of(pipeline))
        self._hand_over = hand_over
        self._last = ExternalStep(0, 1, 0.0)
        self._preview = model.preview
        held = asked.role == "inpaint" and "inpaint" not in model._roles
        self._known = KnownRegion.of(pipeline, asked, size, model.device) if held else None

    def look(self, seen: Seen, stage: str) -> Tensor:
        """A step of a scheduler is done: show it, wait for the next turn, and give back x for the next step."""
        if not_finite(seen.previous):
            raise self._broken(f"step {seen.index + 1}")
        shown = self._shown(seen.previous if seen.x0 is None else seen.x0)
        each = self.evaluations.taken() / len(self.asked.seeds)
        self._last = ExternalStep(seen.index, seen.total, seen.t, shown, evaluations=each, stage=stage)
        self._hand_over(self._last)
        self.model.wake(self.asked)
        return seen.previous if self._known is None else self._known.put_back(seen)

    def finish(self, output: Any) -> None:
        """The pipeline is done: hand over its pictures."""
        pictures = output[0]
        if not isinstance(pictures, np.ndarray) or pictures.ndim != 4 or pictures.shape[-1] != 3:
            raise ExternalError(f"“{self.model.name}” made something that is no picture. Choose a model for pictures.")
        if not np.isfinite(pictures).all():
            raise self._broken("decoding")
        finished = (pictures * 255).round().astype(np.uint8)
        self._hand_over(replace(self._last, preview=None, pictures=finished, evaluations=0.0))

    def _shown(self, x: Tensor) -> Pixels | None:
        """uint8 [B, h, w, 3] of latents or of pictures."""
        if x.ndim == 3:
            x = self._unpacked(x)
        if x.ndim != 4:
            return None
        if self._preview is not None and x.shape[1] == len(self._preview.weights):
            return self._preview(x)
        return pixels(x.permute(0, 2, 3, 1)) if self._preview is None and x.shape[1] == 3 else None

    def _unpacked(self, x: Tensor) -> Tensor:
        """[B, cells, C] -> [B, C, h, w], by the pipeline's own rule."""
        unpack = getattr(self.pipeline, "_unpack_latents", None)
        unpacked: Tensor = x if unpack is None else unpack(x, self.size[1], self.size[0], cell_of(self.pipeline))
        return unpacked

    def _broken(self, where: str) -> ExternalError:
        """Numbers that are no longer numbers: because of the file, or of half precision, or of what was asked."""
        for name, part in self.pipeline.components.items():
            if isinstance(part, nn.Module) and any(not_finite(value) for value in part.parameters() if not value.is_meta):
                return ExternalError(f"The weights of “{name}” hold values that are no numbers: get the model again.")
        if self.model.dtype == torch.float16:
            offers = [Offer("Use bfloat16", {"dtype": "bfloat16"}), Offer("Use full precision", {"dtype": "float32"})]
            return ExternalError(f"Half precision overflowed at {where}. Load the model in bfloat16 or float32.", offers)
        return ExternalError(
            f"The numbers grew beyond all bounds at {where}. Choose another scheduler, more steps or a lower guidance scale."
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the computer had no memory left; torch says so in two ways."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        phrase in str(error).lower() for phrase in ("out of memory", "can't allocate memory", "not enough memory")
    )


def _schedulers(pipeline: Any) -> dict[str, Any]:
    """Name -> scheduler, of all that the pipeline steps with."""
    from diffusers import SchedulerMixin

    return {name: part for name, part in vars(pipeline).items() if isinstance(part, SchedulerMixin)}


def _with_own_schedulers(pipeline: Any, copies: dict[int, Any]) -> Any:
    """A copy of a pipeline of pipelines that shares all networks, in which a scheduler they share is still shared."""
    from diffusers import DiffusionPipeline, SchedulerMixin

    own = copy.copy(pipeline)
    for name, part in vars(pipeline).items():
        if isinstance(part, SchedulerMixin):
            vars(own)[name] = copies.setdefault(id(part), copy.deepcopy(part))
        elif isinstance(part, DiffusionPipeline):
            vars(own)[name] = _with_own_schedulers(part, copies)
    return own


def _words(roles: tuple[Role, ...]) -> str:
    told = {"text2im": "drawing from text", "image2image": "changing a picture", "inpaint": "filling a masked part"}
    return ", ".join(told[role] for role in roles)
