"""The bar below the worlds: what is watched, how fast, pause and single step, and the keys when a person plays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, log
from typing import Literal

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QCheckBox, QComboBox, QFrame, QLabel, QSlider, QWidget

from studio.ui.flow_layout import FlowLayout
from studio.ui.icons import IconButton
from studio.ui.tokens import SPACE_M, SPACE_S, SPACE_XS
from studio.ui.wheel import wheel_passed_on
from studio_plugins.rl.play_keys import keys_for, sign

Watch = Literal["training", "current", "best", "replay", "human", "opened"]
WATCHES: Mapping[Watch, str] = {
    "training": "Training, live",
    "current": "Current policy",
    "best": "Best policy",
    "replay": "Replay",
    "human": "You play",
    "opened": "Opened agent",
}
_TIPS: Mapping[Watch, str] = {
    "training": "The world in which the agent learns, exploration and all",
    "current": "A player in a world of its own acts by a copy of the policy as it is now, without exploring",
    "best": "A player in a world of its own acts by the best policy kept so far, without exploring",
    "replay": "An episode of training again, from its seed and actions",
    "human": "You act by the keyboard, in a world of your own; training goes on",
    "opened": "An agent out of a file plays in a world of its own; open one from the menu beside this",
}
_TICKS = 100
MOST_STEPS, MOST_FRAMES = 100_000, 60
"""Steps per second before "as fast as it can", and frames per second of players."""


class PlayBar(QFrame):
    """Signals: `watched` (Watch), `speed_changed` (steps per second; inf: as fast as it can), `paused` (bool), `stepped`,
    `waits` (whether the world waits for a key when a person plays)."""

    watched = Signal(str)
    speed_changed = Signal(float)
    paused = Signal(bool)
    stepped = Signal()
    waits = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("edge", "top")
        self._ticks = {True: _TICKS, False: tick_of(12, training=False)}
        self.pause = IconButton("pause", "Pause", self)
        self.pause.setCheckable(True)
        self.pause.toggled.connect(self._paused)
        self.step = IconButton("step", "One step. Pauses first", self)
        self.step.clicked.connect(lambda _checked=False: self._step())
        self.watch = QComboBox(self)
        self.watch.setAccessibleName("Watch")
        for key, title in WATCHES.items():
            self.watch.addItem(title, key)
            self.watch.setItemData(self.watch.count() - 1, _TIPS[key], Qt.ItemDataRole.ToolTipRole)
        self.watch.activated.connect(lambda _index: self._chosen())
        self.files = IconButton("more", "Files: save the agent or an episode, open an agent", self)
        self.files.setPopupMode(IconButton.ToolButtonPopupMode.InstantPopup)
        self.speed = QSlider(Qt.Orientation.Horizontal, self)
        self.speed.setRange(0, _TICKS)
        self.speed.setPageStep(10)
        self.speed.setFixedWidth(150)
        self.speed.setAccessibleName("Speed")
        self.speed.valueChanged.connect(self._sped)
        self.shown_speed = QLabel(self)
        self.shown_speed.setProperty("tone", "muted")
        self.shown_speed.setMinimumWidth(self.fontMetrics().horizontalAdvance("as fast as it can") + 4)
        self.wait = QCheckBox("Wait for a key", self)
        self.wait.setToolTip("The world stands still until you press a key; otherwise it goes on at its speed")
        self.wait.toggled.connect(self.waits)
        self.keys = QLabel(self)
        self.keys.setProperty("tone", "muted")
        self.keys.setAccessibleName("Keys")
        flow = FlowLayout(self, spacing=SPACE_S)
        flow.setContentsMargins(SPACE_M, SPACE_XS, SPACE_M, SPACE_XS)
        for widget in (
            self.pause, self.step, self.watch, self.files, self.speed, self.shown_speed, self.wait, self.keys,
        ):  # fmt: skip
            flow.addWidget(widget)
        for control in (self.watch, self.speed):
            control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            control.installEventFilter(self)
        self.set_best_known(False)
        self.set_replay(None)
        self.set_guest("")
        self._show_watch()

    # --- what is watched ---

    @property
    def watching(self) -> Watch:
        found: Watch = self.watch.currentData()
        return found

    def set_watching(self, watch: Watch) -> None:
        """Show a choice; says nothing."""
        self.watch.setCurrentIndex(self.watch.findData(watch))
        self._show_watch()

    @property
    def is_best_known(self) -> bool:
        """Whether there is a best policy to watch."""
        model = self.watch.model()
        assert isinstance(model, QStandardItemModel)
        return model.item(self.watch.findData("best")).isEnabled()

    def set_best_known(self, known: bool) -> None:
        """Whether a best policy was kept."""
        self._enable("best", known)

    def set_guest(self, name: str) -> None:
        """The agent out of a file that may play; "" where none is open."""
        told = f"{name} plays in a world of its own; training goes on" if name else _TIPS["opened"]
        self.watch.setItemData(self.watch.findData("opened"), told, Qt.ItemDataRole.ToolTipRole)
        self._enable("opened", bool(name))

    def set_replay(self, number: int | None) -> None:
        """The episode that can be watched again, None where there is none."""
        index = self.watch.findData("replay")
        text = WATCHES["replay"] if number is None else f"Replay of episode {number:,}"
        if text != self.watch.itemText(index):  # asked at every look, and each change lays the bar out anew
            self.watch.setItemText(index, text)
        self._enable("replay", number is not None)

    def set_actions(self, names: Sequence[str], *, turn_based: bool = False) -> None:
        """The names of the world's actions, for the keys; an empty list where nobody can play it. turn_based: whether it
        waits for a key at first."""
        self._enable("human", bool(names))
        self.keys.setText("   ".join(f"<b>{sign(key)}</b> {names[action]}" for action, key in keys_for(names).items()))
        self.wait.setChecked(turn_based)

    def _enable(self, watch: Watch, able: bool) -> None:
        model = self.watch.model()
        assert isinstance(model, QStandardItemModel)
        model.item(self.watch.findData(watch)).setEnabled(able)
        if not able and self.watching == watch:
            self.set_watching("training")
            self._chosen()

    def _chosen(self) -> None:
        self._show_watch()
        self.watched.emit(self.watching)
        self.speed_changed.emit(self.rate)

    def _show_watch(self) -> None:
        watch, training = self.watching, self.watching == "training"
        self.watch.setToolTip(self.watch.currentData(Qt.ItemDataRole.ToolTipRole))
        self.wait.setVisible(watch == "human")
        self.keys.setVisible(watch == "human" and bool(self.keys.text()))
        blocked = self.speed.blockSignals(True)
        self.speed.setValue(self._ticks[training])
        self.speed.blockSignals(blocked)
        unit = "environment steps a second, of each run" if training else "frames a second"
        self.speed.setToolTip(f"Speed: {unit}")
        self._show_speed()

    # --- speed ---

    @property
    def rate(self) -> float:
        """Steps per second; inf: as fast as it can."""
        training = self.watching == "training"
        return rate_of(self._ticks[training], training=training)

    def set_rate(self, rate: float) -> None:
        """Show a speed of what is watched; says so if it is another."""
        self.speed.setValue(tick_of(rate, training=self.watching == "training"))

    def _sped(self, tick: int) -> None:
        self._ticks[self.watching == "training"] = tick
        self._show_speed()
        self.speed_changed.emit(self.rate)

    def _show_speed(self) -> None:
        rate, training = self.rate, self.watching == "training"
        text = "as fast as it can" if rate == inf else f"{rate:,.0f} steps/s" if training else f"{rate:.0f} frames/s"
        self.shown_speed.setText(text)
        self.speed.setAccessibleDescription(text)

    # --- pause and step ---

    @property
    def is_paused(self) -> bool:
        return self.pause.isChecked()

    def set_able(self, able: bool) -> None:
        """Whether there is anything to pause and to step: not before a training, and not after its end."""
        self.pause.setEnabled(able)
        self.step.setEnabled(able)

    def set_paused(self, paused: bool) -> None:
        """Show that it is paused, or goes on; says so if that is new."""
        self.pause.setChecked(paused)

    def _paused(self, paused: bool) -> None:
        self.pause.set_icon("play" if paused else "pause")
        self.pause.setToolTip("Go on" if paused else "Pause")
        self.pause.setAccessibleName("Go on" if paused else "Pause")
        self.paused.emit(paused)

    def _step(self) -> None:
        self.set_paused(True)
        self.stepped.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        return wheel_passed_on(watched, event) or super().eventFilter(watched, event)


def rate_of(tick: int, *, training: bool) -> float:
    """Steps per second at a place of the slider (0 to 100), by factors; training is without limit at its end."""
    if training:
        return inf if tick >= _TICKS else round(MOST_STEPS ** (tick / (_TICKS - 1)), 1)
    return round(float(MOST_FRAMES ** (tick / _TICKS)), 1)


def tick_of(rate: float, *, training: bool) -> int:
    """The place of the slider nearest to a speed."""
    if training:
        return _TICKS if rate == inf else min(_TICKS - 1, round((_TICKS - 1) * log(max(1.0, rate)) / log(MOST_STEPS)))
    return min(_TICKS, round(_TICKS * log(max(1.0, rate)) / log(MOST_FRAMES)))
