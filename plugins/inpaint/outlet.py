"""What goes out: the document's file, the picture as others read it, layers for other programs, a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from studio.host.documents import SUFFIX
from studio.host.documents.openraster import SUFFIX as ORA
from studio.host.export import Exportable, Picture
from studio.host.imagemeta import envelope
from studio.host.panel import Panel
from studio_plugins.inpaint.controls import Controls
from studio_plugins.inpaint.desk import Desk
from studio_plugins.inpaint.filing import Filing
from studio_plugins.inpaint.keeping import parameters_text
from studio_plugins.inpaint.methods_page import MethodsPage
from studio_plugins.inpaint.recalling import ScriptOrder
from studio_plugins.inpaint.shot import Flat
from studio_plugins.inpaint.versions import Version, Versions


class Outlet(QObject):
    """Asks where, then has it written by a job. `flat` gives the layers as they are now."""

    def __init__(
        self, panel: Panel, desk: Desk, filing: Filing, versions: Versions, controls: Controls, methods: MethodsPage,
        flat: Callable[[], Flat],
    ) -> None:  # fmt: skip
        super().__init__(panel)
        self._panel, self._desk, self._filing = panel, desk, filing
        self._versions, self._controls, self._methods, self._flat = versions, controls, methods, flat
        desk.scripted.connect(self._copy_script)

    def save(self) -> None:
        """Save the document; ask where the first time."""
        if self._filing.path is None:
            self.save_as()
        else:
            self._filing.save(self._filing.path)

    def save_as(self) -> None:
        """Save the document as another file."""
        self._ask("Save the document", f"{self._filing.title}{SUFFIX}", f"Glassbox document (*{SUFFIX})", self._save)

    def export_layers(self) -> None:
        """Layers for Krita, GIMP and other programs."""
        self._ask("Export layers", f"{self._filing.title}{ORA}", f"OpenRaster (*{ORA})", self._export_layers)

    def export_picture(self) -> None:
        """The picture as it looks."""
        service, offered = self._panel.context.export, self.picture()
        self._ask(
            "Export the picture", service.suggest_name(offered), service.filters("image"),
            lambda path: self._desk.export(offered, path),
        )  # fmt: skip

    def copy_script(self) -> None:
        """The chosen version's run, or what the controls say, as Python on the clipboard."""
        version = self._versions.current
        if version is not None:
            made = version.result.provenance if version.result is not None else {}
            self._desk.write_script(ScriptOrder(version.request, version.record_id, made))
            return
        request = self._controls.valid_request()
        if request is not None:
            self._desk.write_script(ScriptOrder(request))

    def picture(self) -> Exportable:
        """The visible layers as one picture; the settings of the version applied last go with it."""
        flat, last = self._flat(), next((each for each in reversed(self._versions.all) if each.applied), None)
        return Exportable(self._filing.title or "picture", "image", lambda: _picture(flat, last))

    def exportables(self) -> Sequence[Exportable]:
        """Everything there is to export now."""
        found = [self.picture()] if not self._filing.is_empty else []
        for number, version in enumerate(self._versions.all, 1):
            pixels = version.patch.pixels
            found.append(Exportable(f"version {number}, {version.name}", "image", partial(Picture, pixels)))
        if self._methods.result is not None:
            found.append(Exportable("methods compared", "table", self._methods.numbers))
        return found

    def _ask(self, title: str, name: str, filters: str, then: Callable[[Path], object]) -> None:
        if self._filing.is_empty:
            self._panel.message("There is no picture yet. Open one first.", "warning")
            return
        dialog = QFileDialog(self._panel, title, name, filters)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.fileSelected.connect(lambda chosen: then(Path(chosen)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _save(self, path: Path) -> None:
        self._filing.save(path if path.suffix else path.with_suffix(SUFFIX))

    def _export_layers(self, path: Path) -> None:
        self._filing.export_layers(path if path.suffix else path.with_suffix(ORA))

    def _copy_script(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self._panel.message(
            "The script is on the clipboard. It needs Glassbox Studio's Python, but no window.", "success"
        )


def _picture(flat: Flat, last: Version | None) -> Picture:
    pixels = flat.picture()
    if last is None:
        return Picture(pixels)
    request = last.request
    made = {"picture": last.index, "seed": last.seed}
    text = parameters_text(request, pixels.shape, last.index)
    return Picture(pixels, envelope(request.kind, request.to_dict(), made), text)
