"""The centre: worlds side by side over their curves, and pages that measure instead of watch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from studio.ui.cards import EmptyState
from studio.ui.page_tabs import PageTabs
from studio.ui.tokens import SPACE_M, SPACE_XS
from studio_plugins.rl.curve_page import CurvePage
from studio_plugins.rl.experiment_page import ExperimentPage
from studio_plugins.rl.grid_tools import GridTools
from studio_plugins.rl.offers import Described
from studio_plugins.rl.offpolicy_page import OffPolicyPage
from studio_plugins.rl.overlay_bar import OverlayBar
from studio_plugins.rl.overlays import Overlays
from studio_plugins.rl.play_bar import PlayBar
from studio_plugins.rl.replay_bar import ReplayBar
from studio_plugins.rl.sweep_page import SweepPage
from studio_plugins.rl.tiles import RunTiles

PAGES = {
    "watch": ("Watch", "The worlds of all runs, live, and their curves"),
    "experiment": ("On-policy against off-policy", "Measure how far SARSA and Q-learning are apart at each ε"),
    "sweep": ("Sweep", "Which values of a setting learn best, over seeds"),
    "judge": ("Off-policy evaluation", "Judge one policy by the episodes of another: importance sampling"),
}


class Stage(QWidget):
    """Signal: `turned` (name of the page now on show)."""

    turned = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.tabs = PageTabs(PAGES, "Watch or measure", self)
        self._lower, self._pages = QStackedWidget(self), QStackedWidget(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.tabs)
        layout.addWidget(self._pages, 1)

    def build(self, invitation: EmptyState) -> Iterator[None]:
        """Make the pages, as `Panel.build`; the invitation stands where the curves will be."""
        self.tiles, self.curves = RunTiles(self), CurvePage(self)
        yield
        self.tools, self.overlays = GridTools(self), OverlayBar(self)
        self.play, self.replay = PlayBar(self), ReplayBar(self)
        for page in (invitation, self.curves):
            self._lower.addWidget(page)
        self._watch = self._watch_page()
        yield
        self.experiment = ExperimentPage(self)
        yield
        self.judge, self.sweep = OffPolicyPage(self), SweepPage(self)
        for page in (self._watch, self.experiment, self.sweep, self.judge):
            self._pages.addWidget(page)
        self.tabs.currentChanged.connect(lambda _index: self._turn())
        yield

    def _watch_page(self) -> QSplitter:
        self.split = QSplitter(Qt.Orientation.Vertical, self)
        self.split.setChildrenCollapsible(False)
        upper = QWidget(self.split)
        layout = QVBoxLayout(upper)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self._grid_row = QWidget(upper)
        self._grid_row.setProperty("surface", "surface")
        row = QHBoxLayout(self._grid_row)
        row.setContentsMargins(SPACE_M, SPACE_XS, SPACE_M, SPACE_XS)
        row.setSpacing(SPACE_M)
        row.addWidget(self.tools, 1)
        row.addWidget(self.overlays, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self._grid_row)
        layout.addWidget(self.tiles, 1)
        layout.addWidget(self.replay)
        layout.addWidget(self.play)
        self.replay.hide()
        for widget in (upper, self._lower):
            self.split.addWidget(widget)
            self.split.setStretchFactor(self.split.count() - 1, 1)
        self.split.setSizes([540, 400])
        return self.split

    @property
    def page(self) -> str:
        """The name of the page on show."""
        return self.tabs.page

    def show_page(self, name: object) -> None:
        """Turn to a page; an unknown name is ignored."""
        self.tabs.show_page(name)

    def show_world(self, described: Described) -> None:
        """The present world: its tools, where it is a grid, and the keys of its actions are the theatre's."""
        grid = described.spec.grid
        self.tools.set_grid(grid)
        self._grid_row.setVisible(grid is not None)
        self.overlays.set_optimal_known(described.description.model)

    def state(self) -> dict[str, Any]:
        """What is chosen to be seen, as JSON."""
        return {"curves": self.curves.state(), "overlays": self.overlays.overlays.to_dict(), "split": self.split.sizes()}

    def restore(self, state: object) -> None:
        """As `state` told; what is not understood stays as it is."""
        if not isinstance(state, Mapping):
            return
        if isinstance(state.get("curves"), Mapping):
            self.curves.restore(state["curves"])
        self.overlays.set_overlays(Overlays.of(state.get("overlays")))
        sizes = state.get("split")
        if isinstance(sizes, list) and len(sizes) == 2 and all(isinstance(size, int) and size > 0 for size in sizes):
            self.split.setSizes(sizes)

    def begin(self) -> None:
        """There is something to draw: the invitation gives way to the curves."""
        self._lower.setCurrentWidget(self.curves)

    def invite(self) -> None:
        """There is nothing to draw any more."""
        self._lower.setCurrentIndex(0)

    def _turn(self) -> None:
        pages: dict[str, QWidget] = {
            "watch": self._watch, "experiment": self.experiment, "sweep": self.sweep, "judge": self.judge,
        }  # fmt: skip
        self._pages.setCurrentWidget(pages[self.page])
        self.turned.emit(self.page)
