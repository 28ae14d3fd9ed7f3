"""Write pictures with their settings inside: PNG text chunks, or EXIF in WebP and JPEG."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from studio.host.atomic import write_bytes
from studio.host.imagemeta.containers import ImageMetadataError
from studio.host.imagemeta.exif import write_exif
from studio.host.imagemeta.pixels import as_image

if TYPE_CHECKING:
    from PIL.Image import Image

Format = Literal["png", "webp", "jpeg"]
SCHEMA = 1
_FORMATS: Mapping[str, Format] = {".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg"}
_MAX_JPEG_EXIF = 65_533 - 6


def envelope(kind: str, request: Mapping[str, Any], provenance: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the `glassbox` text holds: schema, kind, request, provenance (model sha256, device, dtype, versions, …)."""
    return {"schema": SCHEMA, "kind": kind, "request": dict(request), "provenance": dict(provenance or {})}


def encode_png(
    image: Any, glassbox: Mapping[str, Any] | None = None, parameters: str = "", *, compress_level: int = 6
) -> bytes:
    """A PNG with the text chunks `parameters` (A1111's) and `glassbox` (an `envelope` as JSON).

    `image`: a PIL image or uint8 array HxW, HxWx3 or HxWx4. Text that is Latin-1 becomes tEXt, other text iTXt, never
    compressed, since some readers know neither zTXt nor compressed iTXt.
    """
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    if parameters:
        info.add_text("parameters", _clean(parameters))
    if glassbox is not None:
        info.add_text("glassbox", _json(glassbox))
    return _encode(as_image(image), "PNG", pnginfo=info, compress_level=compress_level)


def encode_image(
    image: Any,
    format: Format,
    glassbox: Mapping[str, Any] | None = None,
    parameters: str = "",
    *,
    quality: int = 92,
    lossless: bool = False,
) -> bytes:
    """A picture file with its settings; WebP and JPEG keep them in EXIF: UserComment (A1111), ImageDescription (ours).

    Raises ImageMetadataError when the settings are larger than JPEG can hold.
    """
    if format == "png":
        return encode_png(image, glassbox, parameters)
    options: dict[str, Any] = {"quality": quality}
    if glassbox is not None or parameters:
        exif = write_exif(_clean(parameters), _json(glassbox) if glassbox is not None else "")
        if format == "jpeg" and len(exif) > _MAX_JPEG_EXIF:
            raise ImageMetadataError("The settings are too long for a JPEG file. Save as PNG or WebP.")
        options["exif"] = b"Exif\0\0" + exif if format == "jpeg" else exif
    picture = as_image(image)
    if format == "webp":
        return _encode(picture, "WEBP", lossless=lossless, **options)
    flat = picture.convert("RGB") if picture.mode not in ("RGB", "L") else picture  # JPEG knows no transparency
    return _encode(flat, "JPEG", subsampling=0, **options)


def write_png(
    image: Any, path: str | Path, request_json: Mapping[str, Any] | None = None, parameters: str = ""
) -> None:
    """Write a PNG atomically. `request_json` is an `envelope`. Raises FileUnwritable."""
    write_bytes(Path(path), encode_png(image, request_json, parameters))


def write_image(
    image: Any,
    path: str | Path,
    request_json: Mapping[str, Any] | None = None,
    parameters: str = "",
    *,
    quality: int = 92,
    lossless: bool = False,
) -> None:
    """Write a picture atomically in the format of the suffix. Raises FileUnwritable, ImageMetadataError."""
    target = Path(path)
    format = _FORMATS.get(target.suffix.lower())
    if format is None:
        raise ImageMetadataError(f"“{target.suffix}” is not a picture format here. Use .png, .webp or .jpg.")
    write_bytes(target, encode_image(image, format, request_json, parameters, quality=quality, lossless=lossless))


def _encode(image: Image, name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def _json(glassbox: Mapping[str, Any]) -> str:
    return json.dumps(glassbox, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")


def _clean(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
