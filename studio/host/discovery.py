"""Find plugins without importing them; import one part of one plugin when it is asked for."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
import types
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from studio.host.manifest import Manifest, ManifestError, read_manifest
from studio.host.request import Request

GROUP = "glassbox.panels"
USER_PREFIX = "_glassbox_user_plugin_"
Source = Literal["installed", "user"]


class PluginError(Exception):
    """A plugin that cannot be used. `plugin` is its id, `details` the traceback, the message for the panel's place."""

    def __init__(self, message: str, plugin: str = "", details: str = "") -> None:
        super().__init__(message)
        self.plugin = plugin
        self.details = details


@dataclass(frozen=True)
class Discovered:
    """A plugin found. With `error` it stays listed, greyed; `manifest` is None when plugin.toml itself is bad."""

    name: str
    manifest: Manifest | None
    error: str | None
    source: Source
    folder: Path | None = None
    disabled: bool = False

    @property
    def usable(self) -> bool:
        """Whether its panel can be opened."""
        return self.manifest is not None and self.error is None and not self.disabled


def discover(
    user_folder: Path | None = None,
    *,
    enabled: bool = False,
    disabled: Collection[str] = (),
    entry_points: Iterable[metadata.EntryPoint] | None = None,
) -> list[Discovered]:
    """All plugins: installed ones (entry points) and, if `enabled`, those in the user's folder; sorted by order, title.

    Nothing of a plugin is imported. `disabled` ids stay listed with `disabled` set. A second plugin with an id or a
    job kind that is taken stays listed with an error; the first one keeps it.
    """
    points = metadata.entry_points(group=GROUP) if entry_points is None else entry_points
    found = [_installed(point) for point in sorted(set(points), key=lambda p: (p.name, p.value))]
    if enabled and user_folder is not None:
        found += _user(user_folder)
    found = _without_clashes(found)
    found = [replace(f, disabled=True) if f.manifest and f.manifest.id in disabled else f for f in found]
    return sorted(found, key=lambda f: (f.manifest.order, f.manifest.title) if f.manifest else (sys.maxsize, f.name))


def _installed(point: metadata.EntryPoint) -> Discovered:
    """Read the manifest of an entry point `name = "package.sub"`, finding the folder through the top package only."""
    top, *rest = point.value.partition(":")[0].strip().split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError) as error:
        return Discovered(point.name, None, f"The package “{top}” cannot be found ({error}).", "installed")
    places = list(spec.submodule_search_locations or []) if spec else []
    folders = [Path(place, *rest) for place in places]
    folder = next((f for f in folders if f.is_dir()), None)
    if folder is None:
        text = f"The plugin “{point.name}” is registered as “{point.value}”, but that folder is missing. Reinstall it."
        return Discovered(point.name, None, text, "installed")
    return _read(point.name, folder, ".".join([top, *rest]), "installed")


def _user(user_folder: Path) -> list[Discovered]:
    try:
        folders = sorted(f for f in user_folder.iterdir() if f.is_dir() and not f.name.startswith((".", "_")))
    except FileNotFoundError:
        return []
    except OSError as error:
        text = f"The plugin folder “{user_folder}” cannot be read ({error.strerror or error})."
        return [Discovered(user_folder.name, None, text, "user", user_folder)]
    return [_read(folder.name, folder, "", "user") for folder in folders]


def _read(name: str, folder: Path, package: str, source: Source) -> Discovered:
    try:
        manifest = read_manifest(folder, package, source)
    except ManifestError as error:
        return Discovered(name, None, str(error), source, folder)
    if source == "user":
        manifest = manifest.model_copy(update={"package": USER_PREFIX + manifest.id})
    return Discovered(name, manifest, None, source, folder)


def _without_clashes(found: Sequence[Discovered]) -> list[Discovered]:
    ids: dict[str, str] = {}
    kinds: dict[str, str] = {}
    result = []
    for item in found:
        error = item.error
        if item.manifest and not error:
            taken = ids.get(item.manifest.id)
            clash = next((kind for kind in item.manifest.jobs if kind in kinds), None)
            if taken is not None:
                error = f"The id “{item.manifest.id}” already belongs to the plugin in “{taken}”. Change one of them."
            elif clash is not None:
                error = f"The job kind “{clash}” already belongs to “{kinds[clash]}”. Rename it in plugin.toml."
            else:
                ids[item.manifest.id] = str(item.folder)
                kinds.update(dict.fromkeys(item.manifest.jobs, item.manifest.id))
        result.append(replace(item, error=error))
    return result


