"""Where the files that ship with the studio are, in a checkout and in an installed wheel alike."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def resource(*parts: str) -> Path:
    """Path of a bundled file or folder below `resources/`, e.g. `resource("models", "emoji-base")`.

    Raises FileNotFoundError when the installation lacks it.
    """
    spec = find_spec("studio_resources")
    roots = list(spec.submodule_search_locations or []) if spec else []
    for root in roots:
        path = Path(root).joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"the installation lacks resources/{'/'.join(parts)}; install Glassbox Studio again")
