"""What was drawn for this picture: versions, each of them one variant of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from PySide6.QtCore import QObject, Signal

from studio.host.documents.content import VersionContent
from studio.host.pictures import Pixels
from studio.host.request import what_fits
from studio.ui.canvas.compositing import Layer
from studio_plugins.inpaint.choices import MODES
from studio_plugins.inpaint.onto import Drawn, Patch
from studio_plugins.inpaint.request import InpaintRequest
from studio_plugins.inpaint.results import InpaintResult


@dataclass(eq=False)
class Version:
    """One variant: its settings, which of the batch it is, what it changes, and what the person did with it.

    record_id: the result that holds it, "" where none does. result: its run, None until it was read back. layer: the
    pixels of the layer it was applied as, while that can be told.
    """

    id: str
    request: InpaintRequest
    index: int
    patch: Patch
    created: str
    record_id: str = ""
    result: InpaintResult | None = None
    kept: bool = False
    applied: bool = False
    layer: Pixels | None = None

    @property
    def seed(self) -> int:
        return self.request.seeds[self.index]

    @property
    def name(self) -> str:
        """What a layer made of it is called."""
        return f"{self.request.condition.strip()[:60] or MODES[self.request.mode]} (seed {self.seed})"

    def content(self) -> VersionContent:
        """As the document keeps it; where it lies is in `place`."""
        return VersionContent(
            self.id, self.request.to_dict(), self.patch.pixels, self.kept, self.applied, self.created
        )

    def place(self) -> dict[str, Any]:
        """Where it lies on the picture and in the store, as JSON data."""
        return {"left": self.patch.left, "top": self.patch.top, "index": self.index, "record": self.record_id}

    @classmethod
    def restored(cls, content: VersionContent, place: Mapping[str, Any]) -> Version | None:
        """As it was kept; None where nothing of it is left to be shown."""
        if content.pixels is None:
            return None
        request = what_fits(InpaintRequest, content.request)[0]
        left, top, index = (_whole(place.get(name)) for name in ("left", "top", "index"))
        record = place.get("record")
        return cls(
            content.id, request, min(max(index, 0), request.batch - 1), Patch(content.pixels, left, top),
            content.created, record if isinstance(record, str) else "", None, content.kept, content.applied,
        )  # fmt: skip


class Versions(QObject):
    """All versions, oldest first, and the one that is looked at (None: the document as it is).

    Signals: `changed`, when there are others or one was marked; `chosen` (Version or None).
    """

    changed = Signal()
    chosen = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.all: list[Version] = []
        self.current: Version | None = None

    def add(self, drawn: Drawn) -> list[Version]:
        """Take in the variants of a run."""
        now, result = datetime.now(UTC).isoformat(timespec="seconds"), drawn.result
        made = [
            Version(uuid4().hex, result.request, index, patch, now, result.record_id or "", result)
            for index, patch in enumerate(drawn.patches)
        ]
        self.all += made
        self.changed.emit()
        return made

    def choose(self, version: Version | None) -> None:
        """Look at a version, or at the document."""
        if version is not self.current:
            self.current = version
            self.chosen.emit(version)

    def step(self, by: int) -> None:
        """Look at the next version but `by` − 1, the document coming before the first."""
        place = self.all.index(self.current) if self.current is not None else -1
        to = min(max(place + by, -1), len(self.all) - 1)
        self.choose(self.all[to] if to >= 0 else None)

    def keep(self, version: Version) -> None:
        """Mark a version to be kept, or take the mark away."""
        version.kept = not version.kept
        self.changed.emit()

    def discard(self, version: Version) -> None:
        """Forget a version; what is in the History stays there."""
        self.replace([other for other in self.all if other is not version])

    def discard_others(self) -> None:
        """Forget all that are neither kept nor applied nor looked at."""
        self.replace([each for each in self.all if each.kept or each.applied or each is self.current])

    def replace(self, versions: Sequence[Version]) -> None:
        """Have these versions and no others."""
        self.all = list(versions)
        if self.current is not None and self.current not in self.all:
            self.choose(None)
        self.changed.emit()

    def read_back(self, record_id: str, result: InpaintResult) -> None:
        """The run of stored versions is there again."""
        for version in self.all:
            if version.record_id == record_id:
                version.result = result

    def follow_layers(self, layers: Sequence[Layer]) -> None:
        """Undo may have taken an applied version away again, or brought it back."""
        now = {id(layer.pixels) for layer in layers}
        marks = [(version, id(version.layer) in now) for version in self.all if version.layer is not None]
        changed = [version for version, applied in marks if version.applied != applied]
        for version in changed:
            version.applied = not version.applied
        if changed:
            self.changed.emit()

    def shift(self, left: int, top: int) -> None:
        """The picture was extended, or that undone: what lay at (0, 0) lies there now."""
        for version in self.all:
            patch = version.patch
            version.patch = replace(patch, left=patch.left + left, top=patch.top + top)
            version.layer = None  # extended layers are other pixels
        if self.current is not None:
            self.chosen.emit(self.current)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and abs(value) < 2**31 else 0
