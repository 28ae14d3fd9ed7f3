"""Write requirements.lock from the virtual environment this runs in: `.venv/bin/python packaging/lock.py [--check]`.

The lock is a pip constraints file: it pins the exact version of everything the project needs, directly or not, to run and to be
tested. Which of it gets installed is decided by pyproject.toml (`pip install -c requirements.lock -e .` or `-e .[test]`), so one
file serves both. Packages that only another platform or another build of torch needs are not in the environment and so not in the
lock; a CUDA build of torch pins its own CUDA packages exactly.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
PROJECT = "glassbox-studio"
BUILD_BACKEND = "setuptools"
HEADER = """\
# Exact versions of everything Glassbox Studio needs to run and to be tested: a pip constraints file.
# Used by bootstrap.py: pip install -c requirements.lock -e .         (to run)
#                       pip install -c requirements.lock -e .[test]   (to test)
# Written by packaging/lock.py; do not edit by hand.
"""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(name: str, extras: frozenset[str], seen: dict[str, set[str]]) -> None:
    """Add `name` and whatever it requires here to `seen` (name -> extras already followed)."""
    fresh = (extras | {""}) - seen.setdefault(canonical(name), set())
    seen[canonical(name)] |= fresh
    for text in (distribution(name).requires or []) if fresh else []:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in fresh):
            needed(requirement.name, frozenset(requirement.extras), seen)


def pins() -> Iterator[str]:
    """`name==version` of the whole closure, sorted; raises PackageNotFoundError when the environment lacks a part of it."""
    seen: dict[str, set[str]] = {}
    needed(PROJECT, frozenset({"test"}), seen)
    needed(BUILD_BACKEND, frozenset(), seen)
    for name in sorted(set(seen) - {PROJECT}):
        # torch calls itself 2.13.0+cpu or +cu130; the lock must fit every build of that version.
        yield f"{name}=={Version(distribution(name).version).public}"


def main(arguments: list[str]) -> int:
    try:
        text = HEADER + "\n".join(pins()) + "\n"
    except PackageNotFoundError as error:
        print(f"{error.name} is required but not installed; run: python3 bootstrap.py test", file=sys.stderr)
        return 1
    if arguments == ["--check"]:
        current = LOCK.read_text(encoding="utf-8") if LOCK.exists() else ""
        different = sorted(set(text.splitlines()) ^ set(current.splitlines()))
        print("\n".join(["requirements.lock is not what the environment holds:", *different] if different else ["requirements.lock is right"]))
        return 1 if different else 0
    LOCK.write_text(text, encoding="utf-8")
    print(f"{LOCK}: {len(text.splitlines()) - len(HEADER.splitlines())} pins")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
