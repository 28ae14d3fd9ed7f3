"""What can leave the panel: maps as pictures, drawings, tables and arrays; the mosaic; the settings; the script."""

from __future__ import annotations

import io
import math
from html import escape

import numpy as np

from studio.host.export import Exportable, Picture, Table
from studio.host.imagemeta import envelope
from studio.host.pictures import Pixels
from studio_plugins.attention import painting
from studio_plugins.attention.request import AttentionRequest, head_name
from studio_plugins.attention.results import STATISTICS
from studio_plugins.attention.script import script
from studio_plugins.attention.sight import Sight
from studio_plugins.attention.stage import Stage
from studio_plugins.attention.words import visible_word

CELL, LEFT, TOP = 18, 110, 90


def exportables(sight: Sight, stage: Stage) -> list[Exportable]:
    """Everything there is to export now. Values are taken now, so that writing needs no widget."""
    overview = sight.overview
    if overview is None:
        return []
    request = overview.request.replace(off=tuple(sorted(head_name(*head) for head in sight.off)))
    settings = envelope(AttentionRequest.kind, request.to_dict(), {})
    found = [
        Exportable("all heads", "image", lambda: Picture(mosaic_picture(sight, stage.mosaic.sorted_heads()), settings)),
        Exportable("session", "json", lambda: request.to_json(indent=1)),
        Exportable("script", "script", lambda: script(sight)),
    ]
    if sight.statistics:
        found.append(Exportable("statistics of all heads", "table", lambda: statistics_table(sight)))
    values = sight.values()
    if values is not None:
        shading, square = sight.shading, sight.square
        found.insert(
            0, Exportable("map of this head", "image", lambda: Picture(large(painting.picture(values, shading, square=square)), settings))
        )
        found.insert(1, Exportable("map of this head as numbers", "table", lambda: map_table(sight)))
    elif sight.map is not None:
        level = sight.map.levels[0]
        pixels = painting.picture(level.values, sight.shading, square=False)
        found.insert(0, Exportable(f"map of this head, largest of {level.factor} x {level.factor} cells", "image", lambda: Picture(pixels, settings)))
    for side in stage.sides.sides.sides if stage.sides.sides is not None else ():
        if side.map is not None:
            shown = side.map
            found.append(
                Exportable(
                    f"{side.title.lower()} map", "image",
                    lambda shown=shown: Picture(large(painting.picture(shown, sight.shading)), settings),
                )
            )  # fmt: skip
    laid = stage.picture.painted()
    if laid is not None:
        found.append(Exportable("picture with attention", "image", lambda: Picture(large(laid[0]), settings)))
    return found


def large(picture: Pixels, side: int = 1024) -> Pixels:
    """Small maps with cells that can be seen."""
    factor = max(1, side // max(picture.shape[:2]))
    return np.repeat(np.repeat(picture, factor, 0), factor, 1)


def mosaic_picture(sight: Sight, heads: list[tuple[str, int]], side: int = 64, gap: int = 4) -> Pixels:
    """All thumbnails, a row for each layer where heads are in order."""
    overview = sight.overview
    assert overview is not None
    in_order = heads == list(overview.heads)
    columns = max(site.heads for site in overview.sites) if in_order else math.ceil(math.sqrt(len(heads)))
    rows = [[(site.name, i) for i in range(site.heads)] for site in overview.sites] if in_order else [
        heads[i : i + columns] for i in range(0, len(heads), columns)
    ]  # fmt: skip
    paper = np.full((len(rows) * (side + gap) + gap, columns * (side + gap) + gap, 3), 232, np.uint8)
    for r, row in enumerate(rows):
        for c, head in enumerate(row):
            values = sight.thumbnails.get(head)
            if values is None:
                continue
            box = painting.picture(values.astype(np.float32), sight.shading)
            y, x = np.arange(side) * box.shape[0] // side, np.arange(side) * box.shape[1] // side
            top, left = gap + r * (side + gap), gap + c * (side + gap)
            paper[top : top + side, left : left + side] = box[y][:, x]
    return paper


def statistics_table(sight: Sight) -> Table:
    """A row for each head."""
    overview = sight.overview
    assert overview is not None
    columns: dict[str, list[object]] = {
        "site": [site for site, _ in overview.heads],
        "layer": [overview.site(site).title for site, _ in overview.heads],
        "head": [head + 1 for _, head in overview.heads],
    }
    for name in (*STATISTICS, *(["effect"] if "effect" in sight.statistics else [])):
        columns[name] = [sight.statistics.get(name, {}).get(head, math.nan) for head in overview.heads]
    return Table(columns)


def map_table(sight: Sight) -> Table:
    """A row for each cell that the mask allows: tokens, their places, the weight."""
    values, rows, columns = sight.values(), sight.rows, sight.columns
    assert values is not None and rows is not None and columns is not None
    i, j = np.nonzero(~np.isnan(values))
    return Table(
        {
            "row": (i + 1).tolist(), "column": (j + 1).tolist(), "looks": [rows.words[k] for k in i],
            "is looked at": [columns.words[k] for k in j], "weight": values[i, j].tolist(),
        }
    )  # fmt: skip


def map_npz(sight: Sight) -> bytes:
    """weights [T_q, T_k] with NaN where masked, the tokens of rows and columns, and which head of what."""
    values, rows, columns, overview = sight.values(), sight.rows, sight.columns, sight.overview
    assert values is not None and rows is not None and columns is not None and overview is not None and sight.head is not None
    file = io.BytesIO()
    np.savez_compressed(
        file, weights=values, rows=np.array(rows.words), columns=np.array(columns.words), site=sight.head[0], head=sight.head[1],
        request=overview.request.to_json(),
    )  # fmt: skip
    return file.getvalue()


def map_svg(sight: Sight) -> str:
    """A drawing with a square for each cell that the mask allows, and the tokens."""
    values, rows, columns = sight.values(), sight.rows, sight.columns
    assert values is not None and rows is not None and columns is not None
    colours = painting.picture(values, sight.shading, square=sight.square)
    height, width = TOP + CELL * len(values) + 8, LEFT + CELL * values.shape[1] + 8
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">']
    for i, j in np.argwhere(~np.isnan(values)):
        red, green, blue = colours[i, j]
        parts.append(
            f'<rect x="{LEFT + CELL * j}" y="{TOP + CELL * i}" width="{CELL}" height="{CELL}" fill="#{red:02x}{green:02x}{blue:02x}">'
            f"<title>{values[i, j]:.5f}</title></rect>"
        )
    for i, word in enumerate(rows.words):
        parts.append(f'<text x="{LEFT - 6}" y="{TOP + CELL * i + 13}" text-anchor="end">{escape(visible_word(word))}</text>')
    for j, word in enumerate(columns.words):
        x = LEFT + CELL * j + 13
        parts.append(f'<text transform="translate({x},{TOP - 6}) rotate(-90)">{escape(visible_word(word))}</text>')
    return "\n".join([*parts, "</svg>"])
