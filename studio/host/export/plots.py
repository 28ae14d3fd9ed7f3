"""Plots as PNG, SVG, PDF, and as CSV of the numbers drawn. Qt and pyqtgraph are imported inside the functions.

These run on the GUI thread, where the plots live. Everything is drawn through QGraphicsScene.render, so that the
three picture formats show the same thing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.host.atomic import replacing
from studio.host.export.kinds import ExportError, Table

if TYPE_CHECKING:
    from PySide6.QtCore import QRectF
    from PySide6.QtGui import QPainter
    from PySide6.QtWidgets import QGraphicsItem, QGraphicsScene

_MAX_SIDE = 16_384


def _target(plot: Any) -> tuple[QGraphicsScene, QRectF, QGraphicsItem]:
    """(scene, rectangle in scene coordinates, item) of a pyqtgraph plot, plot widget or layout."""
    for name in ("getPlotItem", "centralWidget", "ci"):
        inner = getattr(plot, name, None)
        if inner is not None:
            plot = inner() if name == "getPlotItem" else inner
            break
    scene = plot.scene() if callable(getattr(plot, "scene", None)) else None
    if scene is None or not hasattr(plot, "sceneBoundingRect"):
        raise ExportError("This plot is not shown at the moment. Open its panel, then export.")
    return scene, plot.sceneBoundingRect(), plot


def _paint(plot: Any, painter: QPainter, width: float, height: float) -> None:
    from PySide6.QtCore import QRectF, Qt
    from PySide6.QtWidgets import QGraphicsItem

    scene, source, _ = _target(plot)
    views = scene.views()
    if views:  # the axis colours are chosen for this background, so a page without it may be unreadable
        painter.fillRect(QRectF(0, 0, width, height), views[0].backgroundBrush())
    prepare = getattr(scene, "prepareForPaint", None)
    if prepare is not None:  # pyqtgraph lays out its axes here, as it does before each paint event
        prepare()
    plain = QGraphicsItem.CacheMode.NoCache
    kept = [(item, item.cacheMode()) for item in scene.items() if item.cacheMode() != plain]
    for item, _mode in kept:
        item.setCacheMode(plain)  # lines, not the pixels that the screen keeps of them
    try:
        scene.render(painter, QRectF(0, 0, width, height), source, Qt.AspectRatioMode.IgnoreAspectRatio)
    finally:
        for item, mode in kept:
            item.setCacheMode(mode)


def _picture_dpi() -> int:
    """Dots per inch of QPicture, in which pyqtgraph keeps its drawn axes. A picture played on a device of another
    resolution is scaled by the ratio, so vector devices are given this one."""
    from PySide6.QtGui import QPicture

    return QPicture().logicalDpiX()


def write_plot_png(plot: Any, path: Path, *, scale: float = 2.0) -> None:
    """Write the plot as PNG, `scale` times its size on the screen. Raises ExportError, FileUnwritable."""
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QImage, QPainter

    _, rect, _ = _target(plot)
    width, height = round(rect.width() * scale), round(rect.height() * scale)
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise ExportError(f"A picture of {width}×{height} pixels cannot be made. Choose another size.")
    image = QImage(width, height, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _paint(plot, painter, width, height)
    painter.end()
    with replacing(path) as temporary:
        if not image.save(str(temporary)):
            raise ExportError(f"“{path.name}” could not be written as PNG.")


def write_plot_svg(plot: Any, path: Path) -> None:
    """Write the plot as SVG. Raises ExportError, FileUnwritable."""
    try:
        from PySide6.QtSvg import QSvgGenerator
    except ImportError as error:
        raise ExportError("SVG needs the Qt SVG module, which is not installed. Save as PDF or PNG.") from error
    from PySide6.QtCore import QRect, QSize
    from PySide6.QtGui import QPainter

    _, rect, _ = _target(plot)
    size = QSize(max(1, round(rect.width())), max(1, round(rect.height())))
    with replacing(path) as temporary:
        generator = QSvgGenerator()
        generator.setFileName(str(temporary))
        generator.setResolution(_picture_dpi())
        generator.setSize(size)
        generator.setViewBox(QRect(0, 0, size.width(), size.height()))
        painter = QPainter(generator)
        _paint(plot, painter, size.width(), size.height())
        painter.end()


def write_plot_pdf(plot: Any, path: Path) -> None:
    """Write the plot as a PDF of one page in its own proportions (160 mm wide). Raises ExportError, FileUnwritable."""
    from PySide6.QtCore import QMarginsF, QSizeF
    from PySide6.QtGui import QPageLayout, QPageSize, QPainter, QPdfWriter

    _, rect, _ = _target(plot)
    if rect.width() < 1 or rect.height() < 1:
        raise ExportError("This plot has no size yet. Open its panel, then export.")
    page = QPageSize(QSizeF(160.0, 160.0 * rect.height() / rect.width()), QPageSize.Unit.Millimeter)
    with replacing(path) as temporary:
        writer = QPdfWriter(str(temporary))
        writer.setResolution(_picture_dpi())
        writer.setPageLayout(QPageLayout(page, QPageLayout.Orientation.Portrait, QMarginsF(0, 0, 0, 0)))
        painter = QPainter(writer)
        _paint(plot, painter, writer.width(), writer.height())
        painter.end()


def plot_table(plot: Any) -> Table:
    """The numbers drawn: an x and a y column for each curve, bar group and point cloud; short ones padded with None.

    Raises ExportError when the plot draws no curves.
    """
    columns: dict[str, list[Any]] = {}
    for number, item in enumerate(_curves(plot), start=1):
        x, y = item.getData()
        if x is None or y is None:
            continue
        name = item.name() if callable(getattr(item, "name", None)) else None
        label = str(name or f"curve {number}")
        while f"{label} x" in columns:
            label = f"{label} ({number})"
        columns[f"{label} x"], columns[f"{label} y"] = np.asarray(x).tolist(), np.asarray(y).tolist()
    if not columns:
        raise ExportError("This plot draws no curves, so there are no numbers to write. Save it as a picture.")
    longest = max(map(len, columns.values()))
    return Table({name: values + [None] * (longest - len(values)) for name, values in columns.items()})


def _curves(plot: Any) -> list[Any]:
    """All visible data items of a plot or of each plot in a layout."""
    _, _, item = _target(plot)
    plots = [item] if hasattr(item, "listDataItems") else list(getattr(item, "items", {}))
    return [
        curve
        for one in plots
        for curve in (one.listDataItems() if hasattr(one, "listDataItems") else ())
        if curve.isVisible() and hasattr(curve, "getData")
    ]
