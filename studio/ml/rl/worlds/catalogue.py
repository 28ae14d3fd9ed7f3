"""All worlds that can be chosen on this machine, and those that one more package would bring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from studio.ml.rl.worlds.making import COMMANDS, gymnasium


@dataclass(frozen=True)
class Family:
    """Worlds that belong together. ids: the newest version of each. needs, command: the package that is not
    installed and what installs it, or empty; where it alone knows its worlds, there are no ids yet.
    """

    title: str
    ids: tuple[str, ...]
    needs: str = ""
    command: str = ""


_FAMILIES: tuple[tuple[str, str, Callable[[str, str], bool]], ...] = (
    ("Classic control", "", lambda id, entry: entry.startswith("gymnasium.envs.classic_control")),
    ("Toy text", "", lambda id, entry: entry.startswith("gymnasium.envs.toy_text")),
    ("Box2D", "Box2D", lambda id, entry: entry.startswith("gymnasium.envs.box2d")),
    ("MiniGrid", "minigrid", lambda id, entry: id.startswith("MiniGrid-")),
    ("BabyAI", "minigrid", lambda id, entry: entry.startswith("minigrid.")),
    ("Atari", "ale_py", lambda id, entry: id.startswith("ALE/")),
    ("Atari, older ids", "ale_py", lambda id, entry: entry.startswith("ale_py.")),
    ("MuJoCo", "mujoco", lambda id, entry: entry.startswith("gymnasium.envs.mujoco")),
    ("JAX", "jax", lambda id, entry: entry.startswith(("gymnasium.envs.phys2d", "gymnasium.envs.tabular"))),
    ("Other", "", lambda id, entry: True),
)
"""Title, the package that its worlds need, and which worlds (id, entry point) belong to it; the first that fits."""
_ADAPTERS = ("GymV21Environment-v0", "GymV26Environment-v0")
"""Not worlds, but doors to those of an older library."""


def catalogue() -> tuple[Family, ...]:
    """Every family with its worlds, in the order in which they are offered. Imports the packages that add worlds."""
    found: dict[str, list[str]] = {title: [] for title, _, _ in _FAMILIES}
    for id, entry in _newest().items():
        title = next(title for title, _, belongs in _FAMILIES if belongs(id, entry))
        found[title].append(id)
    families = []
    for title, package, _ in _FAMILIES:
        missing = bool(package) and find_spec(package) is None
        if found[title] or missing:
            needs = (package, COMMANDS[package]) if missing else ("", "")
            families.append(Family(title, tuple(sorted(found[title])), *needs))
    return tuple(families)


def _newest() -> dict[str, str]:
    """id: entry point, of the newest version of each world that Gymnasium knows."""
    newest: dict[tuple[str | None, str], Any] = {}
    for spec in gymnasium().registry.values():
        key = (spec.namespace, spec.name)
        if spec.id not in _ADAPTERS and (key not in newest or (spec.version or 0) > (newest[key].version or 0)):
            newest[key] = spec
    return {spec.id: _entry(spec.entry_point) for spec in newest.values()}


def _entry(point: Any) -> str:
    return point if isinstance(point, str) else f"{getattr(point, '__module__', '')}:{getattr(point, '__name__', '')}"
