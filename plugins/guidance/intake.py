"""Settings coming in, from the history or from a picture; what did not fit is said in words."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData

from studio.host.imagemeta import ImageMetadata
from studio.host.request import what_fits
from studio_plugins.guidance.request import GuidanceRequest

_PICTURES = (".png", ".webp", ".jpg", ".jpeg")


class NothingToRestore(ValueError):
    """A picture without settings of this panel; the message says what it is."""


def from_picture(found: ImageMetadata) -> tuple[GuidanceRequest, list[str]]:
    """The comparison a picture belongs to. Raises NothingToRestore."""
    if found.source != "glassbox" or found.request is None:
        raise NothingToRestore("This picture holds no comparison of guidances. Pictures kept by this panel do.")
    if found.kind != GuidanceRequest.kind:
        raise NothingToRestore(f"This picture was made by the panel of “{found.kind}”; drop it there.")
    return what_fits(GuidanceRequest, found.request)


def dropped_picture(data: QMimeData) -> Path | None:
    """The first local picture file among what is dragged."""
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    return next((path for path in paths if path.suffix.lower() in _PICTURES), None)
