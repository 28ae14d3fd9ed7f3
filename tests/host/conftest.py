"""Fixtures of the host's tests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder of the test's own, in memory where the system offers that: the store flushes each file to the disk, and
    on a busy disk those waits are nearly all of the time of these tests."""
    base = MEMORY if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="glassbox-test-", dir=base) as folder:
        yield Path(folder)