def missing_requirements(manifest: Manifest) -> list[str]:
    """The modules of `requires` that are not installed; nothing is imported."""
    return [name for name in manifest.requires if importlib.util.find_spec(name) is None]


def load_panel(manifest: Manifest) -> type[Any]:
    """Import the plugin's panel class. Raises PluginError with the traceback of whatever went wrong."""
    panel = _load(manifest, manifest.entry, "panel")
    if not isinstance(panel, type):
        raise PluginError(f"“{manifest.entry}” is not a class. Correct `entry` in plugin.toml.", manifest.id)
    return panel


def load_request(kind: str, plugins: Sequence[Discovered] | None = None) -> type[Request]:
    """The Request class of a job kind. Raises PluginError."""
    manifest = _owner(kind, plugins)
    request = _load(manifest, manifest.requests[kind], "request")
    if not (isinstance(request, type) and issubclass(request, Request)):
        raise PluginError(f"“{manifest.requests[kind]}” is not a Request class. Correct plugin.toml.", manifest.id)
    if request.kind != kind:
        text = f"“{manifest.requests[kind]}” has the kind “{request.kind}”, plugin.toml says “{kind}”. Make them equal."
        raise PluginError(text, manifest.id)
    return request


def load_job(kind: str, plugins: Sequence[Discovered] | None = None) -> tuple[type[Request], Callable[..., Any]]:
    """(Request class, job function) of a job kind, for the command line and for replay. Raises PluginError."""
    request = load_request(kind, plugins)
    manifest = _owner(kind, plugins)
    job = _load(manifest, manifest.jobs[kind], "job")
    if not callable(job):
        raise PluginError(f"“{manifest.jobs[kind]}” is not a function. Correct plugin.toml.", manifest.id)
    return request, job


def module_of(manifest: Manifest, reference: str) -> str:
    """The full name of the module in a "module:name" of a plugin."""
    name = reference.lstrip(".").partition(":")[0]
    return name if f"{name}.".startswith(f"{manifest.package}.") else f"{manifest.package}.{name}"


def _owner(kind: str, plugins: Sequence[Discovered] | None) -> Manifest:
    candidates = discover() if plugins is None else plugins
    for item in candidates:
        if item.manifest and item.error is None and kind in item.manifest.jobs:
            return item.manifest
    known = sorted(k for item in candidates if item.manifest and item.error is None for k in item.manifest.jobs)
    text = f"No plugin offers “{kind}”. Known: {', '.join(known) or 'none'}. Is the plugin installed and enabled?"
    raise PluginError(text)


def _load(manifest: Manifest, reference: str, what: str) -> Any:
    """Import "module:name" of a plugin; everything that goes wrong becomes a PluginError."""
    missing = missing_requirements(manifest)
    if missing:
        text = f"“{manifest.title}” needs {', '.join(missing)}. Install: pip install {' '.join(missing)}"
        raise PluginError(text, manifest.id)
    try:
        if manifest.source == "user":
            _register_user_package(manifest)
        module = importlib.import_module(module_of(manifest, reference))
        return getattr(module, reference.partition(":")[2])
    except (Exception, SystemExit) as error:  # a plugin is foreign code: anything may come out of its import
        text = f"The {what} of “{manifest.title}” could not be loaded: {type(error).__name__}: {error}"
        raise PluginError(text, manifest.id, traceback.format_exc()) from error


def _register_user_package(manifest: Manifest) -> None:
    """Make the plugin's folder importable under a private package name, so that it can neither shadow an installed
    package nor be shadowed by one; sys.path stays as it is."""
    if manifest.package in sys.modules:
        return
    start = manifest.folder / "__init__.py"
    spec = importlib.util.spec_from_file_location(
        manifest.package, start, submodule_search_locations=[str(manifest.folder)]
    )
    if not start.is_file() or spec is None or spec.loader is None:
        package = types.ModuleType(manifest.package)
        package.__path__ = [str(manifest.folder)]
        sys.modules[manifest.package] = package
        return
    sys.modules[manifest.package] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[manifest.package]  # a half-initialised package must not look loaded at the next attempt
        raise
