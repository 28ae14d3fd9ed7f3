"""What was drawn for this picture: versions, each of them one variant of one run."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from studio.host.pictures import Pixels
from studio_plugins.inpaint.results import InpaintResult


@dataclass(eq=False)
class Version:
    """One variant: its run, which of the batch it is, and what the person did with it."""

    result: InpaintResult
    index: int
    kept: bool = False
    applied: bool = False

    @property
    def seed(self) -> int:
        return self.result.request.seeds[self.index]

    def layer(self) -> tuple[Pixels, int, int]:
        """What it changes, RGBA [h, w, 4], and its left and top on the picture."""
        return self.result.layer(self.index)


class Versions(QObject):
    """All versions, oldest first, and the one that is looked at (None: the document as it is)."""

    changed = Signal()
    chosen = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.all: list[Version] = []
        self.current: Version | None = None

    def add(self, result: InpaintResult) -> list[Version]:
        """Take in the variants of a run."""
        made = [Version(result, index) for index in range(len(result))]
        self.all += made
        self.changed.emit()
        return made

    def choose(self, version: Version | None) -> None:
        """Look at a version, or at the document."""
        self.current = version
        self.chosen.emit(version)

    def discard(self, version: Version) -> None:
        """Forget a version; what is in the History stays there."""
        self.all.remove(version)
        if self.current is version:
            self.choose(None)
        self.changed.emit()

    def clear(self) -> None:
        """Begin with another picture."""
        self.all.clear()
        self.choose(None)
        self.changed.emit()
