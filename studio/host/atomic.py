"""Atomic file writing: a reader sees the old content or the new one, never half of it, even after a power cut."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FileUnwritable(Exception):
    """A file or folder cannot be written. The message says why and what to do."""

    def __init__(self, path: Path, error: OSError, hint: str = "") -> None:
        super().__init__(describe_os_error(path, error, hint))
        self.path = path
        self.errno = error.errno


def describe_os_error(path: Path, error: OSError, hint: str = "") -> str:
    """Why `path` could not be written and what a person can do about it; `hint` ends the sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = _free_text(path)
        text = f"The disk is full: “{path}” could not be written{free}. Free some space there"
    elif error.errno in (errno.EACCES, errno.EPERM):
        text = f"“{path}” could not be written: no permission. Change its permissions"
    elif error.errno == errno.EROFS:
        text = f"“{path}” could not be written: the disk is read-only. Remount it writable"
    elif error.errno in (errno.ENOENT, errno.ENOTDIR):
        text = f"“{path}” could not be written: its folder does not exist. Create the folder"
    elif error.errno == errno.ENAMETOOLONG:
        text = f"“{path.name[:40]}…” could not be written: the name is too long. Choose a shorter name"
    else:
        text = f"“{path}” could not be written ({error.strerror or error}). Check the disk"
    return f"{text}{' ' + hint if hint else ' or choose another place'}."


def _free_text(path: Path) -> str:
    for folder in (path, *path.parents):
        try:
            return f" ({shutil.disk_usage(folder).free / 2**20:.0f} MiB free)"
        except OSError:
            continue
    return ""


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the content of `path` by `data`, durably. Raises FileUnwritable; the old content then stays."""
    with replacing(path) as temporary:
        write_new(temporary, data)


def write_text(path: Path, text: str) -> None:
    """Replace the content of `path` by UTF-8 `text`, durably. Raises FileUnwritable."""
    write_bytes(path, text.encode("utf-8"))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` (same suffix); on success it is fsynced and renamed onto `path`.

    On any exception the temporary file is removed and `path` is left as it was. OSError becomes FileUnwritable.
    """
    temporary = path.with_name(f".{path.stem[:40]}-{uuid.uuid4().hex[:12]}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        fsync_file(temporary)
        os.replace(temporary, path)
        fsync_folder(path.parent)
    except OSError as error:
        raise FileUnwritable(path, error) from error
    finally:
        remove_quietly(temporary)


def write_new(path: Path, data: bytes, *, flush: bool = True) -> None:
    """Create `path` with `data` and, unless told otherwise, fsync it. Raises OSError (FileExistsError if it exists)."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        if flush:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_file(path: Path) -> None:
    """Flush a file to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR)  # Windows refuses to flush a read-only descriptor
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power cut; does nothing where folders cannot be opened."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_quietly(path: Path) -> None:
    """Remove a temporary file if it is there; a failure only leaves a file that the next clean-up takes."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
