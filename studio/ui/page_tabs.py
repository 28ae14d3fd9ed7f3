"""Tabs over the pages of a stage, each known by its name."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtWidgets import QTabBar, QWidget


class PageTabs(QTabBar):
    """What is chosen is read and set by name; `currentChanged` tells of it."""

    def __init__(self, pages: Mapping[str, tuple[str, str]], called: str, parent: QWidget) -> None:
        """pages: title and tip of each, by its name. called: what a screen reader says of them all."""
        super().__init__(parent)
        self._names = tuple(pages)
        self.setDrawBase(False)
        self.setExpanding(False)
        self.setUsesScrollButtons(False)  # the line beside them gives way, not the tabs
        self.setAccessibleName(called)
        for title, tip in pages.values():
            self.setTabToolTip(self.addTab(title), tip)

    @property
    def page(self) -> str:
        """The name of the page that is chosen."""
        return self._names[max(0, self.currentIndex())]

    def show_page(self, name: object) -> None:
        """Turn to a page; an unknown name is ignored."""
        if name in self._names:
            self.setCurrentIndex(self._names.index(str(name)))

    def set_page_visible(self, name: str, visible: bool) -> None:
        """Offer a page or not."""
        self.setTabVisible(self._names.index(name), visible)
