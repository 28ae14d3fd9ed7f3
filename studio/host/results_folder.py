"""One result = one folder: record.json, the files, an optional thumbnail, and state.json for star and trash.

A record folder is complete from the moment it exists: it is built under `tmp/`, flushed, and renamed into `records/`.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studio.host.atomic import fsync_file, fsync_folder, write_bytes, write_new
from studio.host.processes import is_running, process_mark

RECORD = "record.json"
STATE = "state.json"
SCHEMA = 1
Content = bytes | Path | Callable[[Path], object]
_RESERVED = {RECORD, STATE}
_NAME = re.compile(r"^(?!\.)[^/\\:*?\"<>|\x00-\x1f]{1,120}(?<![. ])$")
_ID = re.compile(r"^\d{8}-\d{6}-\d{6}-[0-9a-f]{8}$")
_MAX_JSON = 32 << 20


class BadRecord(ValueError):
    """A record folder that is not a complete result."""


@dataclass(frozen=True)
class ResultRecord:
    """A result on disk. `created` is ISO 8601 in UTC; `files` maps name → path; `folder` holds everything."""

    id: str
    kind: str
    title: str
    created: str
    request: dict[str, Any]
    folder: Path
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    thumbnail: Path | None = None
    starred: bool = False
    trashed: bool = False


def new_id(now: datetime | None = None) -> str:
    """A fresh id that sorts by time of creation (UTC)."""
    return f"{(now or datetime.now(UTC)):%Y%m%d-%H%M%S-%f}-{uuid.uuid4().hex[:8]}"


def is_id(name: str) -> bool:
    """Whether a folder name is a record id (and so no path trick either)."""
    return _ID.match(name) is not None


def plain_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """`data` as it will be read back: tuples become lists, numpy scalars numbers. Raises ValueError otherwise."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(data, default=_plain_value))
    except (TypeError, RecursionError) as error:
        raise ValueError(f"these data cannot be kept as JSON: {error}") from error
    return plain


def _plain_value(value: Any) -> Any:
    if hasattr(value, "tolist"):  # numpy and torch scalars and arrays, without importing either
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def check_names(files: Mapping[str, Content]) -> None:
    """Raise ValueError for a file name that cannot be kept on every system."""
    seen: set[str] = set()
    for name in files:
        if not _NAME.match(name) or name.casefold() in _RESERVED | seen:
            raise ValueError(f"“{name}” cannot be the name of a result file")
        seen.add(name.casefold())


def write_record(
    folder: Path, record: Mapping[str, Any], files: Mapping[str, Content], thumbnail: bytes | None
) -> None:
    """Fill `folder` (which must not exist) and flush it to the disk. Raises OSError.

    record.json names every file with size and sha256, so that completeness can be checked. Everything is written
    before anything is flushed: the first flush then takes most of the rest along.
    """
    folder.mkdir(parents=True)
    listed = {name: _write_file(folder / name, content) for name, content in files.items()}
    data = {**record, "files": listed, "thumbnail": None}
    if thumbnail is not None:
        name = _thumbnail_name(thumbnail, set(listed))
        write_new(folder / name, thumbnail, flush=False)
        data["thumbnail"] = name
    text = json.dumps(data, ensure_ascii=False, indent=1)
    write_new(folder / RECORD, text.encode("utf-8", "surrogatepass"), flush=False)
    for path in folder.iterdir():
        fsync_file(path)
    fsync_folder(folder)


def _write_file(path: Path, content: Content) -> dict[str, Any]:
    if isinstance(content, bytes):
        write_new(path, content, flush=False)
        return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    if isinstance(content, Path):
        if not content.is_file():
            raise ValueError(f"“{content}” is no file that could be kept")
        shutil.copyfile(content, path)
    else:
        content(path)
    if not path.is_file():
        raise ValueError(f"the writer of “{path.name}” made no file")
    return {"size": path.stat().st_size, "sha256": sha256_of(path)}


