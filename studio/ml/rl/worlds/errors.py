"""What can go wrong with a world that somebody else wrote, in words that say what to do."""

from __future__ import annotations

from studio.ml.rl.errors import RLError


class UnknownWorld(RLError):
    """An id that nothing installed knows, or a description of a world that is not one."""


class MissingPackage(RLError):
    """A world whose package is not installed. package: its name; command: what installs it."""

    def __init__(self, world: str, package: str, command: str) -> None:
        super().__init__(f"{world} needs {package}, which is not installed. Install it with: {command}")
        self.package, self.command = package, command


class BadSpace(RLError):
    """Observations or actions of a kind that no agent here can handle."""


class WorldFailed(RLError):
    """A world that raised, ended by itself, or gave something that is no observation, reward or end.

    details: the world's own traceback where there is one, else an empty string.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class WorldHung(WorldFailed):
    """A world that did not answer in time; its process was ended."""


class FileChanged(RLError):
    """A file with a world that is no longer the one that was trusted."""
