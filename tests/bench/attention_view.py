"""Looking at attention: a frame of 1,024 heads at a glance, and of one map of 4,096 tokens while it is panned and zoomed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication, QWidget

from studio.app import make_application
from studio.ml.attention.values import Reading, Site, Token
from studio_plugins.attention.map_view import MapView
from studio_plugins.attention.mosaic_view import MosaicView
from studio_plugins.attention.painting import Shading
from studio_plugins.attention.request import AttentionRequest
from studio_plugins.attention.results import Level, Overview, Strip
from studio_plugins.attention.sight import Sight
from tests.bench.figure import Figure

LAYERS, HEADS, TOKENS, FINEST = 32, 32, 4096, 2048
FRAME_MS = 16.0


def run(layers: int = LAYERS, heads: int = HEADS, tokens: int = TOKENS, frames: int = 120) -> list[Figure]:
    """Frames in ms; smaller numbers make a quick check of the bench itself."""
    make_application()
    return [*_mosaic(layers, heads, frames), *_map(tokens, frames)]


def overview_of(layers: int, heads: int, tokens: int) -> Overview:
    """A reading without a model: names only."""
    reading = Reading("text", tuple(Token(f"t{i}", i) for i in range(tokens)))
    sites = tuple(
        Site(f"layer.{i}", "", i, "causal", heads, heads, 64, tokens, tokens, "text", "text", 1, "sdpa") for i in range(layers)
    )
    return Overview("bench", AttentionRequest(), "bench", "causal", sites, {"text": (reading,)}, (), "", {}, None)


def causal(side: int) -> np.ndarray:
    """A map with a sink, a diagonal and noise, NaN above the diagonal."""
    rng = np.random.default_rng(0)
    values = rng.exponential(1e-3, (side, side)).astype(np.float32)
    values[:, 0] += 0.4
    values[np.arange(side), np.arange(side)] += 0.2
    values[np.triu_indices(side, 1)] = np.nan
    return values


def levels_of(tokens: int, finest: int = FINEST) -> tuple[Level, ...]:
    """The pyramid that the engine would send of a map of so many tokens."""
    factor = max(1, tokens // finest)
    levels = [Level(factor, causal(min(tokens, finest)))]
    while max(levels[-1].values.shape) > 64:
        last = levels[-1].values
        half = len(last) // 2
        levels.append(Level(levels[-1].factor * 2, np.fmax.reduce(last[: 2 * half, : 2 * half].reshape(half, 2, half, 2), axis=(1, 3))))
    return tuple(levels)


def _mosaic(layers: int, heads: int, frames: int) -> list[Figure]:
    sight = Sight()
    view = MosaicView(sight)
    view.resize(900, 900)
    view.show()
    sight.open(overview_of(layers, heads, TOKENS))
    thumbnails = np.stack([causal(64)] * heads).astype(np.float16)
    filled = [_timed(lambda i=i: sight.fill(Strip("bench", f"layer.{i}", 0, thumbnails, False))) for i in range(layers)]
    everything = sight.overview
    assert everything is not None
    drawn = _frames(view, frames, lambda i: sight.choose(everything.heads[i % len(everything.heads)]))
    recoloured = _timed(lambda: sight.shade(Shading("row")))
    view.close()
    note = f"{layers * heads} heads; a layer of thumbnails takes {max(filled):.0f} ms to fill in, other colours for all {recoloured:.0f} ms"
    return [Figure.at_most("a frame of all heads, p99", _p99(drawn), "ms", FRAME_MS, note)]


def _map(tokens: int, frames: int) -> list[Figure]:
    view = MapView("bench")
    view.resize(900, 900)
    view.show()
    words = [f"t{i}" for i in range(tokens)]
    opened = _timed(lambda: view.show_map(levels_shown, (tokens, tokens), words, words, square=True)) if (levels_shown := levels_of(tokens)) else 0.0
    ticks = []
    while not view.ready:
        ticks.append(_timed(view._work))
    zoomed = _frames(view, frames, lambda i: view.zoom(1.12 if i % 60 < 40 else 0.85, QPointF(500, 430)))
    view.fit()
    for _ in range(12):
        view.zoom(1.25)
    panned = _frames(view, frames, lambda i: view.pan(QPointF(9 * math.cos(i / 9), 9 * math.sin(i / 7))))
    view.close()
    note = f"{tokens} tokens; shown in {opened:.0f} ms, its finest colours come in {len(ticks)} bands of at most {max(ticks, default=0):.0f} ms"
    return [
        Figure.at_most("a frame while zooming a map, p99", _p99(zoomed), "ms", FRAME_MS, note),
        Figure.at_most("a frame while panning a map, p99", _p99(panned), "ms", FRAME_MS),
    ]


def _frames(view: QWidget, count: int, act: Callable[[int], object]) -> list[float]:
    """From an act to the painted frame, ms each."""
    found = []
    for i in range(count):
        began = time.perf_counter()
        act(i)
        view.repaint()
        found.append(1000 * (time.perf_counter() - began))
        QApplication.processEvents()
    return sorted(found)


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began)


def _p99(found: list[float]) -> float:
    return found[math.ceil(0.99 * (len(found) - 1))]
