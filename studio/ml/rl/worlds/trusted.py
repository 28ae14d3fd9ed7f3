"""Worlds from a Python file that the person trusts: they run in a process of their own, and only as long as the file stays as it was."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.ml.rl.errors import RLError
from studio.ml.rl.worlds.errors import FileChanged, UnknownWorld
from studio.ml.rl.worlds.making import failure
from studio.ml.rl.worlds.spec import FILE, WorldSpec

_DOOR = ("reset", "step", "observation_space", "action_space")


def trust(path: str | Path, name: str, options: Mapping[str, Any] | None = None) -> WorldSpec:
    """The world made by the class or factory `name` in a file as it is now. Runs nothing. Raises UnknownWorld."""
    if name not in offered(path):
        raise UnknownWorld(f"{path} has no class or function {name!r} at its top level.")
    digest = hashlib.sha256(_read(path)).hexdigest()
    return WorldSpec(FILE, tuple((options or {}).items()), path=str(path), name=name, sha256=digest)


def offered(path: str | Path) -> tuple[str, ...]:
    """Names of the public classes and functions of a file, likely worlds first. Runs nothing.

    Those are classes with `step` and `reset`, then names with "env", "make" or "world" in them.
    """
    try:
        tree = ast.parse(_read(path))
    except (SyntaxError, ValueError) as error:
        raise UnknownWorld(f"{path} is not a Python file that can be read: {error}.") from error
    functions = (ast.FunctionDef, ast.ClassDef)
    found = [node for node in tree.body if isinstance(node, functions) and not node.name.startswith("_")]
    return tuple(node.name for node in sorted(found, key=lambda node: (not _steps(node), not _sounds(node.name))))


def _sounds(name: str) -> bool:
    return any(word in name.lower() for word in ("env", "make", "world"))


def _steps(node: ast.AST) -> bool:
    inside = {part.name for part in getattr(node, "body", ()) if isinstance(part, ast.FunctionDef)}
    return isinstance(node, ast.ClassDef) and {"step", "reset"} <= inside


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UnknownWorld(f"The file {path} cannot be read: {error.strerror or error}.") from error


def load(spec: WorldSpec) -> Any:
    """Runs the file and makes its environment; belongs into a process of its own.

    Raises UnknownWorld, FileChanged, MissingPackage, WorldFailed.
    """
    source = _read(spec.path)
    if hashlib.sha256(source).hexdigest() != spec.sha256:
        raise FileChanged(f"{spec.path} has changed since it was trusted; look at it, and trust it anew to go on.")
    module = types.ModuleType(f"trusted_{Path(spec.path).stem}")
    module.__file__ = spec.path
    sys.modules[module.__name__] = module
    sys.path.insert(0, str(Path(spec.path).parent))
    try:
        exec(compile(source, spec.path, "exec"), module.__dict__)
        maker = getattr(module, spec.name, None)
        if not callable(maker):
            raise UnknownWorld(f"{spec.path} has no class or function {spec.name!r}.")
        env = maker(**{**_drawing(maker), **spec.arguments()})
    except RLError:
        raise
    except (Exception, SystemExit) as error:
        raise failure(spec, "could not be made", error) from error
    if lacking := [name for name in _DOOR if not hasattr(env, name)]:
        raise UnknownWorld(f"{spec.title} is no environment of Gymnasium: it lacks {', '.join(lacking)}.")
    return env


def _drawing(maker: Any) -> dict[str, str]:
    """The render mode to ask for, where the maker takes one and says which there are."""
    metadata = getattr(maker, "metadata", None)
    modes = metadata.get("render_modes", ()) if isinstance(metadata, dict) else ()
    best = next((mode for mode in ("rgb_array", "ansi") if mode in modes), None)
    return {"render_mode": best} if best and "render_mode" in inspect.signature(maker).parameters else {}
