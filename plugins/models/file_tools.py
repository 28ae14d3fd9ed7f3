"""Where a model lies and what its files' digests are, in the right column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from studio.ui.tokens import SPACE_S
from studio_plugins.models.checksums import Digest


class FileTools(QWidget):
    """Signals: `digest_wanted`, `conversion_wanted` (of this place), `cancelled`."""

    digest_wanted = Signal(object)
    conversion_wanted = Signal(object)
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._place = Path()
        self.digests: dict[Path, Sequence[Digest]] = {}
        """By place of the model, as long as the panel is open."""
        self._running: Path | None = None
        self.open = QPushButton("Open folder", self)
        self.open.setToolTip("Show the files in the file manager")
        self.open.clicked.connect(lambda _checked=False: self._open())
        self.compute = QPushButton("Compute SHA-256", self)
        self.compute.clicked.connect(lambda _checked=False: self._press())
        self.convert = QPushButton("Convert to safetensors", self)
        self.convert.setToolTip("Write the tensors of the pickle beside it; nothing in it is run, and it stays")
        self.convert.clicked.connect(lambda _checked=False: self.conversion_wanted.emit(self._place))
        self.convert.hide()
        self.text = QLabel(self)
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setProperty("tone", "faint")
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        row.addWidget(self.open, 1)
        row.addWidget(self.compute, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addLayout(row)
        layout.addWidget(self.convert)
        layout.addWidget(self.text)

    def show_place(self, place: Path, *, pickled: bool = False) -> None:
        """Turn to a model; one that is pickled can be converted."""
        self._place = place
        self.convert.setVisible(pickled)
        self._show()

    def show_progress(self, share: float, text: str) -> None:
        """How far the digests are, 0..1."""
        if self._running == self._place:
            self.text.setText(f"{text}: {share:.0%}")

    def show_digests(self, place: Path, digests: Sequence[Digest] | None) -> None:
        """The digests of a model; None when they were not computed to the end."""
        self._running = None
        if digests is not None:
            self.digests[place] = digests
        self._show()

    def _press(self) -> None:
        if self._running is not None:
            self.cancelled.emit()
            return
        self._running = self._place
        self._show()
        self.digest_wanted.emit(self._place)

    def _show(self) -> None:
        busy = self._running is not None
        self.compute.setText("Cancel" if busy else "Compute SHA-256")
        self.compute.setToolTip("Stop reading" if busy else "Read all weights, to compare their digests with those published")
        self.text.setText("\n".join(_line(digest) for digest in self.digests.get(self._place, ())))
        self.text.setVisible(busy or bool(self.text.text()))

    def _open(self) -> None:
        folder = self._place if self._place.is_dir() else self._place.parent
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def _line(digest: Digest) -> str:
    halves = f"{digest.sha256[:32]}\n{digest.sha256[32:]}"
    verdict = f"\n{digest.verdict}" if digest.verdict else ""
    return f"{digest.file.parent.name}/{digest.file.name}\n{halves}{verdict}"
