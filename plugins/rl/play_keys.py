"""Which key does which action when a person plays, and the keys that are held."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent

Key = Qt.Key
_WORDS = (
    (Key.Key_Left, ("left", "l")), (Key.Key_Right, ("right", "r")), (Key.Key_Up, ("up", "u", "forward", "north")),
    (Key.Key_Down, ("down", "d", "backward", "back", "south")),
    (Key.Key_Left, ("west",)), (Key.Key_Right, ("east",)), (Key.Key_Space, ("fire", "jump", "pickup", "pick")),
    (Key.Key_Return, ("toggle", "drop")),
)  # fmt: skip
_IDLE = {"noop", "nothing", "none", "idle", "wait", "stay", "coast"}
_SIGNS = {Key.Key_Left: "←", Key.Key_Right: "→", Key.Key_Up: "↑", Key.Key_Down: "↓", Key.Key_Space: "Space", Key.Key_Return: "Enter"}
_SPARE = (*range(Key.Key_1, Key.Key_9 + 1), *(Key[f"Key_{letter}"] for letter in "QWERTYUIOPASDFGHJKLZXCVBNM"))


def idle_action(names: Sequence[str]) -> int | None:
    """The action that does nothing, which is done while no key is held; None where every action does something."""
    return next((k for k, name in enumerate(names) if set(_parts(name)) & _IDLE), None)


def keys_for(names: Sequence[str]) -> dict[int, Qt.Key]:
    """Action -> key: arrows and Space where a name says so, digits and then letters for the others. The action that does
    nothing needs no key."""
    keys: dict[int, Qt.Key] = {}
    idle = idle_action(names)
    for k, name in enumerate(names):
        words = set(_parts(name))
        found = [key for key, means in _WORDS if words & set(means)]
        if k != idle and len(found) == 1 and found[0] not in keys.values():
            keys[k] = found[0]
    spare = iter(_SPARE)
    for k in range(len(names)):
        if k not in keys and k != idle and (key := next(spare, None)) is not None:
            keys[k] = Qt.Key(key)
    return dict(sorted(keys.items()))


def sign(key: Qt.Key) -> str:
    """How a key is written."""
    return _SIGNS.get(key, chr(key.value) if key.value < 128 else key.name.removeprefix("Key_"))


def _parts(name: str) -> list[str]:
    return name.lower().replace("_", " ").replace("-", " ").split()


class PlayKeys(QObject):
    """Takes the keys of the widgets it watches while it is `active`. Signals: `acted` (action), at each press; `holds`
    (what `held` gives now), when it may have changed."""

    acted = Signal(int)
    holds = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.active = False
        self._actions: dict[int, int] = {}
        self._held: list[int] = []
        self._idle: int | None = None

    def set_actions(self, names: Sequence[str]) -> None:
        """The names of the world's actions, in their order."""
        self._actions = {key.value: action for action, key in keys_for(names).items()}
        self._idle = idle_action(names)
        self.release()

    def held(self) -> int | None:
        """The action of the key pressed last and still held; else the one that does nothing, None where there is none."""
        return self._held[-1] if self._held else self._idle

    def release(self) -> None:
        """Hold no key: the window lost the keyboard."""
        self._held = []
        self.holds.emit(self.held())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FocusOut:
            self.release()
        if not self.active or not isinstance(event, QKeyEvent):
            return super().eventFilter(watched, event)
        action = self._actions.get(event.key())
        if action is None or event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier):
            return super().eventFilter(watched, event)
        if event.type() == QEvent.Type.KeyPress and not event.isAutoRepeat():
            self._held = [*(a for a in self._held if a != action), action]
            self.acted.emit(action)
            self.holds.emit(self.held())
        elif event.type() == QEvent.Type.KeyRelease and not event.isAutoRepeat():
            self._held = [a for a in self._held if a != action]
            self.holds.emit(self.held())
        return True
