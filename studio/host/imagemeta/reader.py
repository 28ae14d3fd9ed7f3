"""Read the settings in a picture, whoever wrote them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from studio.host.imagemeta.comfyui import from_comfyui
from studio.host.imagemeta.containers import Container, read_container
from studio.host.imagemeta.foreign import Mapped, from_a1111, from_invokeai, from_request, loads

Source = Literal["glassbox", "a1111", "invokeai", "comfyui"]
_FOREIGN: tuple[tuple[str, Source, Callable[[str], Mapped]], ...] = (
    ("invokeai_metadata", "invokeai", from_invokeai),
    ("parameters", "a1111", from_a1111),
    ("prompt", "comfyui", from_comfyui),
)


@dataclass(frozen=True)
class ImageMetadata:
    """What a picture says about its making.

    `source` None = nothing found. `kind`, `request` and `provenance` are of our own pictures only. `mapped` holds the
    neutral names that were found (prompt, negative_prompt, steps, sampler, guidance_scale, seed, width, height, model),
    `unmapped` names the rest in words. `width`, `height` are of the picture itself, in pixels.
    """

    source: Source | None
    width: int
    height: int
    kind: str = ""
    request: dict[str, Any] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    mapped: dict[str, Any] = field(default_factory=dict)
    unmapped: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def prompt(self) -> str:
        """The prompt, or ""."""
        return str(self.mapped.get("prompt", ""))

    @property
    def negative_prompt(self) -> str:
        """The negative prompt, or ""."""
        return str(self.mapped.get("negative_prompt", ""))


def read_metadata(path: str | Path) -> ImageMetadata:
    """Read the settings in a PNG, WebP or JPEG file; no pixel is decoded.

    Raises ImageMetadataError for anything that is not a complete picture of reasonable size.
    """
    found = read_container(Path(path))
    notes = list(found.notes)
    if "glassbox" in found.texts:
        own = _own(found, found.texts["glassbox"], notes)
        if own is not None:
            return own
    for key, source, read in _FOREIGN:
        if key in found.texts:
            try:
                mapped, unmapped = read(found.texts[key])
            except ValueError as error:
                notes.append(f"the text “{key}” could not be understood ({str(error)[:80]})")
                continue
            return _result(found, source, mapped=mapped, unmapped=[*unmapped, *notes])
    if "workflow" in found.texts:
        notes.append("a ComfyUI workflow without the graph that was run")
    return _result(found, None, unmapped=notes)


def _own(found: Container, text: str, notes: list[str]) -> ImageMetadata | None:
    try:
        data = loads(text)
    except ValueError as error:
        notes.append(f"the text “glassbox” could not be understood ({str(error)[:80]})")
        return None
    request = data.get("request") if isinstance(data, Mapping) else None
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if not isinstance(request, dict) or not isinstance(kind, str):
        notes.append("the text “glassbox” holds no request")
        return None
    if data.get("schema") != 1:
        notes.append(f"written by another version (schema {str(data.get('schema'))[:20]})")
    provenance = data.get("provenance")
    mapped, _ = from_request(request)
    return _result(
        found, "glassbox", kind=kind, request=request, mapped=mapped, unmapped=notes,
        provenance=provenance if isinstance(provenance, dict) else {},
    )  # fmt: skip


def _result(found: Container, source: Source | None, **fields: Any) -> ImageMetadata:
    return ImageMetadata(source=source, width=found.width, height=found.height, texts=dict(found.texts), **fields)
