"""Below the History list: the request of the chosen result and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from studio.host.results import ResultRecord
from studio.ui.cards import Facts
from studio.ui.history_model import caption_of, when
from studio.ui.icons import IconButton
from studio.ui.tokens import SPACE_M, SPACE_S

_LONGEST = 80


class ResultDetail(QFrame):
    """Hidden while nothing is chosen."""

    restore_asked = Signal(object)
    replay_asked = Signal(object)
    star_asked = Signal(object)
    trash_asked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("edge", "top")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._record: ResultRecord | None = None
        self._title = QLabel(self)
        self._title.setWordWrap(True)
        self._title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._facts = Facts(self)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self._facts)
        area.setFixedHeight(136)
        self._facts.setAutoFillBackground(False)
        area.viewport().setAutoFillBackground(False)
        self.restore = QPushButton("Restore", self)
        self.restore.setToolTip("Put these settings back into their panel")
        self.restore.clicked.connect(lambda _checked=False: self.restore_asked.emit(self._record))
        self.replay = QPushButton("Replay", self)
        self.replay.setToolTip("Run it again and show the largest difference")
        self.replay.clicked.connect(lambda _checked=False: self.replay_asked.emit(self._record))
        self._star = IconButton("star", "Star this result", self, size=16)
        self._star.clicked.connect(lambda _checked=False: self.star_asked.emit(self._record))
        self._bin = IconButton("trash", "Move to the trash (Delete)", self, size=16)
        self._bin.clicked.connect(lambda _checked=False: self.trash_asked.emit(self._record))
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self.restore, 1)
        buttons.addWidget(self.replay, 1)
        buttons.addWidget(self._star)
        buttons.addWidget(self._bin)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_M)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self._title)
        layout.addWidget(area)
        layout.addLayout(buttons)

    def show_record(self, record: ResultRecord | None) -> None:
        """Show a result, or hide."""
        self._record = record
        self.setVisible(record is not None)
        if record is None:
            return
        caption = caption_of(record)
        self._title.setText(caption if len(caption) <= 3 * _LONGEST else caption[: 3 * _LONGEST] + "…")
        facts = {"Made": when(record.created), "Kind": record.kind}
        facts |= {_words(name): _value(value) for name, value in _flat(record.request) if name != "prompt" and value not in ("", None)}
        facts |= {_words(name): _value(value) for name, value in record.provenance.items() if not isinstance(value, (dict, list))}
        self._facts.set_facts(facts)
        self._star.set_icon("star-filled" if record.starred else "star")
        self._star.setToolTip("Remove the star" if record.starred else "Star this result")
        self._bin.set_icon("restore" if record.trashed else "trash")
        self._bin.setToolTip("Take out of the trash" if record.trashed else "Move to the trash (Delete)")


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _flat(request: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The settings, with those of a request inside it (the base of a sweep) beside its own."""
    for name, value in request.items():
        yield from _flat(value) if isinstance(value, Mapping) else ((name, value),)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ": ".join(_plain(part) for part in value.values())
    if isinstance(value, (list, tuple)):
        return ("; " if any(isinstance(part, Mapping) for part in value) else ", ").join(_plain(part) for part in value)
    return str(value)


def _value(value: Any) -> str:
    text = _plain(value)
    if len(text) == 64 and all(c in "0123456789abcdef" for c in text):
        return f"{text[:12]}…"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
