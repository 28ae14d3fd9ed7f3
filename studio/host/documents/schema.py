"""The one place that says how a document is described on disk, for the archive and for the recovery copy alike.

The description is JSON: what the document holds, and for each picture its size and the names of the parts that its
pixels were stored under. Storing and loading those parts is up to whoever calls `described` and `rebuilt`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NoReturn

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio import __version__
from studio.host.documents.content import (
    MAX_LAYERS, MAX_NAME, MAX_SIDE, MAX_VERSIONS, DocumentContent, LayerContent, Pixels, VersionContent,
)  # fmt: skip
from studio.host.results_folder import plain_json

FORMAT = "glassbox-document"
MAX_DESCRIPTION = 64 << 20  # bytes of JSON
MAX_BYTES = 16 << 30  # of pixels in memory, whatever the machine has
Migration = Callable[[dict[str, Any]], dict[str, Any]]
# When the meaning of a field changes, the step from schema n to n + 1 is added here under n: old documents stay readable.
MIGRATIONS: Mapping[int, Migration] = MappingProxyType({})
SCHEMA = len(MIGRATIONS) + 1


class DocumentUnreadable(Exception):
    """A document cannot be opened. The message names the file, says why and what to do."""


class DocumentNewer(DocumentUnreadable):
    """The document was made by a later version of this program than the one that runs."""


class Damage(Exception):
    """What is wrong inside a document, as the end of a sentence; readers turn it into a DocumentUnreadable."""


class Raster(BaseModel):
    """Where the pixels of one picture lie: its size in pixels and the names of its parts. Channels: 4 = RGBA, 1 = mask."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    width: int = Field(ge=1, lt=MAX_SIDE)
    height: int = Field(ge=1, lt=MAX_SIDE)
    channels: Literal[1, 4]
    parts: tuple[str, ...] = Field(min_length=1)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array: [H, W, 4] or [H, W]."""
        return (self.height, self.width, 4) if self.channels == 4 else (self.height, self.width)

    @property
    def nbytes(self) -> int:
        """Bytes that the pixels take in memory."""
        return math.prod(self.shape)


class LayerEntry(BaseModel):
    """One layer."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    name: str = Field(max_length=MAX_NAME)
    visible: bool = True
    opacity: float = Field(default=1.0, ge=0, le=1)
    pixels: Raster


class VersionEntry(BaseModel):
    """One result that was drawn for the document."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: str = Field(min_length=1, max_length=MAX_NAME)
    request: dict[str, Any] = Field(default_factory=dict)
    pixels: Raster | None = None
    kept: bool = False
    applied: bool = False
    created: str = ""


class Description(BaseModel):
    """A whole document without its pixels. Fields that a later version added are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    width: int
    height: int
    layers: tuple[LayerEntry, ...] = Field(default=(), max_length=MAX_LAYERS)
    hints: Raster | None = None
    mask: Raster | None = None
    versions: tuple[VersionEntry, ...] = Field(default=(), max_length=MAX_VERSIONS)
    request: dict[str, Any] | None = None
    view: dict[str, Any] = Field(default_factory=dict)

    @property
    def rasters(self) -> list[Raster]:
        """Every picture that the document has."""
        found = [layer.pixels for layer in self.layers]
        optional = (self.hints, self.mask, *(version.pixels for version in self.versions))
        return found + [raster for raster in optional if raster is not None]

    @property
    def nbytes(self) -> int:
        """Bytes that all pictures take in memory."""
        return sum(raster.nbytes for raster in self.rasters)


Store = Callable[[str, Pixels], tuple[str, ...]]
Load = Callable[[Raster], Pixels]


def described(content: DocumentContent, store: Store) -> Description:
    """Describe a document while `store(suggested name, pixels)` keeps each picture and returns the names of its parts.

    Raises ValueError when the request, the view or a version's request are not JSON data.
    """

    def raster(name: str, pixels: Pixels) -> Raster:
        height, width = pixels.shape[:2]
        return Raster(width=width, height=height, channels=4 if pixels.ndim == 3 else 1, parts=store(name, pixels))

    return Description(
        width=content.width,
        height=content.height,
        layers=tuple(
            LayerEntry(
                name=_clean(layer.name), visible=layer.visible, opacity=layer.opacity,
                pixels=raster(f"layers/{i:03}", layer.pixels),
            )
            for i, layer in enumerate(content.layers)
        ),
        hints=None if content.hints is None else raster("hints", content.hints),
        mask=None if content.mask is None else raster("mask", content.mask),
        versions=tuple(
            VersionEntry(
                id=_clean(version.id), request=strict_json(version.request), kept=version.kept, applied=version.applied,
                created=_clean(version.created),
                pixels=None if version.pixels is None else raster(f"versions/{i:04}", version.pixels),
            )
            for i, version in enumerate(content.versions)
        ),
        request=None if content.request is None else strict_json(content.request),
        view=strict_json(content.view),
    )  # fmt: skip


