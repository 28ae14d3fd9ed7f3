"""The Help dock: the page of the panel on show, and the general pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import (
    QDesktopServices,
    QGuiApplication,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextTable,
)
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QTextBrowser, QVBoxLayout, QWidget

from studio.resources import resource
from studio.ui.model_pages import models_page
from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX, SPACE_L, SPACE_S

PANEL = "panel"
_HEADINGS = {1: FONT_PX["hero"], 2: FONT_PX["title"], 3: FONT_PX["strong"]}


@dataclass(frozen=True)
class Topic:
    """A page: key, title, and where its Markdown comes from."""

    key: str
    title: str
    text: Callable[[], str]


MODELS = Topic("models", "The models that ship", models_page)


def bundled_topics() -> list[Topic]:
    """The pages in resources/help; a page's title is its first heading, its order the number in its name."""
    topics = []
    for path in sorted(resource("help").glob("*.md")):
        first = path.read_text(encoding="utf-8").split("\n", 1)[0].lstrip("# ").strip()
        key = path.stem.split("-", 1)[-1]
        topics.append(Topic(key, first, lambda path=path: path.read_text(encoding="utf-8")))  # type: ignore[misc]
    return topics


def set_pages_type(document: QTextDocument) -> None:
    """Give a page read from Markdown the window's type scale: room above headings, air between lines, quiet tables."""
    dpi = QGuiApplication.primaryScreen().logicalDotsPerInchY()
    block = document.begin()
    while block.isValid():
        layout, level = QTextBlockFormat(block.blockFormat()), block.blockFormat().headingLevel()
        inside = QTextCursor(block).currentTable() is not None
        cursor = QTextCursor(block)
        if level:
            size = _HEADINGS.get(level, FONT_PX["body"])
            cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
            letters = QTextCharFormat()
            letters.setFontPointSize(size * 72 / dpi)
            cursor.mergeCharFormat(letters)
            layout.setTopMargin(0 if block == document.begin() else SPACE_L)
            layout.setBottomMargin(4)
        elif not inside:
            layout.setBottomMargin(SPACE_S if block.textList() is None else 4)
        layout.setLineHeight(125, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        QTextCursor(block).setBlockFormat(layout)
        block = block.next()
    for frame in document.rootFrame().childFrames():
        if isinstance(frame, QTextTable):
            quiet = frame.format()
            quiet.setBorder(0)
            quiet.setCellSpacing(0)
            quiet.setCellPadding(3)
            quiet.setTopMargin(4)
            frame.setFormat(quiet)
            # Markdown has no table without a heading row; an empty one is meant to be none.
            if not any(frame.cellAt(0, column).firstCursorPosition().block().text() for column in range(frame.columns())):
                frame.removeRows(0, 1)


class HelpDock(QWidget):
    """`show_topic(key)`; the topic "panel" follows the panel on show. Links `command:ID` run a command."""

    command_asked = Signal(str)

    def __init__(self, extra: list[Topic] | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._panel_text = ""
        self._topics = [Topic(PANEL, "This panel", lambda: self._panel_text), *bundled_topics(), MODELS, *(extra or [])]
        self.box = QComboBox(self)
        self.box.setAccessibleName("Help topic")
        for topic in self._topics:
            self.box.addItem(topic.title, topic.key)
        self.box.currentIndexChanged.connect(lambda _index: self._render())
        self.page = QTextBrowser(self)
        self.page.setOpenLinks(False)
        self.page.setAccessibleName("Help page")
        self.page.anchorClicked.connect(self._follow)
        top = QHBoxLayout()
        top.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, 0)
        top.addWidget(self.box, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addLayout(top)
        layout.addWidget(self.page, 1)
        theme().changed.connect(self._render)
        self.show_topic("getting-started")

    def topics(self) -> list[str]:
        return [topic.key for topic in self._topics]

    @property
    def topic(self) -> str:
        return str(self.box.currentData())

    def show_topic(self, key: str) -> None:
        """Turn to a page; an unknown key stays where it is."""
        index = self.box.findData(key)
        if index >= 0:
            self.box.setCurrentIndex(index)
        self._render()

    def set_panel(self, title: str, markdown: str) -> None:
        """The page of the panel on show."""
        self._panel_text = markdown or f"# {title or 'No panel'}\n\nThis panel brings no help page."
        self.box.setItemText(0, f"This panel: {title}" if title else "This panel")
        if self.topic == PANEL:
            self._render()

    def _render(self) -> None:
        topic = self._topics[max(0, self.box.currentIndex())]
        colours = theme().tokens
        self.page.document().setDefaultStyleSheet(f"a {{ color: {colours['accent']}; }}")
        self.page.setMarkdown(topic.text())
        set_pages_type(self.page.document())

    def _follow(self, url: QUrl) -> None:
        if url.scheme() == "command":
            self.command_asked.emit(url.path())
        elif url.scheme() == "topic":
            self.show_topic(url.path())
        elif url.scheme() in ("http", "https", "file"):
            QDesktopServices.openUrl(url)
