"""Environments of Gymnasium made bare: no checkers and no step limit around them, and errors that say what to do."""

from __future__ import annotations

import copy
import importlib
import os
import re
import traceback
from importlib.util import find_spec
from typing import Any

from studio.ml.rl.errors import RLError
from studio.ml.rl.worlds.errors import MissingPackage, UnknownWorld, WorldFailed
from studio.ml.rl.worlds.spec import WorldSpec

EXTRA = 'pip install "glassbox-studio[worlds]"'
"""What installs the optional worlds."""
_ADDED = ("minigrid", "ale_py")
"""Packages that add worlds to Gymnasium when they are imported."""
COMMANDS = {"Box2D": EXTRA, "minigrid": EXTRA, "ale_py": EXTRA, "mujoco": 'pip install "gymnasium[mujoco]"',
            "jax": 'pip install "gymnasium[jax]"'}  # fmt: skip
"""What installs a package, by the name it is imported by."""


def gymnasium() -> Any:
    """The library, with the worlds of all optional packages that are installed. Imported here first."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    # Frames are drawn into memory; a real video driver would be opened from whatever thread draws the first.
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    gym = importlib.import_module("gymnasium")
    for package in _ADDED:
        if find_spec(package) is not None:
            gym.register_envs(importlib.import_module(package))
    if find_spec("ale_py") is not None:
        ale = importlib.import_module("ale_py")
        ale.ALEInterface.setLoggerMode(ale.LoggerMode.Error)  # It greets on the terminal otherwise.
    return gym


def registered(spec: WorldSpec) -> Any:
    """Gymnasium's own EnvSpec of an id. Raises UnknownWorld, for old versions with the name of the new one."""
    gym = gymnasium()
    try:
        found = gym.spec(spec.id)
    except gym.error.DeprecatedEnv as error:
        newer = re.search(r"`([^`]+)` instead", str(error))
        better = f"; use {newer[1]}" if newer else f": {error}"
        raise UnknownWorld(f"{spec.id} is an old version that Gymnasium no longer makes{better}.") from error
    except (gym.error.Error, ModuleNotFoundError) as error:
        if missing := needed(spec.id):
            raise MissingPackage(spec.id, missing, COMMANDS[missing]) from error
        space, _, name = spec.id.rpartition("/")
        newest = _newest(space or None, name)
        hint = f"use {newest}." if newest else str(error).replace("`", "")
        raise UnknownWorld(f"Gymnasium knows no world {spec.id!r}: {hint}") from error
    return found


def needed(world: str) -> str | None:
    """The optional package that an id's name belongs to and that is not installed."""
    for start, package in (("ALE/", "ale_py"), ("MiniGrid-", "minigrid"), ("BabyAI-", "minigrid")):
        if world.startswith(start) and find_spec(package) is None:
            return package
    return None


def make(spec: WorldSpec, **more: Any) -> Any:
    """The bare environment of an installed id, which sets no step limit; the best way to see it is its render mode.

    more: keyword arguments in place of the spec's options. Raises UnknownWorld, MissingPackage, WorldFailed.
    """
    gym, found = gymnasium(), copy.deepcopy(registered(spec))
    found.order_enforce, found.max_episode_steps = False, None
    arguments = {"render_mode": render_mode(found), **found.kwargs, **spec.arguments(), **more}
    if arguments["render_mode"] is None:
        del arguments["render_mode"]
    try:
        return _unchecked(gym.make(found, disable_env_checker=True, **arguments))
    except (Exception, SystemExit) as error:
        wrong, newest = failure(spec, "could not be made", error), _newest(found.namespace, found.name)
        if isinstance(wrong, WorldFailed) and newest != spec.id:
            raise UnknownWorld(f"{wrong} Use {newest}.") from error
        raise wrong from error


def _newest(namespace: str | None, name: str) -> str | None:
    """The id of the newest version of a world, if there is any."""
    same = [found for found in gymnasium().registry.values() if (found.namespace, found.name) == (namespace, name)]
    return max(same, key=lambda found: found.version or 0).id if same else None


def _unchecked(env: Any) -> Any:
    """Takes a check of each action out of classic control, a quarter of a step of CartPole: whoever acts has made it."""
    from gymnasium.spaces import Discrete

    class Unchecked(Discrete):
        def contains(self, x: Any) -> bool:
            return True

    inner = env.unwrapped
    if type(inner).__module__.startswith("gymnasium.envs.classic_control") and type(inner.action_space) is Discrete:
        inner.action_space = Unchecked(inner.action_space.n, start=inner.action_space.start)
    return env


def render_mode(found: Any) -> str | None:
    """How an environment is best seen without a window of its own: "rgb_array", "ansi" or None."""
    from gymnasium.envs.registration import load_env_creator

    try:
        creator = found.entry_point if callable(found.entry_point) else load_env_creator(found.entry_point)
    except Exception:
        return None  # Making it tells what is wrong with it.
    metadata = getattr(creator, "metadata", None)
    modes = metadata.get("render_modes", ()) if isinstance(metadata, dict) else ()
    return next((mode for mode in ("rgb_array", "ansi") if mode in modes), None)


def failure(spec: WorldSpec, what: str, error: BaseException) -> RLError:
    """What to raise for an error of a world: MissingPackage where it lacks one, else WorldFailed with its traceback."""
    if isinstance(error, ImportError) or type(error).__name__ == "DependencyNotInstalled":
        command = re.search(r"`(pip install [^`]+)`", str(error))
        if package := _lacking(error) or (command and command[1].split()[-1].strip('"')):
            install = COMMANDS.get(package) or (command[1] if command else f"pip install {package}")
            return MissingPackage(spec.title, package, install)
    details = "".join(traceback.format_exception(error))
    return WorldFailed(f"{spec.title} {what}: {type(error).__name__}: {error}", details)


def _lacking(error: BaseException | None) -> str | None:
    """The package whose import failed at the root of an error."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            return error.name.split(".")[0]
        error = error.__cause__ or error.__context__
    return None
