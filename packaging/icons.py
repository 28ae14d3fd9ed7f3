"""Draw the application icon: `QT_QPA_PLATFORM=offscreen .venv/bin/python packaging/icons.py`.

Writes resources/icons/app.svg (the drawing), app-small.svg (fewer, thicker strokes for 16 to 32 pixels) and the hicolor PNGs under
packaging/linux/icons/. An open glass box in perspective, a small network glowing inside: what the studio is.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

ROOT = Path(__file__).resolve().parent.parent
APP_ID = "glassbox-studio"
SIZES = (16, 22, 24, 32, 48, 64, 128, 256, 512)
SMALL = 32

# Box corners in a 512 x 512 picture: half width, half depth and height of the box, seen from above its front edge.
CX, TOP, W, D, H = 256, 78, 170, 78, 200
BACK, RIGHT, FRONT, LEFT = (CX, TOP), (CX + W, TOP + D), (CX, TOP + 2 * D), (CX - W, TOP + D)

NETWORK = (((160, 276), (160, 352)), ((256, 262), (256, 330), (256, 398)), ((352, 276), (352, 352)))
NETWORK_SMALL = (((256, 322),),)
PATH = {(0, 1), (1, 1), (2, 0)}
"""(layer, index) of the nodes that are lit, so that the eye sees a signal pass."""


def down(point: tuple[int, int]) -> tuple[int, int]:
    return point[0], point[1] + H


def polygon(*points: tuple[int, int], **attributes: object) -> str:
    extra = " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<polygon points="{" ".join(f"{x},{y}" for x, y in points)}" {extra}/>'


def line(a: tuple[int, int], b: tuple[int, int], **attributes: object) -> str:
    extra = " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<line x1="{a[0]}" y1="{a[1]}" x2="{b[0]}" y2="{b[1]}" {extra}/>'


def drawing(small: bool) -> str:
    """The icon as SVG text (only what SVG Tiny knows: no filters, no masks)."""
    network = NETWORK_SMALL if small else NETWORK
    stroke, wire, radius = (32, 0, 52) if small else (12, 6, 20)
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512">',
        '<defs><linearGradient id="tile" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#1f5566"/><stop offset="1" stop-color="#0d2a35"/>'
        '</linearGradient><linearGradient id="glassl" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#bdeef8" stop-opacity="0.34"/>'
        '<stop offset="1" stop-color="#58c4dc" stop-opacity="0.10"/></linearGradient>'
        '<linearGradient id="glassr" x1="1" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#bdeef8" stop-opacity="0.20"/>'
        '<stop offset="1" stop-color="#58c4dc" stop-opacity="0.05"/></linearGradient>'
        '<radialGradient id="glow" cx="0.5" cy="0.5" r="0.5"><stop offset="0" stop-color="#ffd27a" stop-opacity="0.95"/>'
        '<stop offset="0.35" stop-color="#ffb84d" stop-opacity="0.45"/><stop offset="1" stop-color="#ffb84d" stop-opacity="0"/></radialGradient></defs>',
        '<rect x="16" y="16" width="480" height="480" rx="108" fill="url(#tile)"/>',
    ]
    if not small:
        back = {"stroke": "#8fdcec", "stroke_opacity": 0.38, "stroke_width": 7, "stroke_linecap": "round"}
        parts += [line(BACK, down(BACK), **back), line(down(LEFT), down(BACK), **back), line(down(BACK), down(RIGHT), **back)]
        parts.append('<circle cx="256" cy="330" r="160" fill="url(#glow)" fill-opacity="0.34"/>')
        parts.append(line(FRONT, down(FRONT), stroke="#d6f5fb", stroke_width=stroke - 3, stroke_opacity=0.5, stroke_linecap="round"))
    lit: list[tuple[int, int]] = []
    for layer, (here, after) in enumerate(zip(network, network[1:], strict=False)):
        for i, a in enumerate(here):
            for j, b in enumerate(after):
                on = (layer, i) in PATH and (layer + 1, j) in PATH
                look: dict[str, object] = {"stroke": "#ffd27a", "stroke_width": wire + 4} if on else {"stroke": "#8fdcec", "stroke_opacity": 0.5, "stroke_width": wire}
                parts.append(line(a, b, **look, stroke_linecap="round"))
    for layer, nodes in enumerate(network):
        for i, (x, y) in enumerate(nodes):
            if small or (layer, i) in PATH:
                lit.append((x, y))
            else:
                parts.append(f'<circle cx="{x}" cy="{y}" r="{radius}" fill="#8fdcec"/>')
    for x, y in lit:
        if not small:
            parts.append(f'<circle cx="{x}" cy="{y}" r="{radius * 2.7:.0f}" fill="url(#glow)"/>')
        parts.append(f'<circle cx="{x}" cy="{y}" r="{radius + 4}" fill="#fff1d0"/>')
    parts += [
        polygon(LEFT, FRONT, down(FRONT), down(LEFT), fill="url(#glassl)"),
        polygon(FRONT, RIGHT, down(RIGHT), down(FRONT), fill="url(#glassr)"),
    ]
    edge = {"stroke": "#d6f5fb", "stroke_width": stroke, "stroke_linejoin": "round", "stroke_linecap": "round", "fill": "none"}
    parts.append(polygon(BACK, RIGHT, FRONT, LEFT, **edge))
    parts.append(
        f'<path d="M{LEFT[0]},{LEFT[1]} V{LEFT[1] + H} L{FRONT[0]},{FRONT[1] + H} L{RIGHT[0]},{RIGHT[1] + H} V{RIGHT[1]}" '
        f'stroke="#d6f5fb" stroke-width="{stroke}" stroke-linejoin="round" stroke-linecap="round" fill="none"/>'
    )
    return "\n".join([*parts, "</svg>\n"])


def render(svg: str, size: int) -> QImage:
    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    QSvgRenderer(svg.encode()).render(painter, QRectF(0, 0, size, size))
    painter.end()
    return image


def main() -> int:
    app = QGuiApplication(sys.argv[:1])
    icons = ROOT / "resources" / "icons"
    for name, small in (("app.svg", False), ("app-small.svg", True)):
        (icons / name).write_text(drawing(small), encoding="utf-8")
    hicolor = ROOT / "packaging" / "linux" / "icons" / "hicolor"
    for size in SIZES:
        path = hicolor / f"{size}x{size}" / "apps" / f"{APP_ID}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not render(drawing(size <= SMALL), size).save(str(path)):
            print(f"could not write {path}", file=sys.stderr)
            return 1
    scalable = hicolor / "scalable" / "apps" / f"{APP_ID}.svg"
    scalable.parent.mkdir(parents=True, exist_ok=True)
    scalable.write_text(drawing(False), encoding="utf-8")
    app.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
