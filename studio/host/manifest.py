"""plugin.toml: what a plugin offers, read without importing it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from studio.host.request_errors import explain

FILE_NAME = "plugin.toml"
ID_PATTERN = r"^[a-z][a-z0-9_]{0,39}$"
_MAX_BYTES = 1 << 18

Reference = Annotated[str, StringConstraints(pattern=r"^\.?[A-Za-z_][\w.]*:[A-Za-z_]\w*$", max_length=200)]
JobKind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.\-]{0,59}$")]


class ManifestError(ValueError):
    """A plugin.toml that cannot be used; the message names the line or key to correct."""


class Manifest(BaseModel):
    """What plugin.toml says.

    `entry`, `jobs` and `requests` are "module:name" with the module relative to the plugin's package ("panel:MyPanel").
    `requires` lists importable top-level modules that must be installed. `package`, `folder` and `source` are set by
    discovery and cannot be written in the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Annotated[str, StringConstraints(pattern=ID_PATTERN)] = Field(title="id")
    title: Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)]
    entry: Reference
    description: Annotated[str, StringConstraints(max_length=2000)] = ""
    icon: Annotated[str, StringConstraints(max_length=100)] = ""
    order: int = 1000
    version: Annotated[str, StringConstraints(min_length=1, max_length=40)] = "0.1"
    jobs: dict[JobKind, Reference] = Field(default_factory=dict)
    requests: dict[JobKind, Reference] = Field(default_factory=dict)
    requires: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*$", max_length=80)], ...] = ()
    help: Annotated[str, StringConstraints(max_length=100)] = "help.md"
    package: str = ""
    folder: Path = Path()
    source: Literal["installed", "user"] = "installed"

    @model_validator(mode="after")
    def _requests_have_jobs(self) -> Manifest:
        lonely = sorted(set(self.requests) ^ set(self.jobs))
        if lonely:
            raise ValueError(f"the kind “{lonely[0]}” must stand in both [jobs] and [requests]")
        return self

    @property
    def icon_path(self) -> Path | None:
        """The icon inside the plugin's folder, or None (then the name is looked up in the shared icons)."""
        path = self.folder / self.icon
        return path if self.icon and path.is_file() else None

    @property
    def help_path(self) -> Path | None:
        """The help page, or None when the plugin has none."""
        path = self.folder / self.help
        return path if self.help and path.is_file() else None


def read_manifest(folder: Path, package: str, source: Literal["installed", "user"] = "installed") -> Manifest:
    """Read `folder`/plugin.toml. Raises ManifestError."""
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ManifestError(f"There is no {FILE_NAME} in “{folder}”.") from error
    except OSError as error:
        raise ManifestError(f"“{path}” could not be read ({error.strerror or error}).") from error
    return parse_manifest(raw, folder=folder, package=package, source=source)


def parse_manifest(
    raw: bytes, *, folder: Path = Path(), package: str = "", source: Literal["installed", "user"] = "installed"
) -> Manifest:
    """Read plugin.toml from bytes. Raises ManifestError for anything that is not a good manifest."""
    if len(raw) > _MAX_BYTES:
        raise ManifestError(f"{FILE_NAME} is larger than {_MAX_BYTES // 1024} KiB; that cannot be right.")
    try:
        data = tomllib.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{FILE_NAME} is not valid TOML: {error}") from error
    reserved = {"package", "folder", "source"} & set(data)
    if reserved:
        raise ManifestError(f"{FILE_NAME}: “{sorted(reserved)[0]}” is set by the studio; remove it.")
    try:
        return Manifest.model_validate({**data, "folder": folder, "package": package, "source": source})
    except ValidationError as error:
        raise ManifestError(f"{FILE_NAME}: {explain(error, Manifest)}") from error


def valid_id(name: str) -> bool:
    """Whether `name` can be a plugin id: a small letter, then small letters, digits and underscores."""
    return re.match(ID_PATTERN, name) is not None