def rebuilt(description: Description, load: Load) -> DocumentContent:
    """The document that was described; `load` gives the pixels of a raster. Raises Damage for what cannot be one."""
    _check_sizes(description)
    try:
        return DocumentContent(
            description.width,
            description.height,
            tuple(LayerContent(one.name, load(one.pixels), one.visible, one.opacity) for one in description.layers),
            None if description.hints is None else load(description.hints),
            None if description.mask is None else load(description.mask),
            tuple(
                VersionContent(
                    one.id, one.request, None if one.pixels is None else load(one.pixels), one.kept, one.applied, one.created
                )
                for one in description.versions
            ),
            description.request,
            description.view,
        )
    except ValueError as error:
        raise Damage(str(error)) from error


def _check_sizes(description: Description) -> None:
    """Compare the sizes before a single pixel is loaded."""
    size = (description.width, description.height)
    for raster in (*(layer.pixels for layer in description.layers), description.hints, description.mask):
        if raster is not None and (raster.width, raster.height) != size:
            raise Damage(f"a layer is {raster.width} × {raster.height} pixels in a document of {size[0]} × {size[1]}")


def check_memory(description: Description, name: str) -> None:
    """Refuse what would drive the machine into swapping, or is a bomb: a few kilobytes that unpack to gigabytes.

    Raises DocumentUnreadable.
    """
    free = min(MAX_BYTES, int(psutil.virtual_memory().available))
    if description.nbytes > free:
        raise DocumentUnreadable(
            f"“{name}” unpacks to {description.nbytes / 2**30:.1f} GiB of pictures, and {free / 2**30:.1f} GiB of memory can "
            "be used. Close other programs, or open it on a machine with more memory."
        )


def to_json(description: Description, **beside: Any) -> bytes:
    """The description as JSON with its format and schema in front, and what else the keeper stores `beside` it."""
    head = {"format": FORMAT, "schema": SCHEMA, "made_by": f"Glassbox Studio {__version__}", **beside}
    data = {**head, "document": description.model_dump(mode="json")}
    return json.dumps(data, indent=1, allow_nan=False).encode("ascii")


def parse(raw: bytes, name: str, migrations: Mapping[int, Migration] = MIGRATIONS) -> tuple[Description, dict[str, Any]]:
    """Read what `to_json` wrote, of this schema or an older one: the description and all the data around it.

    Raises DocumentNewer for a later schema and Damage for everything else.
    """
    data = load_json(raw)
    schema = data.get("schema")
    if data.get("format") != FORMAT or not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise Damage("its description is not that of a Glassbox document")
    newest = len(migrations) + 1
    if schema > newest:
        maker = str(data.get("made_by", "a newer version"))[:80]
        raise DocumentNewer(
            f"“{name}” was made by a newer version of this program ({maker}; document format {schema}, this one reads up to "
            f"{newest}). Update Glassbox Studio, or export the picture as PNG or OpenRaster where it was made."
        )
    try:
        for older in range(schema, newest):
            data = migrations[older](data)
        return Description.model_validate(data.get("document")), data
    except (LookupError, TypeError, AttributeError) as error:
        raise Damage(f"its description of schema {schema} is incomplete") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "document"
        raise Damage(f"its description is wrong at {place[:80]} ({first['msg']})") from error


def load_json(raw: bytes) -> dict[str, Any]:
    """An object of strict JSON. Raises Damage for garbage, NaN, numbers of a thousand digits and endless nesting."""
    if len(raw) > MAX_DESCRIPTION:
        raise Damage(f"its description is larger than {MAX_DESCRIPTION >> 20} MiB")
    try:
        data = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Damage("its description is not valid JSON") from error
    if not isinstance(data, dict):
        raise Damage("its description is not an object")
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def strict_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """JSON data as they will be read back. NaN and infinity become null, half a surrogate pair a question mark: JSON
    files have neither, and one odd value must not keep a person from saving. Raises ValueError for what is no data."""
    plain: dict[str, Any] = _portable(plain_json(data))
    return plain


def _portable(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, dict):
        return {_clean(key): _portable(inner) for key, inner in value.items()}
    return [_portable(inner) for inner in value] if isinstance(value, list) else value


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