def sha256_of(path: Path) -> str:
    """sha256 (hex) of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _thumbnail_name(data: bytes, taken: set[str]) -> str:
    suffix = "png" if data.startswith(b"\x89PNG") else "webp" if data[8:12] == b"WEBP" else "jpg"
    name = f"thumbnail.{suffix}"
    return name if name not in taken else f"thumbnail-{uuid.uuid4().hex[:8]}.{suffix}"


def read_record(folder: Path, *, verify: bool = False) -> tuple[dict[str, Any], bool, bool]:
    """Read a record folder: (record.json, starred, trashed). Raises BadRecord when something is missing.

    Sizes are always compared; with `verify` the sha256 sums too.
    """
    data = _read_json(folder / RECORD)
    files = data.get("files")
    texts = (data.get("id"), data.get("kind"), data.get("title"), data.get("created"))
    maps = (files, data.get("request"), data.get("provenance"), data.get("metrics"))
    if not all(isinstance(t, str) for t in texts) or not all(isinstance(m, dict) for m in maps):
        raise BadRecord(f"{RECORD} lacks fields")
    if data["id"] != folder.name:
        raise BadRecord(f"{RECORD} belongs to {str(data['id'])[:80]}")
    assert isinstance(files, dict)
    for name, facts in files.items():
        if not _NAME.match(name) or not isinstance(facts, dict):
            raise BadRecord(f"{RECORD} names an impossible file")
        _check_file(folder / name, facts, verify)
    thumbnail = data.get("thumbnail")
    if thumbnail is not None and not (isinstance(thumbnail, str) and _NAME.match(thumbnail)):
        raise BadRecord(f"{RECORD} names an impossible thumbnail")
    starred, trashed = read_state(folder)
    return data, starred, trashed


def _check_file(path: Path, facts: Mapping[str, Any], verify: bool) -> None:
    try:
        if path.stat().st_size != facts.get("size"):
            raise BadRecord(f"“{path.name}” has not its recorded size")
        if verify and sha256_of(path) != facts.get("sha256"):
            raise BadRecord(f"“{path.name}” has changed since it was saved")
    except OSError as error:
        raise BadRecord(f"“{path.name}” is missing ({error.strerror or error})") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_JSON + 1)
        if len(raw) > _MAX_JSON:
            raise BadRecord(f"{path.name} is too large")
        data = json.loads(raw)
    except (OSError, ValueError, RecursionError) as error:
        raise BadRecord(f"{path.name} cannot be read ({error})") from error
    if not isinstance(data, dict):
        raise BadRecord(f"{path.name} is not an object")
    return data


def read_state(folder: Path) -> tuple[bool, bool]:
    """(starred, trashed) of a record folder; a missing or unreadable state.json means neither."""
    try:
        state = _read_json(folder / STATE)
    except BadRecord:
        return False, False
    return state.get("starred") is True, state.get("trashed") is True


def write_state(folder: Path, *, starred: bool, trashed: bool) -> None:
    """Replace state.json atomically. Raises FileUnwritable."""
    write_bytes(folder / STATE, json.dumps({"starred": starred, "trashed": trashed}).encode())


def record_of(data: Mapping[str, Any], folder: Path, starred: bool, trashed: bool) -> ResultRecord:
    """The ResultRecord of a record.json that was read before."""
    thumbnail = data.get("thumbnail")
    return ResultRecord(
        id=data["id"], kind=data["kind"], title=data["title"], created=data["created"], request=data["request"],
        folder=folder, provenance=data["provenance"], metrics=data["metrics"],
        files={name: folder / name for name in data["files"]}, thumbnail=folder / thumbnail if thumbnail else None,
        starred=starred, trashed=trashed,
    )  # fmt: skip


def search_text(data: Mapping[str, Any]) -> str:
    """What a search looks at: title, kind, and every text in the request (the prompt above all), case-folded."""
    texts = [data["title"], data["kind"]]
    pending: list[Any] = [data["request"]]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, dict):
            pending.extend(reversed(value.values()))
        elif isinstance(value, list):
            pending.extend(reversed(value))
    return "\n".join(texts).casefold()


def temporary_name(record_id: str) -> str:
    """Name of a temporary folder that says which process makes it."""
    return f"{record_id}.{process_mark()}"


def is_abandoned(name: str) -> bool:
    """Whether the process that made this temporary folder is gone."""
    return not is_running(name.partition(".")[2])
