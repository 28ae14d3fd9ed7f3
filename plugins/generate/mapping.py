"""Settings found in a picture or in the history, turned into a request; what did not fit is said in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.host.imagemeta import ImageMetadata
from studio.host.imagemeta.foreign import NEUTRAL
from studio.host.request import RequestError, what_fits
from studio.models.catalog import EXTERNAL, ModelInfo
from studio.models.fields import SAMPLERS
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.sweep_request import SweepRequest
from studio_plugins.generate.words import tokenizer_of

_TOOLS = {"a1111": "AUTOMATIC1111", "invokeai": "InvokeAI", "comfyui": "ComfyUI"}
# How other tools call the samplers offered here; Karras and the other spacings are not: ours chooses steps by log-SNR.
_SAMPLER_NAMES = {
    "dpmsolver2m": "dpmpp_2m", "dpmpp2m": "dpmpp_2m", "dpm2m": "dpmpp_2m", "ddim": "ddim", "ddpm": "ddpm",
    "ddpmancestral": "ddpm",
}  # fmt: skip


class NothingToRestore(ValueError):
    """A picture without settings, or with those of another panel; the message says which."""


@dataclass(frozen=True)
class Restored:
    """A request to show, and what could not be taken over. `picture`: which of the batch it was."""

    request: GenerateRequest
    sweep: SweepRequest | None = None
    notes: list[str] = field(default_factory=list)
    picture: int | None = None
    tool: str = "Glassbox Studio"


def from_picture(found: ImageMetadata, now: GenerateRequest, models: list[ModelInfo]) -> Restored:
    """The request in a picture file; what it does not say stays as it is `now`. Raises NothingToRestore."""
    if found.source is None:
        raise NothingToRestore(
            "This picture holds no settings to restore. It may have been saved without them or edited since."
        )
    if found.source != "glassbox":
        request, notes = from_neutral(found.mapped, now, models)
        return Restored(request, notes=[*notes, *found.unmapped], tool=_TOOLS[found.source])
    if found.kind not in (GenerateRequest.kind, SweepRequest.kind) or found.request is None:
        raise NothingToRestore(f"This picture was made by the panel of “{found.kind}”; drop it there.")
    restored = from_stored(found.kind, found.request, models)
    picture = found.provenance.get("picture")
    notes = [*restored.notes, *found.unmapped]
    return Restored(restored.request, restored.sweep, notes, picture if isinstance(picture, int) else None)


def from_stored(kind: str, stored: Mapping[str, Any], models: list[ModelInfo]) -> Restored:
    """A request kept by this or another version: bad or unknown fields are named and get their defaults."""
    if kind == SweepRequest.kind:
        try:
            sweep = SweepRequest.checked(**stored)
        except RequestError as error:
            base = stored.get("base")
            restored = from_stored(GenerateRequest.kind, base if isinstance(base, Mapping) else {}, models)
            return Restored(restored.request, notes=[f"the grid: {error}", *restored.notes])
        return Restored(sweep.base, sweep, _missing_model(sweep.base, models))
    request, notes = what_fits(GenerateRequest, stored)
    return Restored(request, notes=[*notes, *_missing_model(request, models)])


def is_neutral(fields: Mapping[str, Any]) -> bool:
    """Whether these are settings of another tool by neutral names: a request of ours names its batch, theirs cannot."""
    return bool(fields) and "batch" not in fields and set(fields) <= set(NEUTRAL)


def from_neutral(
    mapped: Mapping[str, Any], now: GenerateRequest, models: list[ModelInfo]
) -> tuple[GenerateRequest, list[str]]:
    """Settings of another tool by neutral names (see `ImageMetadata`), laid over the request of `now`."""
    notes: list[str] = []
    # A picture with a prompt followed it, and led away from nothing unless it says so.
    request = now.replace(ignore_prompt=False, negative_prompt="") if "prompt" in mapped else now
    if "classifier-free" not in request.chosen_kinds and {"guidance_scale", "negative_prompt"} & {*mapped}:
        request = request.replace(guidance="classifier-free")  # the only guidance those tools have
    for name in ("prompt", "negative_prompt", "steps", "guidance_scale", "seed"):
        if name in mapped:
            request = _changed(request, name, mapped[name], notes)
    if "sampler" in mapped:
        sampler = _SAMPLER_NAMES.get(_plain(str(mapped["sampler"])))
        if sampler is None:
            notes.append(f"sampler “{mapped['sampler']}” (not offered here, kept {SAMPLERS[request.sampler]})")
        else:
            request = _changed(request, "sampler", sampler, notes)
    if "model" in mapped:
        known = {_plain(part): info.id for info in models for part in (info.id, info.title)}
        found = known.get(_plain(str(mapped["model"])))
        if found is None:
            notes.append(f"model “{_short(str(mapped['model']))}” (not on this machine, kept {request.model})")
        else:
            request = request.replace(model=found, model_sha256="")
    info = next((info for info in models if info.id == request.model), None)
    size = (mapped.get("width"), mapped.get("height"))
    if info is not None and info.kind == EXTERNAL and None not in size:
        for name in ("width", "height"):
            request = _changed(request, name, mapped[name], notes)
    elif info is not None and None not in size and size != (info.size, info.size):
        notes.append(f"size {size[0]}×{size[1]} (this model draws {info.size}×{info.size})")
    return request, notes + _unknown(request.negative_prompt, info)


def _unknown(negative_prompt: str, info: ModelInfo | None) -> list[str]:
    """What of a negative prompt a model does not know; of the prompt its box says it."""
    tokenizer = tokenizer_of(info) if info is not None else None
    words = tokenizer.unknown(negative_prompt) if tokenizer is not None else []
    return [f"negative prompt “{_short(' '.join(words))}” (words this model does not know)"] if words else []


def _changed(request: GenerateRequest, name: str, value: Any, notes: list[str]) -> GenerateRequest:
    try:
        return request.replace(**{name: value})
    except RequestError as error:
        title = GenerateRequest.model_fields[name].title
        notes.append(f"{title}: {error.fields.get(name, error)}")
        return request


def _missing_model(request: GenerateRequest, models: list[ModelInfo]) -> list[str]:
    if any(info.id == request.model for info in models):
        return []
    return [f"the model “{request.model}” is not on this machine; choose another one"]


def _plain(text: str) -> str:
    """Letters and digits only, without the words for step spacing that other tools add."""
    text = re.sub(r"karras|exponential|sgm uniform|_k$|scheduler", "", text.lower().replace("+", "p"))
    return re.sub(r"[^a-z0-9]", "", text)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
