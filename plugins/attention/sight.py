"""What is looked at: one reading, one head of it, two tokens. Every view follows it, and the desk fills it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from studio.ml.attention.values import Reading, Site
from studio_plugins.attention.painting import Shading
from studio_plugins.attention.request import head_of
from studio_plugins.attention.results import Array, HeadKey, HeadMap, HeadStatistics, Lines, Overview, Strip


class Sight(QObject):
    """Signals: `opened` another reading; `filled` some thumbnails (Strip); `counted` the statistics; `chose` another
    head; `mapped` its map came; `pointed` at other tokens; `lined` the exact row and column came; `switched` heads on or
    off; `shaded` other colours; `grew`: another share of what was written is shown."""

    opened = Signal()
    filled = Signal(object)
    counted = Signal()
    chose = Signal()
    mapped = Signal()
    pointed = Signal()
    lined = Signal()
    switched = Signal()
    shaded = Signal()
    grew = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.overview: Overview | None = None
        self.thumbnails: dict[HeadKey, NDArray[np.float16]] = {}
        self.sampled = False
        """Whether some thumbnails were made of sampled rows only."""
        self.statistics: dict[str, Mapping[HeadKey, float]] = {}
        self.head: HeadKey | None = None
        self.part = 0
        self.map: HeadMap | None = None
        self.row = self.column = -1
        self.pinned = False
        self.lines: Lines | None = None
        self.off: frozenset[HeadKey] = frozenset()
        self.shading = Shading()
        self.limit: int | None = None
        """How many rows of what a model writes are shown; None all."""

    # --- a reading ---

    def open(self, overview: Overview) -> None:
        """Look at another reading; the head and the switches stay where it has them, too."""
        before = self.overview
        self.overview, self.map, self.lines = overview, None, None
        self.thumbnails, self.statistics, self.sampled, self.limit = {}, {}, False, None
        self.row = self.column = -1
        self.pinned, self.part = False, 0
        heads = overview.heads
        asked = frozenset(head_of(name) for name in overview.request.off)
        self.off = frozenset((self.off if before is not None and before.title == overview.title else asked) & set(heads))
        kept = self.head if self.head in heads else None
        self.head = None
        self.opened.emit()
        self.switched.emit()
        self.choose(kept or first_head(overview))

    def fill(self, strip: Strip) -> None:
        """Some thumbnails came."""
        if self.overview is None or strip.key != self.overview.key:
            return
        for i, values in enumerate(strip.maps):
            self.thumbnails[(strip.site, strip.first + i)] = values
        self.sampled |= not strip.exact
        self.filled.emit(strip)

    def count(self, found: HeadStatistics) -> None:
        """The statistics of all heads came."""
        if self.overview is not None and found.key == self.overview.key:
            self.statistics |= found.values
            self.counted.emit()

    # --- a head ---

    @property
    def site(self) -> Site | None:
        """Where the chosen head is."""
        return self.overview.site(self.head[0]) if self.overview is not None and self.head is not None else None

    @property
    def rows(self) -> Reading | None:
        """What the rows of its map are."""
        site = self.site
        return self.overview.rows(site, self.part) if self.overview is not None and site is not None else None

    @property
    def columns(self) -> Reading | None:
        """What the columns are."""
        site = self.site
        return self.overview.columns(site, self.part) if self.overview is not None and site is not None else None

    @property
    def square(self) -> bool:
        """Whether a token can look at itself."""
        return self.site is not None and self.site.kind != "cross"

    def choose(self, head: HeadKey | None, part: int | None = None) -> None:
        """Look at another head."""
        part = self.part if part is None else part
        if head is None or (head, part) == (self.head, self.part):
            return
        before = self.site
        self.head, self.part, self.map, self.lines = head, part, None, None
        site = self.site
        if before is None or site is None or (before.asks, before.looks) != (site.asks, site.looks):
            self.row = self.column = -1
            self.pinned = False
        self.chose.emit()

    def take_map(self, found: HeadMap) -> None:
        """The map of a head came; dropped where another is looked at."""
        if self.overview is not None and (found.key, found.head, found.part) == (self.overview.key, self.head, self.part):
            self.map = found
            self.mapped.emit()

    def values(self) -> Array | None:
        """The whole map exactly, where it is here."""
        return self.map.levels[0].values if self.map is not None and self.map.levels[0].factor == 1 else None

    # --- tokens ---

    def point(self, row: int, column: int, *, pin: bool = False) -> None:
        """Point at a pair of tokens; -1 at none. What is pinned stays until another is pinned or it is let go."""
        if self.pinned and not pin:
            return
        self.pinned = pin and (row >= 0 or column >= 0)
        if (row, column) != (self.row, self.column):
            self.row, self.column = row, column
            self.pointed.emit()

    def take_lines(self, found: Lines) -> None:
        """An exact row and column came."""
        if self.overview is not None and (found.key, found.head) == (self.overview.key, self.head):
            self.lines = found
            self.lined.emit()

    def along_row(self) -> Array | None:
        """Where the token pointed at looks, [T_k]."""
        values = self.values()
        if values is not None and 0 <= self.row < len(values):
            return values[self.row]
        return self.lines.along_row if self.lines is not None and self.lines.row == self.row else None

    def along_column(self) -> Array | None:
        """Who looks at the token pointed at, [T_q]."""
        values = self.values()
        if values is not None and 0 <= self.column < values.shape[1]:
            return values[:, self.column]
        return self.lines.along_column if self.lines is not None and self.lines.column == self.column else None

    # --- switches ---

    def switch(self, head: HeadKey) -> None:
        """A head off, or on again."""
        self.set_off(self.off ^ {head})

    def set_off(self, heads: frozenset[HeadKey]) -> None:
        """Exactly these heads are off."""
        known = frozenset(self.overview.heads) if self.overview is not None else frozenset()
        heads = frozenset(heads & known)
        if heads != self.off:
            self.off = heads
            self.switched.emit()

    def shade(self, shading: Shading) -> None:
        """Other colours."""
        if shading != self.shading:
            self.shading = shading
            self.shaded.emit()

    def grow(self, limit: int | None) -> None:
        """Show so many rows of what was written."""
        if limit != self.limit:
            self.limit = limit
            self.grew.emit()


def first_head(overview: Overview) -> HeadKey | None:
    """The head to look at first: across two texts or on a picture where there is one, else in the middle of the layers."""
    telling = [site for site in overview.sites if site.kind == "cross" or overview.columns(site).grid is not None]
    sites = telling or list(overview.sites)
    return (sites[len(sites) // 2].name, 0) if sites else None
