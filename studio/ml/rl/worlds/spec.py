"""Which world, as a value that files and jobs carry: it goes to JSON and back without loss, compares and hashes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from studio.ml.rl.errors import RLError
from studio.ml.rl.grid import GridWorld
from studio.ml.rl.worlds.errors import UnknownWorld

GRID, FILE = "grid", "file"
_PLAIN = ("wind", "slip", "step_reward", "cliff_reward", "moves")


@dataclass(frozen=True)
class WorldSpec:
    """Which world it is.

    id: "grid" (the own grid world in `grid`), "file" (the class or factory `name` in the Python file `path` that the
    person trusts, as long as its `sha256` stays), or a Gymnasium id such as "CartPole-v1". options: keyword arguments
    of `gymnasium.make` or the factory, JSON values by name. limit: steps after which an episode is cut (None: the
    world's own). Raises UnknownWorld.
    """

    id: str
    options: tuple[tuple[str, Any], ...] = ()
    grid: GridWorld | None = None
    path: str = ""
    name: str = ""
    sha256: str = ""
    limit: int | None = None

    def __post_init__(self) -> None:
        if (self.id == GRID) != (self.grid is not None):
            raise UnknownWorld('A grid world has the id "grid" and its drawing; other worlds have no drawing.')
        if self.id == FILE and not (self.path and self.name and self.sha256):
            raise UnknownWorld("A world from a file needs the file, the name of its class or factory, and its SHA-256.")
        if not self.id:
            raise UnknownWorld("A world needs an id, such as CartPole-v1.")
        if self.limit is not None and self.limit < 1:
            raise UnknownWorld(f"An episode has at least one step, not {self.limit}.")
        try:
            options = json.loads(json.dumps(dict(self.options), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise UnknownWorld(f"The options of a world are numbers, words, lists and yes or no: {error}.") from error
        if options.get("render_mode") == "human":
            raise UnknownWorld("Worlds are drawn in the studio, never in a window of their own; leave render_mode out.")
        object.__setattr__(self, "options", tuple((key, _fixed(options[key])) for key in sorted(options)))

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_json(), sort_keys=True))

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"{self.name} of {PurePath(self.path).name}" if self.id == FILE else "The grid world" if self.id == GRID else self.id

    def arguments(self) -> dict[str, Any]:
        """The options as keyword arguments: fresh lists and dictionaries."""
        return {key: _loose(value) for key, value in self.options}

    def to_json(self) -> dict[str, Any]:
        """JSON data; what is left at its default is left out."""
        told: dict[str, Any] = {"id": self.id, "options": self.arguments(), "path": self.path, "name": self.name}
        told |= {"sha256": self.sha256, "limit": self.limit, "grid": None if self.grid is None else _told(self.grid)}
        return {key: value for key, value in told.items() if value not in (None, "", {})}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> WorldSpec:
        """What `to_json` gave. Raises UnknownWorld."""
        try:
            grid = None if told.get("grid") is None else _read(told["grid"])
            words = {key: str(told.get(key, "")) for key in ("path", "name", "sha256")}
            limit = None if told.get("limit") is None else int(told["limit"])
            return cls(str(told["id"]), tuple(dict(told.get("options", {})).items()), grid, limit=limit, **words)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, RLError):
                raise
            raise UnknownWorld(f"This is not the description of a world ({error!r}).") from error


def _fixed(value: Any) -> Any:
    return tuple(_fixed(v) for v in value) if isinstance(value, list) else value


def _loose(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_loose(v) for v in value]
    return json.loads(json.dumps(value)) if isinstance(value, dict) else value


def _told(grid: GridWorld) -> dict[str, Any]:
    told = {"drawn": str(grid).splitlines(), "rewards": [[*cell, value] for cell, value in grid.rewards]}
    return told | {key: getattr(grid, key) for key in _PLAIN} | {"wind": list(grid.wind)}


def _read(told: Mapping[str, Any]) -> GridWorld:
    rewards = tuple(((int(r), int(c)), float(value)) for r, c, value in told["rewards"])
    plain = {key: told[key] for key in _PLAIN} | {"wind": tuple(int(w) for w in told["wind"])}
    return GridWorld.drawn("\n".join(told["drawn"]), rewards=rewards, **plain)
