"""LoRA files on a pipeline's networks: which are loaded, and which count at the moment.

The networks are shared by all runs of a model, so each run asks for its own adapters whenever its turn comes; files
stay loaded and asleep until a run begins while no other is under way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from safetensors import SafetensorError

from studio.ml.diffusion.external.asked import Lora
from studio.ml.diffusion.external.errors import ExternalError, PickleRefused
from studio.ml.diffusion.external.folder import PICKLES
from studio.ml.diffusion.external.headers import read_header

UNFIT = (ValueError, KeyError, RuntimeError, IndexError, AttributeError, TypeError, SafetensorError, OSError)
"""What diffusers and peft raise for a file whose names or shapes are not those of the networks."""


class Adapters:
    """The LoRA files of one model."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._names: dict[str, str] = {}
        """File and time of its last change -> name of the adapter in the networks."""
        self._awake: tuple[Lora, ...] = ()
        self._loaded = 0

    def use(self, loras: Sequence[Lora]) -> None:
        """From now on exactly these count. Raises ExternalError for a file that does not fit the model."""
        wanted = tuple(loras)
        if wanted == self._awake:
            return
        self._check(wanted)
        names = [self._named(lora) for lora in wanted]
        if names:
            self._pipeline.enable_lora()
            self._pipeline.set_adapters(names, [lora.weight for lora in wanted])
        else:
            self._pipeline.disable_lora()
        self._awake = wanted

    def forget(self) -> None:
        """Take all files out of the networks, which then are as they were loaded."""
        if self._names:
            self._pipeline.unload_lora_weights()
        self._names, self._awake = {}, ()

    def _check(self, loras: Sequence[Lora]) -> None:
        if loras and not hasattr(self._pipeline, "load_lora_weights"):
            raise ExternalError("This kind of model takes no LoRA files. Take them off.")
        if len({lora.file for lora in loras}) < len(loras):
            raise ExternalError("A LoRA file is named twice. Name it once, with the sum of the weights.")

    def _named(self, lora: Lora) -> str:
        if lora.file.suffix.lower() in PICKLES:
            raise PickleRefused(f"{lora.file.name} is a pickle, which can run any code: refused. Convert it first.")
        if not lora.file.is_file():
            raise ExternalError(f"The LoRA file {lora.file} is gone. Choose it again or take it off.")
        key = f"{lora.file.resolve()}@{lora.file.stat().st_mtime_ns}"
        if key not in self._names:
            self._load(lora, f"lora{self._loaded}")
            self._names[key] = f"lora{self._loaded}"
            self._loaded += 1
        return self._names[key]

    def _load(self, lora: Lora, name: str) -> None:
        read_header(lora.file)
        try:
            self._pipeline.load_lora_weights(
                lora.file.parent,
                weight_name=lora.file.name,
                adapter_name=name,
                local_files_only=True,
                use_safetensors=True,
            )
        except UNFIT as error:
            raise _unfit(lora, str(error)) from error
        if not any(name in part for part in self._pipeline.get_list_adapters().values()):
            raise _unfit(lora, "none of its names belongs to this model's networks")


def _unfit(lora: Lora, why: str) -> ExternalError:
    first = next(iter(why.strip().splitlines()), "it cannot be read")
    return ExternalError(
        f"{lora.file.name} does not fit this model ({first[:200]}). "
        "A LoRA file works only with the family it was made for."
    )
