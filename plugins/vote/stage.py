"""The stage: two pictures to choose between, or the standing once it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeySequence, QMouseEvent, QShortcut
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from studio.ui.cards import EmptyState
from studio.ui.image_view import ImageView
from studio.ui.tokens import SPACE_L, SPACE_M, SPACE_S
from studio_plugins.vote.jobs import Round
from studio_plugins.vote.request import QUESTIONS
from studio_plugins.vote.standing_page import StandingPage
from studio_plugins.vote.votes import Choice

_BUTTONS: dict[Choice, tuple[str, str, str]] = {
    "left": ("←  Left", "The left picture (Left arrow, or click it)", "Left"),
    "tie": ("↓  Tie", "Both are as good (Down arrow)", "Down"),
    "right": ("Right  →", "The right picture (Right arrow, or click it)", "Right"),
}


class Candidate(ImageView):
    """A picture that is chosen by a click; it tells nothing of where it comes from."""

    picked = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._down: QPointF | None = None
        self.setAccessibleName(name)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # a frame round one of the two would look like advice

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        self._down = event.position() if event.button() == Qt.MouseButton.LeftButton else None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        down, self._down = self._down, None
        still = down is not None and (event.position() - down).manhattanLength() < QApplication.startDragDistance()
        if still and self.image() is not None:
            self.picked.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        # the second click of a double click is not a second vote, and must not zoom into the next pair
        self._down = None

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.ignore()  # "copy" and "save" would tell more than the picture


class PairPage(QWidget):
    """The question, the prompt, the two pictures and the buttons below them. `chosen` left, tie or right; `undone`."""

    chosen = Signal(str)
    undone = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.question, self.prompt = QLabel(self), QLabel(self)
        self.question.setProperty("tone", "title")
        self.prompt.setProperty("tone", "muted")
        for label in (self.question, self.prompt):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.left, self.right = Candidate("Left picture", self), Candidate("Right picture", self)
        self.left_prompt, self.right_prompt = QLabel(self), QLabel(self)
        pictures = QHBoxLayout()
        pictures.setSpacing(SPACE_M)
        for view, below in ((self.left, self.left_prompt), (self.right, self.right_prompt)):
            below.setProperty("tone", "muted")
            below.setWordWrap(True)
            below.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column = QVBoxLayout()
            column.addWidget(view, 1)
            column.addWidget(below)
            pictures.addLayout(column, 1)
        self.buttons: dict[Choice, QPushButton] = {}
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        row.addStretch(1)
        for choice, (text, tip, key) in _BUTTONS.items():
            self.buttons[choice] = self._button(text, tip, key, partial(self.chosen.emit, choice))
            row.addWidget(self.buttons[choice])
        row.addSpacing(SPACE_L)
        self.undo = self._button("Undo", "Take the last vote back (Backspace)", "Backspace", self.undone.emit)
        row.addWidget(self.undo)
        row.addStretch(1)
        self.left.picked.connect(partial(self._pick, "left"))
        self.right.picked.connect(partial(self._pick, "right"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_M)
        layout.addWidget(self.question)
        layout.addWidget(self.prompt)
        layout.addLayout(pictures, 1)
        layout.addLayout(row)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Two pictures to choose between")

    def _pick(self, choice: Choice) -> None:
        self.setFocus()  # so that the arrow keys go on where the mouse began
        self.chosen.emit(choice)

    def _button(self, text: str, tip: str, key: str, callback: Callable[[], object]) -> QPushButton:
        """A button and its key, which acts while something on this page has the focus."""
        button = QPushButton(text, self)
        button.setToolTip(tip)
        button.clicked.connect(lambda _checked=False: callback())
        shortcut = QShortcut(QKeySequence(key), self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.setAutoRepeat(False)  # a key held down is one vote
        shortcut.activated.connect(button.click)
        return button

    def show_round(self, shown: Round, question: str) -> None:
        """A new pair."""
        self.question.setText(question)
        pair = shown.pair
        same = pair is not None and pair.left.prompt == pair.right.prompt
        self.prompt.setText(_quoted(pair.left.prompt) if pair is not None and same else "")
        self.prompt.setVisible(same)
        for view, label, pixels, entry in (
            (self.left, self.left_prompt, shown.left, pair.left if pair else None),
            (self.right, self.right_prompt, shown.right, pair.right if pair else None),
        ):
            view.set_image(pixels)
            view.fit()
            label.setText(_quoted(entry.prompt) if entry is not None and not same else "")
            label.setVisible(not same)

    def set_ready(self, ready: bool, *, undo: bool) -> None:
        """Whether a vote can be cast, and one taken back."""
        for button in self.buttons.values():
            button.setEnabled(ready)
        self.undo.setEnabled(undo)


class Stage(QStackedWidget):
    """Nothing to compare, a pair, everything judged, or the standing."""

    def __init__(self, empty: EmptyState, finished: EmptyState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.empty, self.finished = empty, finished
        self.page, self.standing = PairPage(self), StandingPage(self)
        for widget in (empty, self.page, finished, self.standing):
            self.addWidget(widget)

    def show_round(self, shown: Round, question: str) -> None:
        """The pair, or that there is none left."""
        if shown.pair is None:
            self.setCurrentWidget(self.finished)
            return
        self.page.show_round(shown, QUESTIONS[question])
        had_focus = self.currentWidget() is not self.page or self.page.isAncestorOf(self.focusWidget() or self)
        self.setCurrentWidget(self.page)
        if had_focus and self.isVisible():
            self.page.setFocus()


def _quoted(prompt: str) -> str:
    return f"“{prompt}”" if prompt.strip() else "without a prompt"
