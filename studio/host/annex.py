"""What jobs find in `ctx.services` in the studio's second process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.host.results import ResultsStore


def annex_services(results: Path) -> Mapping[str, Any]:
    """results: the root of the store, which both processes may write."""
    return {"results": ResultsStore(results)}
