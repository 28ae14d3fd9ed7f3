"""What comes in: pictures and documents from files, the clipboard, a drop, the History; a blank canvas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QMimeData, QObject, QTimer
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog

from studio.host.documents import SUFFIX
from studio.host.documents.recovery import Recovery
from studio.host.panel import Panel
from studio.host.panel_jobs import FindOrder
from studio.host.photos import SUFFIXES
from studio.host.pictures import Pixels
from studio.host.request import what_fits
from studio.ui.canvas.document import CanvasDocument
from studio_plugins.inpaint.controls import Controls
from studio_plugins.inpaint.desk import Desk
from studio_plugins.inpaint.filing import Filing
from studio_plugins.inpaint.onto import Drawn
from studio_plugins.inpaint.opening import Opened
from studio_plugins.inpaint.recalling import Recalled
from studio_plugins.inpaint.request import InpaintRequest, MethodsRequest
from studio_plugins.inpaint.results import InpaintResult
from studio_plugins.inpaint.versions import Versions

BLANK = 512
_EXAMPLE = {"prompt": "a cat left of a dog on a blue background", "mode": "replace", "whole": True}


class Intake(QObject):
    """Puts a picture or document on the canvas; one with changes that are not saved is never replaced unasked."""

    def __init__(
        self, panel: Panel, desk: Desk, filing: Filing, document: CanvasDocument, versions: Versions, controls: Controls
    ) -> None:
        super().__init__(panel)
        self._panel, self._desk, self._filing = panel, desk, filing
        self._document, self._versions, self._controls = document, versions, controls
        self._example = False
        desk.opened.connect(self._opened)
        desk.recalled.connect(self._recalled)
        filing.found.connect(self._offer_recovery)

    # --- asking ---

    def ask(self) -> None:
        """Choose a picture or a document."""
        names = " ".join(f"*{suffix}" for suffix in (SUFFIX, *SUFFIXES))
        filters = f"Pictures and documents ({names});;All files (*)"
        dialog = QFileDialog(self._panel, "Open a picture or a document", "", filters)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self.open(Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def open(self, path: Path) -> None:
        """Open a picture or a document."""
        if path.suffix.lower() == SUFFIX:
            self._guarded(lambda: self._filing.open(path))
        else:
            self._guarded(lambda: self._open_picture(path))

    def paste(self) -> None:
        """Open what is on the clipboard."""
        held: QMimeData | None = QGuiApplication.clipboard().mimeData()
        data = held if held is not None else QMimeData()  # an empty clipboard may have none
        path = dropped(data)
        if path is not None:
            self.open(path)
        elif data.hasFormat("image/png"):
            content = data.data("image/png").data()
            self._guarded(lambda: self._paste(bytes(content)))
        elif data.hasImage():
            pixels = _pixels_of(QImage(data.imageData()))
            self._guarded(lambda: self._show(pixels, "Pasted picture"))
        else:
            self._panel.message("There is no picture on the clipboard. Copy one first.", "warning")

    def blank(self) -> None:
        """Begin with a white canvas."""
        size = self._controls.size * 4 if self._controls.size and self._controls.size < BLANK // 4 else BLANK
        pixels = np.full((size, size, 4), 255, np.uint8)
        self._guarded(lambda: self._show(pixels, "Untitled"))

    def example(self) -> None:
        """A scene that the bundled model knows, and words for it."""
        self._guarded(self._open_example)

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        """Settings of a run, and its picture, selection and versions; or only a picture, sent from elsewhere."""
        if set(request) == {"picture"}:
            path = Path(str(request["picture"]))
            QTimer.singleShot(0, self, lambda: self.open(path))  # what it may ask comes after what the window says
            return []
        if kind not in (InpaintRequest.kind, MethodsRequest.kind):
            return [f"Inpaint does not take settings of kind “{kind}”"]
        found, notes = what_fits(InpaintRequest, request)
        self._controls.show_request(found)
        order = FindOrder(kind, dict(request))
        QTimer.singleShot(0, self, lambda: self._guarded(lambda: self._desk.recall(order)))
        return notes

    # --- answering ---

    def _open_picture(self, path: Path) -> None:
        self._example = False
        self._desk.open_file(path)

    def _paste(self, data: bytes) -> None:
        self._example = False
        self._desk.open_pasted(data)

    def _open_example(self) -> None:
        self._example = True
        self._desk.open_example()

    def _opened(self, opened: Opened) -> None:
        if opened.pixels is None:
            self._offer_smaller(opened)
            return
        if self._example:
            self._controls.form.set_fields(_EXAMPLE)
        self._show(opened.pixels, opened.name)
        self._panel.message(" ".join(opened.notes), "info")

    def _show(self, pixels: Pixels, name: str) -> None:
        self._filing.begin(name, lambda: self._document.set_picture(pixels, name))
        self._document.undo.clear()

    def _offer_smaller(self, opened: Opened) -> None:
        actions = []
        if opened.smaller is not None and opened.path is not None:
            width, height = opened.smaller
            path = opened.path
            actions.append((f"Open at {width} × {height}", lambda: self._desk.open_file(path, shrink=True)))
        self._panel.message(opened.notes[0], "error", actions=actions)

    def _recalled(self, recalled: Recalled) -> None:
        if recalled.inputs is None:
            self._panel.message(" ".join(recalled.notes), "warning")
            return
        inputs, name = recalled.inputs, recalled.request.condition.strip()[:60] or "From the History"
        self._show(inputs.picture, name)
        self._document.set_mask(np.ascontiguousarray(inputs.mask))
        if inputs.hints is not None:
            self._document.set_hints(np.ascontiguousarray(inputs.hints))
        if recalled.drawn is not None and isinstance(recalled.drawn.result, InpaintResult):
            made = self._versions.add(Drawn(recalled.drawn.result, recalled.drawn.patches))
            self._versions.choose(made[0])
        if recalled.notes:
            self._panel.message(" ".join(recalled.notes), "warning")

    def _offer_recovery(self, recovery: Recovery) -> None:
        title = recovery.path.stem if recovery.path is not None else recovery.title or "Untitled"
        at = _time(recovery.written)
        self._panel.message(
            f"“{title}” was open in a window that ended unexpectedly, with changes of {at}. {recovery.about}",
            "warning",
            actions=[
                ("Open it", lambda: self._guarded(lambda: self._filing.take(recovery))),
                ("Delete it", lambda: self._filing.discard(recovery)),
            ],
        )

    def _guarded(self, action: Callable[[], object]) -> None:
        """Do what replaces the document, at once or once the person has agreed."""
        if not self._filing.unsaved:
            action()
            return
        save = "Save as…" if self._filing.path is None else "Save"
        actions = [(save, self._save), ("Go on without saving", action)]
        self._panel.message(f"“{self._filing.title}” has changes that are not saved.", "warning", "", actions)

    def _save(self) -> None:
        self._panel.context.commands.run("inpaint.save")


def dropped(data: QMimeData) -> Path | None:
    """The first picture or document among what is dragged."""
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    return next((path for path in paths if path.suffix.lower() in (SUFFIX, *SUFFIXES)), None)


def _pixels_of(image: QImage) -> Pixels:
    shown = image.convertToFormat(QImage.Format.Format_RGBA8888)
    rows = np.frombuffer(shown.constBits(), np.uint8).reshape(shown.height(), shown.bytesPerLine())
    return rows[:, : 4 * shown.width()].reshape(shown.height(), shown.width(), 4).copy()


def _time(written: str) -> str:
    return f"{datetime.fromisoformat(written).astimezone():%d %B, %H:%M}"
