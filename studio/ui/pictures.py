"""Between numpy pictures and Qt's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDrag, QGuiApplication, QImage, QPixmap
from PySide6.QtWidgets import QWidget

DRAG_SIZE = 96


def to_qimage(picture: npt.NDArray[np.uint8] | QImage) -> QImage:
    """uint8 [H,W], [H,W,3] or [H,W,4] as a QImage with memory of its own. Raises ValueError for anything else."""
    if isinstance(picture, QImage):
        return picture
    array = np.asarray(picture)
    if array.dtype != np.uint8:
        raise ValueError(f"a picture is uint8, not {array.dtype}; scale it to 0..255 first")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    formats = {3: QImage.Format.Format_RGB888, 4: QImage.Format.Format_RGBA8888}
    if array.ndim == 2:
        kind = QImage.Format.Format_Grayscale8
    elif array.ndim == 3 and array.shape[2] in formats:
        kind = formats[array.shape[2]]
    else:
        raise ValueError(f"a picture is [H,W], [H,W,3] or [H,W,4], not {list(array.shape)}")
    array = np.ascontiguousarray(array)
    height, width = array.shape[:2]
    return QImage(array.data, width, height, array.strides[0], kind).copy()


def pixmap_of(picture: npt.NDArray[np.uint8] | QImage, size: int, ratio: float = 1.0) -> QPixmap:
    """A thumbnail of at most `size` logical pixels; small pictures are enlarged with hard pixel edges."""
    image = to_qimage(picture)
    target = round(size * ratio)
    larger = max(image.width(), image.height()) >= target
    mode = Qt.TransformationMode.SmoothTransformation if larger else Qt.TransformationMode.FastTransformation
    made = QPixmap.fromImage(image.scaled(target, target, Qt.AspectRatioMode.KeepAspectRatio, mode))
    made.setDevicePixelRatio(ratio)
    return made


def copy_picture(picture: npt.NDArray[np.uint8] | QImage) -> None:
    """Put a picture on the clipboard."""
    QGuiApplication.clipboard().setImage(to_qimage(picture))


def drag_out(source: QWidget, file: Path | None, picture: QImage | None) -> None:
    """Start dragging a file (as a URL, with its picture) out of the window."""
    data = QMimeData()
    if file is not None:
        data.setUrls([QUrl.fromLocalFile(str(file))])
    if picture is not None:
        data.setImageData(picture)
    drag = QDrag(source)
    drag.setMimeData(data)
    if picture is not None:
        shown = pixmap_of(picture, DRAG_SIZE, source.devicePixelRatioF())
        drag.setPixmap(shown)
        drag.setHotSpot(QPoint(DRAG_SIZE // 2, DRAG_SIZE // 2))
    drag.exec(Qt.DropAction.CopyAction)
