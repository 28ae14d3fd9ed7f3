"""What importing a panel will import, read from the sources before any of it runs: what makes Qt's types, and what does not.

PySide keeps all its types in one table, and Qt's painting reads that table without Python's lock. A class derived from
a widget, or one of Qt's own that is named for the first time, on any other thread than the GUI's may move the table under
a painting: the process is gone (one start in six hundred). So modules that make such types are imported on the GUI
thread, one by one, and all others apart from it, beforehand.

Where a source says less than it does (an import inside a function, a name made at run time), a module is merely imported
later, by the one that needs it, and on its thread. Of foreign packages only PySide and pyqtgraph are known to make types:
another one that does is imported apart.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path

_QT = ("PySide6", "shiboken6", "pyqtgraph")
_FIRST_DEFINITION = re.compile(r"^(?:@|class |def |async def )", re.MULTILINE)


@dataclass(frozen=True)
class ImportPlan:
    """Names of modules that are not imported yet, each after those it needs.

    apart: they make no types of Qt. here: they do, or need one that does.
    """

    apart: tuple[str, ...]
    here: tuple[str, ...]


def plan_imports(module: str, packages: Mapping[str, Sequence[str] | None]) -> ImportPlan:
    """The plan for one module. `packages` are the top packages to look into, with their folders (None: as installed).

    Of all other packages it is enough to know whether they are Qt's. What cannot be read needs nothing: its import will
    say what is wrong with it.
    """
    reader = _Reader(packages)
    reader.read(module)
    touching = reader.touching_qt()
    order = [name for name in reader.needed if name not in sys.modules]
    return ImportPlan(
        tuple(name for name in order if name not in touching), tuple(name for name in order if name in touching)
    )


class _Reader:
    def __init__(self, packages: Mapping[str, Sequence[str] | None]) -> None:
        self._packages = packages
        self._specs: dict[str, ModuleSpec | None] = {}
        self._open: set[str] = set()
        self.needed: dict[str, list[str]] = {}  # by module, in the order in which they would end their import

    def read(self, name: str) -> None:
        """Note what the import of a module needs, after all that it needs itself."""
        if name in self.needed or name in self._open:  # the second: a circle of imports
            return
        self._open.add(name)
        needed = list(self._needs(name)) if name.partition(".")[0] in self._packages else []
        for other in needed:
            self.read(other)
        self.needed[name] = needed

    def touching_qt(self) -> set[str]:
        """The modules noted whose import makes types of Qt."""
        touching = {name for name in self.needed if name.partition(".")[0] in _QT}
        while more := {name for name in self.needed.keys() - touching if not touching.isdisjoint(self.needed[name])}:
            touching |= more
        return touching

    def _needs(self, name: str) -> Iterator[str]:
        """The modules that a module of ours imports at its top, its own package first."""
        spec = self._find(name)
        if spec is None:
            return
        parent = name.rpartition(".")[0]
        if parent:
            yield parent
        if spec.origin is None or not spec.origin.endswith(".py"):
            return
        package = name if spec.submodule_search_locations is not None else parent
        for node in _top_imports(Path(spec.origin)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
                continue
            levels = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*levels, *([node.module] if node.module else [])])
            yield source
            yield from (inner for alias in node.names if self._find(inner := f"{source}.{alias.name}") is not None)

    def _find(self, name: str) -> ModuleSpec | None:
        """Where a module lies; unlike importlib's own, this does not import the packages above it."""
        if name not in self._specs:
            parent = name.rpartition(".")[0]
            folders = self._packages.get(name)
            if folders is not None:
                self._specs[name] = _package(name, folders)
            elif not parent:
                self._specs[name] = _ask(name, None)
            else:
                above = self._find(parent)
                inside = above.submodule_search_locations if above is not None else None
                self._specs[name] = _ask(name, inside) if inside is not None else None
        return self._specs[name]


def _ask(name: str, folders: Sequence[str] | None) -> ModuleSpec | None:
    specs = (finder.find_spec(name, folders) for finder in sys.meta_path)
    return next((spec for spec in specs if spec is not None), None)


def _package(name: str, folders: Sequence[str]) -> ModuleSpec:
    start = Path(folders[0], "__init__.py")
    spec = ModuleSpec(name, None, origin=str(start) if start.is_file() else None, is_package=True)
    spec.submodule_search_locations = list(folders)
    return spec


def _top_imports(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """The import statements of a file above its first class or function, outside of any block."""
    try:
        source = path.read_text(encoding="utf-8")
        head = _FIRST_DEFINITION.split(source, maxsplit=1)[0]
        body = _parsed(head) or _parsed(source)
    except (OSError, UnicodeDecodeError):
        return []
    return [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]


def _parsed(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError):  # ValueError: null bytes
        return []
