"""Episodes that can be watched again, and a slider through the one chosen."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from studio.ml.rl.learner import Episode
from studio.ui.icons import IconButton
from studio.ui.timeline import Timeline
from studio.ui.tokens import SPACE_M, SPACE_S, SPACE_XS
from studio_plugins.rl.overlays import short

_LISTED_EVERY = 1.0
"""Seconds between two lists: hundreds of episodes may end in one. An opened list is the newest."""


def title(episode: Episode) -> str:
    """An episode in a line."""
    end = "" if episode.terminated else ", cut"
    return f"Episode {episode.number:,}: return {short(episode.total)}, {episode.length:,} steps{end}, at step {episode.steps:,}"


class _Choice(QComboBox):
    """Signal: `opening`, before its list shows."""

    opening = Signal()

    def showPopup(self) -> None:
        self.opening.emit()
        super().showPopup()


class ReplayBar(QFrame):
    """`set_episodes`, then the person chooses and scrubs. Signals: `chosen` (Episode), `moved` (steps into it, 0: as it
    began), `exported` (Episode), `closed`."""

    chosen = Signal(object)
    moved = Signal(int)
    exported = Signal(object)
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._episodes: list[Episode] = []
        self._shown: Episode | None = None
        self._offered: list[tuple[str, Episode]] = []
        self._listed_at = 0.0
        self.choice = _Choice(self)
        self.choice.opening.connect(self._list)
        self.choice.setAccessibleName("Episode")
        self.choice.setToolTip("The best and the most recent episodes of this run")
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setMinimumContentsLength(24)
        self.choice.activated.connect(self._picked)
        self.export = IconButton("export", "Export this episode as a video or pictures", self)
        self.export.clicked.connect(lambda _checked=False: self._export())
        self.close_button = IconButton("cancel", "Close the replay and watch training again", self)
        self.close_button.clicked.connect(lambda _checked=False: self.closed.emit())
        self.timeline = Timeline(self)
        self.timeline.setProperty("edge", "")
        self.timeline.moved.connect(self.moved)
        row = QHBoxLayout()
        row.setContentsMargins(SPACE_M, SPACE_XS, SPACE_M, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(self.choice, 1)
        row.addWidget(self.export)
        row.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(row)
        layout.addWidget(self.timeline)
        self.setProperty("edge", "top")
        self._show_able()

    @property
    def episode(self) -> Episode | None:
        """The one that is watched."""
        return self._shown

    def set_episodes(self, best: Sequence[Episode], recent: Sequence[Episode]) -> None:
        """The best (highest return first) and the most recent (newest first); the one that is watched stays chosen, also
        where it is no longer among them."""
        self._offered = [*(("Best", e) for e in best), *(("Recent", e) for e in recent)]
        if monotonic() - self._listed_at > _LISTED_EVERY and not self.choice.view().isVisible():
            self._list()

    def _list(self) -> None:
        """Put the newest episodes into the list."""
        self._listed_at = monotonic()
        listed, shown = list(self._offered), self._shown
        if shown is not None and not any(_same(e, shown) for _, e in listed):
            listed.insert(0, ("Watched", shown))
        if [(e.place, e.number) for _, e in listed] == [(e.place, e.number) for e in self._episodes]:
            return
        self._episodes = [episode for _, episode in listed]
        self.choice.clear()
        for kind, episode in listed:
            self.choice.addItem(f"{kind} · {title(episode)}")
        at = next((k for k, e in enumerate(self._episodes) if shown is not None and _same(e, shown)), -1)
        self.choice.setCurrentIndex(at)
        self._show_able()

    def choose(self, episode: Episode) -> None:
        """Watch an episode from its beginning; says so."""
        self._shown = episode
        if not any(_same(e, episode) for e in self._episodes):
            self._episodes.insert(0, episode)
            self.choice.insertItem(0, f"Watched · {title(episode)}")
        self.choice.setCurrentIndex(next(k for k, e in enumerate(self._episodes) if _same(e, episode)))
        blocked = self.timeline.blockSignals(True)
        self.timeline.set_count(episode.length + 1)
        self.timeline.set_value(0)
        self.timeline.blockSignals(blocked)
        self._show_able()
        self.chosen.emit(episode)

    def set_place(self, steps: int) -> None:
        """Show how far a replay has come; says nothing."""
        blocked = self.timeline.blockSignals(True)
        self.timeline.set_value(steps)
        self.timeline.blockSignals(blocked)

    def stop(self) -> None:
        """Stop playing."""
        self.timeline.stop()

    def _picked(self, index: int) -> None:
        if 0 <= index < len(self._episodes):
            self.choose(self._episodes[index])

    def _export(self) -> None:
        if self._shown is not None:
            self.exported.emit(self._shown)

    def _show_able(self) -> None:
        self.choice.setEnabled(bool(self._episodes))
        self.export.setEnabled(self._shown is not None)
        if not self._episodes:
            self.choice.setPlaceholderText("No episode has ended yet")
        elif self._shown is None:
            self.choice.setPlaceholderText("Choose an episode to watch")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)


def _same(one: Episode, other: Episode) -> bool:
    return (one.place, one.number, one.seed) == (other.place, other.number, other.seed)
