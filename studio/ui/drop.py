"""A picture dropped on the window: read its settings off the GUI thread and restore them in their panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QMimeData

from studio.host.imagemeta import ImageMetadata, ImageMetadataError, read_metadata
from studio.ui.background import Background

SUFFIXES = (".png", ".webp", ".jpg", ".jpeg")
FOREIGN_KIND = "generate"  # what other tools write are settings of a text-to-image run
PAINTING_KIND = "inpaint"  # its panel takes a picture to be painted on, {"picture": path}
_TOOLS = {"a1111": "AUTOMATIC1111", "invokeai": "InvokeAI", "comfyui": "ComfyUI"}


class Owners(Protocol):
    """Knows which panel owns a kind."""

    def owner_of(self, kind: str) -> str | None: ...


def dropped_pictures(data: QMimeData) -> list[Path]:
    """The picture files among what is dragged."""
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    return [path for path in paths if path.suffix.lower() in SUFFIXES]


def take_picture(
    path: Path,
    background: Background,
    open_request: Callable[[str, Mapping[str, Any]], list[str]],
    owners: Owners,
    notify: Callable[[str, str], None],
) -> None:
    """Restore the settings in a picture; what could not be mapped, or why nothing could, is told."""

    def found(metadata: ImageMetadata) -> None:
        own = metadata.source == "glassbox" and metadata.request is not None
        if metadata.source is None or own and not metadata.request:
            notify(f"“{path.name}” carries no settings. It was not made by this studio, or its metadata were removed.", "warning")
            return
        kind = metadata.kind if own else FOREIGN_KIND
        if owners.owner_of(kind) is None:
            notify(f"No panel here makes results of kind “{kind}”, which “{path.name}” is.", "warning")
            return
        open_request(kind, dict(metadata.request or {}) if own else metadata.mapped)
        origin = "" if own else f" from {_TOOLS.get(metadata.source, metadata.source)}"
        if metadata.unmapped:
            notify(f"Settings of “{path.name}”{origin} restored. Not taken over: {'; '.join(metadata.unmapped)}.", "warning")

    def failed(error: Exception) -> None:
        text = str(error) if isinstance(error, (ImageMetadataError, OSError)) else f"{type(error).__name__}: {error}"
        notify(f"“{path.name}” could not be read. {text}", "error")

    background.run(lambda: read_metadata(path), found, failed)
