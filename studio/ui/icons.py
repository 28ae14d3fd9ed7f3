"""Own SVG icons, drawn in the colour of the palette around them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from PySide6.QtCore import QByteArray, QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap, QPixmapCache
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QToolButton, QWidget

from studio.resources import resource

FALLBACK = "panel"
_SIZES = (16, 20, 24, 32, 48)


@lru_cache(maxsize=256)
def svg_source(name: str) -> str:
    """Text of a bundled icon; an unknown name gives the neutral panel icon, so that a plugin's typing error shows no hole."""
    try:
        return resource("icons", f"{name}.svg").read_text(encoding="utf-8")
    except FileNotFoundError:
        return resource("icons", f"{FALLBACK}.svg").read_text(encoding="utf-8")


def recolour(svg: str, colour: str) -> str:
    """The SVG with `currentColor` replaced by `#rrggbb`."""
    return svg.replace("currentColor", colour)


def pixmap(svg: str, colour: QColor, size: int, ratio: float = 1.0) -> QPixmap:
    """An icon of `size` logical pixels, sharp on a screen with device pixel ratio `ratio`."""
    source = recolour(svg, colour.name())
    key = f"{size}@{ratio}:{source}"
    picture = QPixmap()
    if QPixmapCache.find(key, picture):
        return picture
    picture = QPixmap(round(size * ratio), round(size * ratio))
    picture.fill(Qt.GlobalColor.transparent)
    renderer = QSvgRenderer(QByteArray(source.encode()))
    painter = QPainter(picture)
    renderer.render(painter, QRectF(0, 0, picture.width(), picture.height()))
    painter.end()
    picture.setDevicePixelRatio(ratio)
    QPixmapCache.insert(key, picture)
    return picture


def icon(
    name: str,
    colour: QColor,
    disabled: QColor | None = None,
    checked: QColor | None = None,
    sizes: Sequence[int] = _SIZES,
) -> QIcon:
    """A bundled icon in one colour, with its disabled and checked variants, drawn for each of `sizes` (pixels)."""
    return icon_from_svg(svg_source(name), colour, disabled, checked, sizes)


def icon_from_svg(
    svg: str,
    colour: QColor,
    disabled: QColor | None = None,
    checked: QColor | None = None,
    sizes: Sequence[int] = _SIZES,
) -> QIcon:
    """As `icon`, for SVG text that a plugin brings along."""
    result = QIcon()
    off, on = QIcon.State.Off, QIcon.State.On
    for size in sizes:
        result.addPixmap(pixmap(svg, colour, size), QIcon.Mode.Normal, off)
        if checked is not None:
            result.addPixmap(pixmap(svg, checked, size), QIcon.Mode.Normal, on)
        if disabled is not None:
            result.addPixmap(pixmap(svg, disabled, size), QIcon.Mode.Disabled, off)
    return result


class IconButton(QToolButton):
    """A flat button with a bundled icon that follows the palette; the tooltip is also its accessible name."""

    def __init__(self, name: str, tip: str, parent: QWidget | None = None, *, size: int = 18) -> None:
        super().__init__(parent)
        self._name = name
        self.setIconSize(QSize(size, size))
        self.setToolTip(tip)
        self.setAccessibleName(tip.split(".")[0].split("(")[0].strip())
        self.setAutoRaise(True)
        self._paint_icon()

    def set_icon(self, name: str) -> None:
        """Show another bundled icon."""
        if name != self._name:
            self._name = name
            self._paint_icon()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._paint_icon()

    def _paint_icon(self) -> None:
        palette = self.palette()
        group, role = QPalette.ColorGroup, QPalette.ColorRole
        self.setIcon(
            icon(
                self._name,
                palette.color(group.Active, role.ButtonText),
                palette.color(group.Disabled, role.ButtonText),
                palette.color(group.Active, role.Accent),
                (self.iconSize().width(), 2 * self.iconSize().width()),
            )
        )
