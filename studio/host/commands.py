"""Named commands: menus, shortcuts and the palette (Ctrl+K) all come from one registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

_RECENT = 20


class CommandError(Exception):
    """A command that cannot be registered or run; the message says why."""


@dataclass(frozen=True)
class Command:
    """One action. `id` is dotted ("file.open"), `shortcut` in Qt's portable text ("Ctrl+K"), `enabled` asked when
    shown or run (None = always)."""

    id: str
    title: str
    callback: Callable[[], object]
    shortcut: str = ""
    category: str = ""
    enabled: Callable[[], bool] | None = None

    def is_enabled(self) -> bool:
        """Whether the command can run now."""
        return self.enabled is None or bool(self.enabled())


class CommandRegistry:
    """The commands of the window. Used from the GUI thread only."""

    def __init__(self) -> None:
        self._commands: dict[str, Command] = {}
        self._recent: list[str] = []
        self._listeners: list[Callable[[], None]] = []

    def register(self, command: Command) -> Command:
        """Add a command. Raises CommandError when its id or its shortcut is taken or it has no id or title."""
        if not command.id.strip() or not command.title.strip():
            raise CommandError("A command needs an id and a title.")
        if command.id in self._commands:
            raise CommandError(f"There is already a command “{command.id}”. Unregister it first.")
        other = self.by_shortcut(command.shortcut) if command.shortcut else None
        if other:
            raise CommandError(f"{command.shortcut} already belongs to “{other.title}”. Choose another shortcut.")
        self._commands[command.id] = command
        self._changed()
        return command

    def unregister(self, command_id: str) -> None:
        """Remove a command; an unknown id is ignored, since panels clean up without asking what they registered."""
        if self._commands.pop(command_id, None):
            self._recent = [name for name in self._recent if name != command_id]
            self._changed()

    def unregister_prefix(self, prefix: str) -> None:
        """Remove every command whose id starts with `prefix` (a closing panel removes its own)."""
        for command_id in [name for name in self._commands if name.startswith(prefix)]:
            self.unregister(command_id)

    def __iter__(self) -> Iterator[Command]:
        return iter(list(self._commands.values()))

    def __len__(self) -> int:
        return len(self._commands)

    def __contains__(self, command_id: object) -> bool:
        return command_id in self._commands

    def get(self, command_id: str) -> Command | None:
        """The command of this id, or None."""
        return self._commands.get(command_id)

    def by_shortcut(self, shortcut: str) -> Command | None:
        """The command with this shortcut, compared without case and spaces, or None."""
        wanted = _plain(shortcut)
        return next((c for c in self._commands.values() if c.shortcut and _plain(c.shortcut) == wanted), None)

    def run(self, command_id: str) -> object:
        """Run a command and return what its callback returns. Raises CommandError when unknown or not enabled now."""
        command = self._commands.get(command_id)
        if command is None:
            raise CommandError(f"There is no command “{command_id}”.")
        if not command.is_enabled():
            raise CommandError(f"“{command.title}” is not possible now.")
        self._recent = [command_id, *(name for name in self._recent if name != command_id)][:_RECENT]
        return command.callback()

    def search(self, text: str = "", *, limit: int | None = None) -> list[Command]:
        """Commands matching `text`, best first; with no text all of them, most recently run first."""
        recency = {name: len(self._recent) - place for place, name in enumerate(self._recent)}
        scored: list[tuple[float, Command]] = []
        for command in self._commands.values():
            score = fuzzy_score(text, f"{command.category} {command.title}".strip(), command.title)
            if score is not None:
                scored.append((score + recency.get(command.id, 0) * 0.05, command))
        scored.sort(key=lambda pair: (-pair[0], pair[1].category, pair[1].title))
        return [command for _, command in scored][:limit]

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener()` whenever commands come or go; returns the function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def _changed(self) -> None:
        for listener in list(self._listeners):
            listener()


def _plain(shortcut: str) -> str:
    return shortcut.replace(" ", "").casefold()


def fuzzy_score(query: str, text: str, title: str | None = None) -> float | None:
    """How well `query` matches `text`: None if its letters do not occur in order, otherwise larger is better.

    Letters at the start of words and runs of letters count more; a match of whole words in the title counts most.
    """
    wanted, hay = query.casefold().split(), text.casefold()
    if not wanted:
        return 0.0
    head = (title or text).casefold()
    total = 0.0
    for word in wanted:
        if head.startswith(word):
            total += 6 + len(word)
        elif f" {word}" in f" {hay}":
            total += 4 + len(word)
        elif word in hay:
            total += 2 + len(word)
        else:
            loose = _subsequence(word, hay)
            if loose is None:
                return None
            total += loose
    return total - len(hay) * 0.01


def _subsequence(word: str, hay: str) -> float | None:
    score, place = 0.0, -1
    for letter in word:
        found = hay.find(letter, place + 1)
        if found < 0:
            return None
        starts_word = found == 0 or not hay[found - 1].isalnum()
        score += 1.0 if starts_word else 0.6 if found == place + 1 else 0.2
        place = found
    return score
