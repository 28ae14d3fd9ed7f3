"""Settings coming in: from the history, from another panel, from a picture dropped here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData

from studio.host.imagemeta import ImageMetadata
from studio.host.panel import Panel
from studio_plugins.generate.controls import Controls
from studio_plugins.generate.desk import Desk
from studio_plugins.generate.mapping import (
    NothingToRestore, Restored, from_neutral, from_picture, from_stored, is_neutral,
)  # fmt: skip
from studio_plugins.generate.request import GenerateRequest

_PICTURES = (".png", ".webp", ".jpg", ".jpeg")


class Intake:
    """Puts settings from elsewhere into the controls and says what did not fit."""

    def __init__(self, panel: Panel, controls: Controls, desk: Desk) -> None:
        self._panel = panel
        self._controls = controls
        self._desk = desk

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        """A stored request (its picture is shown too, when it is still kept), or neutral settings of another tool."""
        if is_neutral(request):
            now, notes = from_neutral(request, self._now(), self._controls.models)
            restored = Restored(now, notes=notes)
        else:
            restored = from_stored(kind, request, self._controls.models)
            self._desk.find(kind, request)
        self._show(restored)
        return restored.notes

    def picture_read(self, found: ImageMetadata) -> None:
        """What a dropped picture says of itself."""
        try:
            restored = from_picture(found, self._now(), self._controls.models)
        except NothingToRestore as error:
            self._panel.message(str(error), "warning")
            return
        self._show(restored)
        text = f"Settings taken from a picture made with {restored.tool}."
        if restored.notes:
            text = f"{text[:-1]}, except: {'; '.join(restored.notes)}."
        actions: list[tuple[str, Callable[[], None]]] = []
        if restored.picture is not None and restored.request.batch > 1:
            text += f" It is picture {restored.picture + 1} of {restored.request.batch}."
            alone = restored.request.replace(seed=restored.request.seed + restored.picture, batch=1)
            actions.append(("Only this one", lambda: self._controls.show_request(alone)))
        self._panel.message(text, "warning" if restored.notes else "success", "", actions)

    def _now(self) -> GenerateRequest:
        return self._controls.form.valid_value() or GenerateRequest()

    def _show(self, restored: Restored) -> None:
        self._controls.show_request(restored.request)
        self._controls.seed.set_fixed(True)
        if restored.sweep is not None:
            self._controls.sweep.show_request(restored.sweep)
            self._controls.sweep_section.set_expanded(True)


def dropped_picture(data: QMimeData) -> Path | None:
    """The first local picture file among what is dragged."""
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    return next((path for path in paths if path.suffix.lower() in _PICTURES), None)
