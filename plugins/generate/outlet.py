"""Pictures and scripts going out: clipboard, files."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from studio.host.export import ExportError
from studio.host.panel import Panel
from studio.ui.pictures import copy_picture
from studio_plugins.generate import sharing
from studio_plugins.generate.desk import Desk
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.script import script
from studio_plugins.generate.stage import Stage


class Outlet:
    """Copies and saves what the stage shows; `index` None means the picture chosen there."""

    def __init__(self, panel: Panel, stage: Stage, desk: Desk) -> None:
        self._panel = panel
        self._stage = stage
        self._desk = desk

    def copy(self) -> None:
        """The picture shown, on the clipboard."""
        pictures = self._stage.pictures()
        if len(pictures):
            copy_picture(pictures[self._stage.current])
            self._desk.status.emit("copied to the clipboard", None)

    def copy_script(self, otherwise: GenerateRequest | None) -> None:
        """A Python script that draws what is shown, or `otherwise` while nothing is, on the clipboard."""
        request = self._desk.shown.request or otherwise
        if request is not None:
            QGuiApplication.clipboard().setText(script(request, self._desk.shown.provenance))
            self._panel.message(
                "The script is on the clipboard. It needs Glassbox Studio's Python, but no window.", "success"
            )

    def save_as(self, index: int | None = None) -> None:
        """Ask where, then write the picture with its settings inside."""
        try:
            at = self._stage.current if index is None else index
            offered = sharing.picture(self._desk.shown, self._stage, at)
        except ExportError as error:
            self._panel.message(str(error), "warning")
            return
        service = self._panel.context.export
        dialog = QFileDialog(self._panel, "Save picture", service.suggest_name(offered), service.filters("image"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.fileSelected.connect(lambda name: self._desk.export(offered, Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
