"""The centre: the layer, the tree, the counts, operations, memory and time, a page each."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLabel, QStackedWidget, QVBoxLayout, QWidget

from studio.ml.anatomy.tracing import Part
from studio.ui.cards import EmptyState
from studio.ui.page_tabs import PageTabs
from studio.ui.plot import Legend
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.anatomy import memory_page
from studio_plugins.anatomy.bars import Bars
from studio_plugins.anatomy.counts_page import OWN_KIND, CountsPage
from studio_plugins.anatomy.diagram_page import LEGEND, DiagramPage
from studio_plugins.anatomy.flops_page import FlopsPage
from studio_plugins.anatomy.results import Look
from studio_plugins.anatomy.time_page import TimePage
from studio_plugins.anatomy.tree_page import TreePage

PAGES = {
    "layer": ("Layer", "One layer as it really runs: click a part for its formula"),
    "tree": ("Modules", "Every module with its parameters"),
    "counts": ("Parameters", "Parameters by formula and counted"),
    "flops": ("Operations", "Operations over the length of a sequence"),
    "memory": ("Memory", "Weights, keys and values, activations, training"),
    "time": ("Time", "One real layer, timed on this machine"),
}


class LayerPage(QWidget):
    """The diagram, its legend, and what it is of."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.diagram = DiagramPage(self)
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        self._words.setProperty("tone", "muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_S, 0, 0)
        layout.setSpacing(SPACE_S)
        self._legend = Legend(LEGEND, self)
        layout.addWidget(self._legend)
        layout.addWidget(self._words)
        layout.addWidget(self.diagram, 1)
        layout.addStretch(0)

    def show_look(self, look: Look) -> None:
        self._words.setText(sentence(look))
        measured = look.measured
        built = look.stack is not None and not look.anatomy.blueprint.own
        self._legend.setVisible(built)
        self.diagram.setVisible(built)
        if measured is not None or not built:
            self.diagram.show_diagram(measured.diagram if measured is not None else None)

    def text(self) -> str:
        return self._words.text()


def sentence(look: Look) -> str:
    """What the diagram shows, or why there is none."""
    if look.anatomy.blueprint.own:
        return OWN_KIND
    if look.stack is None:
        return "No layers that attend were found in this model. Its modules and parameters are under Modules."
    measured = look.measured
    if measured is None:
        return "Following one layer…"
    if measured.diagram is None:
        return measured.problem or "This layer could not be followed."
    place = f"{look.stack.name}: {measured.diagram.kind}" if look.stack.name != "layers" else measured.diagram.kind
    return (
        f"{place}, one of {look.stack.layers}, at T = {look.tokens:,} and B = {look.request.batch}, in the order its "
        "modules were really called. The coloured line on the left is the residual stream. Click a part."
    )


class Stage(QStackedWidget):
    """Signals: `turned` (name of the page now on show), `tokens` (T dragged in a plot), `chosen` (a Part or None),
    `timing` (to time a layer), `stack` (path of the stack to look at)."""

    turned = Signal(str)
    tokens = Signal(int)
    chosen = Signal(object)
    timing = Signal()
    stack = Signal(str)

    def __init__(self, empty: EmptyState, parent: QWidget) -> None:
        super().__init__(parent)
        self.layer, self.tree, self.counts, self.flops, self.time = (
            LayerPage(self), TreePage(self), CountsPage(self), FlopsPage(self), TimePage(self),
        )  # fmt: skip
        self.memory = Bars("Memory", self)
        self._pages = QStackedWidget(self)
        for page in (self.layer, self.tree, self.counts, self.flops, self.memory, self.time):
            self._pages.addWidget(page)
        self.tabs = PageTabs(PAGES, "Ways to look at the model", parent)
        self.tabs.currentChanged.connect(self._turn)
        self.stacks = QComboBox(parent)
        self.stacks.setAccessibleName("Stack of layers")
        self.stacks.setToolTip("Which stack of layers is looked at")
        self.stacks.activated.connect(lambda at: self.stack.emit(str(self.stacks.itemData(at))))
        self.stacks.hide()
        self.addWidget(empty)
        self.addWidget(self._pages)
        self.layer.diagram.chosen.connect(lambda _index: self.chosen.emit(self.part()))
        self.flops.tokens.connect(self.tokens)
        self.time.asked.connect(self.timing)
        self._look: Look | None = None

    @property
    def page(self) -> str:
        """The name of the page on show."""
        return self.tabs.page

    def show_page(self, name: object) -> None:
        """Turn to a page; an unknown name is ignored."""
        self.tabs.show_page(name)

    def part(self) -> Part | None:
        """The chosen part of the layer."""
        return self.layer.diagram.part()

    def show_look(self, look: Look) -> None:
        """All pages' model; only the page on show is drawn, the others when they are turned to."""
        self._look = look
        self.setCurrentIndex(1)
        self._show_stacks(look)
        self._draw()

    def _show_stacks(self, look: Look) -> None:
        stacks = look.anatomy.stacks
        known = [self.stacks.itemData(i) for i in range(self.stacks.count())]
        if known != [stack.path for stack in stacks]:
            self.stacks.clear()
            for stack in stacks:
                self.stacks.addItem(stack.name, stack.path)
        if look.stack is not None:
            self.stacks.setCurrentIndex(self.stacks.findData(look.stack.path))
        self.stacks.setVisible(len(stacks) > 1)

    def _draw(self) -> None:
        look = self._look
        if look is None:
            return
        match self.page:
            case "layer":
                self.layer.show_look(look)
                self.chosen.emit(self.part())
            case "tree":
                self.tree.show_tree(look.shown_anatomy.tree)
            case "counts":
                self.counts.show_anatomy(look.shown_anatomy)
            case "flops":
                self.flops.show_look(look)
            case "memory":
                self.memory.show_groups(memory_page.groups(look))
            case "time":
                self.time.show_look(look)

    def _turn(self, index: int) -> None:
        self._pages.setCurrentIndex(index)
        self._draw()
        self.turned.emit(self.page)
