"""What is laid over the canvas for looking: what is being drawn, a version, a step of it; and ways to compare."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from studio.host.pictures import Pixels
from studio.ui.canvas.preview import Preview
from studio.ui.canvas.stage import CanvasStage
from studio.ui.canvas.view import CanvasView
from studio.ui.pictures import to_qimage
from studio.ui.theme import theme
from studio_plugins.inpaint.painters import Painted
from studio_plugins.inpaint.versions import Version

if TYPE_CHECKING:
    from studio.ml.diffusion.views import View

_BLINK_MS = 500
_GRIP = 15  # pixels wide: what one drags
_KEY_SHARE = 0.02


class Way(StrEnum):
    """How a version is compared with the document."""

    OVER = "over"
    SLIDER = "slider"
    BESIDE = "beside"
    BLINK = "blink"


class Looking(QObject):
    """`live`, `show_version`, `show_step` say what to lay over the canvas, `set_way` how. Signal: `way_changed`."""

    way_changed = Signal(object)

    def __init__(self, stage: CanvasStage, parent: QObject) -> None:
        super().__init__(parent)
        self._stage = stage
        self._preview: Preview | None = None
        self._beside: CanvasView | None = None
        self._following = False
        self.way = Way.OVER
        self.divider = Divider(stage.view)
        self.divider.moved.connect(lambda _share: self._show())
        self._blink = QTimer(self)
        self._blink.setInterval(_BLINK_MS)
        self._blink.timeout.connect(self._on_blink)
        self._dark = False
        stage.view.zoomed.connect(lambda _scale: self._follow(stage.view, self._beside))

    # --- what ---

    def live(self, view: View, pictures: Pixels, index: int = 0) -> None:
        """What is drawn at the moment, [N, h, w, 3] for the view's region: one of the batch."""
        self._set(_over_region(view, pictures[min(index, len(pictures) - 1)]))

    def show_version(self, version: Version | None) -> None:
        """A version, or only the document."""
        patch = version.patch if version is not None else None
        self._set(None if patch is None else Preview.of(patch.pixels, patch.left, patch.top))

    def show_step(self, version: Version, step: Painted, *, noisy: bool) -> None:
        """A step on the way to a version: x₀, or x_t."""
        pictures = step.x_t if noisy and step.x_t is not None else step.x0
        if version.result is None or pictures is None:
            return
        view, patch = version.result.view, version.patch
        left, top = (max(0, value) for value in (view.region.left, view.region.top))
        shown = _over_region(view, pictures[min(version.index, len(pictures) - 1)])
        # The picture may have been extended since the run.
        self._set(Preview(shown.image, shown.place.translated(patch.left - left, patch.top - top)))

    @property
    def preview(self) -> Preview | None:
        """What is laid over the document, whether it can be seen at this moment or not."""
        return self._preview

    # --- how ---

    def set_way(self, way: Way) -> None:
        """Compare in another way."""
        self.way = way
        self._show()
        self.way_changed.emit(way)

    def stop(self) -> None:
        """End timers, and the second canvas."""
        self._blink.stop()
        self._leave_beside()

    def _set(self, preview: Preview | None) -> None:
        self._preview = preview
        self._show()

    def _show(self) -> None:
        preview, way, view = self._preview, self.way, self._stage.view
        self.divider.setVisible(way is Way.SLIDER and preview is not None)
        self._run_blinking(way is Way.BLINK and preview is not None)
        if way is Way.BESIDE and preview is not None:
            self._enter_beside().set_preview(preview)
            view.set_preview(None)
        else:
            self._leave_beside()
            shown = None if self._dark else preview
            view.set_preview(shown, self.divider.share if way is Way.SLIDER else None)

    def _run_blinking(self, on: bool) -> None:
        if on != self._blink.isActive():
            self._dark = False
            if on:
                self._blink.start()
            else:
                self._blink.stop()

    def _on_blink(self) -> None:
        self._dark = not self._dark
        self._show()

    def _enter_beside(self) -> CanvasView:
        if self._beside is None:
            view = self._stage.view
            self._beside = CanvasView(view.document, view.settings, self._stage)
            self._beside.setAccessibleName("Canvas with the version")
            self._stage.add_beside(self._beside)
            self._beside.show()
            self._beside.restore_view(view.view_state())
            self._beside.zoomed.connect(lambda _scale: self._follow(self._beside, view))
        return self._beside

    def _leave_beside(self) -> None:
        if self._beside is not None:
            beside, self._beside = self._beside, None
            beside.stop()
            beside.hide()
            beside.deleteLater()

    def _follow(self, leader: CanvasView | None, other: CanvasView | None) -> None:
        """Two canvases show the same part."""
        if leader is None or other is None or self._following:
            return
        self._following = True
        other.restore_view(leader.view_state())
        self._following = False


class Divider(QWidget):
    """The line between document and version, over a canvas: drag it, or use Left and Right. Signal: `moved` (share)."""

    moved = Signal(float)

    def __init__(self, view: CanvasView) -> None:
        super().__init__(view)
        self.share = 0.5
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Line between the document, to its left, and the version")
        self.setToolTip("Left: the document. Right: the version. Drag, or use Left and Right")
        self.hide()
        view.zoomed.connect(lambda _scale: self._place())  # comes after every change of size as well
        theme().changed.connect(self.update)

    def set_share(self, share: float) -> None:
        """Put the line at a share of the canvas's width."""
        self.share = min(max(share, 0.0), 1.0)
        self._place()
        self.moved.emit(self.share)

    def _place(self) -> None:
        view = self.parentWidget()
        self.setGeometry(round(self.share * view.width()) - _GRIP // 2, 0, _GRIP, view.height())

    def showEvent(self, event: object) -> None:
        self._place()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            x = self.mapToParent(event.position().toPoint()).x()
            self.set_share(x / max(1, self.parentWidget().width()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -_KEY_SHARE, Qt.Key.Key_Right: _KEY_SHARE}
        if Qt.Key(event.key()) in steps:
            self.set_share(self.share + steps[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, middle = QPainter(self), _GRIP // 2
        painter.setPen(QPen(theme().color("surface"), 3))
        painter.drawLine(middle, 0, middle, self.height())
        painter.setPen(QPen(theme().color("accent"), 1.5))
        painter.drawLine(middle, 0, middle, self.height())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(theme().color("accent" if self.hasFocus() else "raised"))
        painter.drawEllipse(QPoint(middle, self.height() // 2), 6, 6)


def _over_region(view: View, picture: Pixels) -> Preview:
    """A picture [h, w, 3] of the view's region, as far as it would be pasted."""
    height, width = picture.shape[:2]
    cover = to_qimage(view.composite).scaled(width, height)  # nearest pixels: for a glance, and quick
    alpha = np.frombuffer(cover.constBits(), np.uint8).reshape(height, cover.bytesPerLine())[:, :width]
    region = view.region
    return Preview.of(np.dstack([picture, alpha]), region.left, region.top, region.side / width)
