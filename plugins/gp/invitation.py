"""What an empty plot says: where to begin, and examples that each teach one thing."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from studio.ui.tokens import SPACE_M, SPACE_S, SPACE_XL
from studio_plugins.gp.examples import EXAMPLES

_COLUMNS = 2


class Invitation(QFrame):
    """A card over the upper part of the plot; clicks beside it reach the plot. Signals: `example` (its name), `opening`
    (a file is wanted)."""

    example = Signal(str)
    opening = Signal()

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self.setProperty("surface", "card")
        heading = QLabel("Click anywhere to add a point", self)
        heading.setProperty("tone", "title")
        text = QLabel(
            "A Gaussian process is a distribution over functions: each point you add bends it. Drag a point to see "
            "what it does, or begin with an example.",
            self,
        )
        text.setProperty("tone", "muted")
        for label in (heading, text):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_XL, SPACE_M, SPACE_XL, SPACE_M)
        layout.setSpacing(SPACE_S)
        layout.addWidget(heading)
        layout.addWidget(text)
        row = QHBoxLayout()
        for i, (name, example) in enumerate(EXAMPLES.items()):
            if i and i % _COLUMNS == 0:
                layout.addLayout(row)
                row = QHBoxLayout()
            button = QPushButton(example.title, self)
            button.setToolTip(example.lesson)
            button.clicked.connect(partial(self._choose, name))
            row.addWidget(button)
        layout.addLayout(row)
        own = QPushButton("Open your own table…", self)
        own.setProperty("role", "link")
        own.clicked.connect(lambda _checked=False: self.opening.emit())
        layout.addWidget(own, 0, Qt.AlignmentFlag.AlignHCenter)
        over.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.parent() and event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self._place()
        return False

    def _place(self) -> None:
        """In the middle, a little above it, so that the prior's band shows below."""
        over = self.parentWidget()
        assert over is not None
        wide = min(460, over.width() - 80)
        high = self.layout().heightForWidth(wide) if self.layout().hasHeightForWidth() else self.sizeHint().height()
        self.setGeometry((over.width() - wide) // 2 + 20, max(12, (over.height() - high) // 5), wide, high)

    def _choose(self, name: str, _checked: bool = False) -> None:
        self.example.emit(name)
