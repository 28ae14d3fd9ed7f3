"""Votes on disk: one line of JSON each, appended and flushed before the next pair is shown, never rewritten."""

from __future__ import annotations

import errno
import json
import os
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from studio.host.atomic import FileUnwritable, fsync_folder

Choice = Literal["left", "right", "tie"]
POINTS: dict[Choice, float] = {"left": 1.0, "right": 0.0, "tie": 0.5}
"""What the left picture gets."""


class Side(BaseModel):
    """A picture as it was shown: whose it was, and where it is kept."""

    model_config = ConfigDict(frozen=True)

    contestant: str
    record: str
    file: str

    @property
    def key(self) -> tuple[str, str]:
        return self.record, self.file


class Vote(BaseModel):
    """One judgement; `id` names it for an undo."""

    model_config = ConfigDict(frozen=True)

    id: str
    time: str
    question: str
    field: str
    left: Side
    right: Side
    choice: Choice

    @classmethod
    def now(cls, question: str, name: str, left: Side, right: Side, choice: Choice) -> Vote:
        """A new vote."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        own = uuid.uuid4().hex[:12]
        return cls(id=own, time=time, question=question, field=name, left=left, right=right, choice=choice)


class _Undo(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    undo: str
    time: str


@dataclass(frozen=True)
class Ballots:
    """What a file of votes says: the votes that stand, in order; how many lines there are; how many cannot be read."""

    votes: tuple[Vote, ...] = ()
    lines: int = 0
    damaged: int = 0


def read_votes(path: Path) -> Ballots:
    """The votes in a file; none where there is no file. Lines that cannot be read (one cut off) are counted.

    Raises FileUnwritable where the file is there and cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return Ballots()
    except OSError as error:
        raise FileUnwritable(path, error) from error
    standing: dict[str, Vote] = {}
    damaged = 0
    for line in filter(bytes.strip, lines):
        try:
            entry = _entry(line)
        except (ValidationError, ValueError, RecursionError):
            damaged += 1
            continue
        if isinstance(entry, Vote):
            standing[entry.id] = entry
        else:
            standing.pop(entry.undo, None)
    return Ballots(tuple(standing.values()), len(lines), damaged)


def append_vote(path: Path, vote: Vote) -> None:
    """Add a vote; it is on the disk when this returns. Raises FileUnwritable, and the file is as it was."""
    _append(path, vote.model_dump(mode="json"))


def append_undo(path: Path, vote: Vote) -> None:
    """Take a vote back, by a line that says so. Raises FileUnwritable."""
    _append(path, {"undo": vote.id, "time": datetime.now(UTC).isoformat(timespec="milliseconds")})


def _entry(line: bytes) -> Vote | _Undo:
    data = json.loads(line)
    return _Undo.model_validate(data) if isinstance(data, dict) and "undo" in data else Vote.model_validate(data)


def _append(path: Path, data: dict[str, Any]) -> None:
    line = json.dumps(data, ensure_ascii=False).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
        try:
            end = os.lseek(descriptor, 0, os.SEEK_END)
            _write_whole(descriptor, line if _ends_a_line(descriptor, end) else b"\n" + line, end)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            fsync_folder(path.parent)
    except OSError as error:
        raise FileUnwritable(path, error) from error


def _ends_a_line(descriptor: int, end: int) -> bool:
    """Whether the file is empty or ends with a whole line; a line cut off must not swallow the next."""
    if end == 0:
        return True
    os.lseek(descriptor, end - 1, os.SEEK_SET)
    return os.read(descriptor, 1) == b"\n"


def _write_whole(descriptor: int, line: bytes, end: int) -> None:
    """Write the line; what a full disk took of it is cut off again."""
    if os.write(descriptor, line) != len(line):
        os.ftruncate(descriptor, end)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
