"""What a person can do about a run that failed: changes to its request, each under a few words for a button."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio_plugins.inpaint.request import InpaintRequest

if TYPE_CHECKING:
    from studio.ml.diffusion.external.errors import Offer

Changes = Mapping[str, Any]
_FIELDS = {"offload": "offload", "tiling": "tiling", "dtype": "precision"}
"""Which field of a request holds what an offer of a public checkpoint would change."""


def changes_of(request: InpaintRequest, offers: Sequence[Offer], kind: str) -> list[tuple[str, Changes]]:
    """(words, changes to the request) of each offer that its fields can express; kind: that of the error."""
    found: list[tuple[str, Changes]] = []
    for offer in offers:
        changes = {_FIELDS[name]: value for name, value in offer.changes.items() if name in _FIELDS}
        if "seeds" in offer.changes:
            changes["batch"] = 1
        if changes and any(getattr(request, name) != value for name, value in changes.items()):
            found.append((offer.text, changes))
    if kind == "out_of_memory" and request.batch > 1 and not any("batch" in changes for _, changes in found):
        found.append((f"Draw {request.batch // 2} at once", {"batch": request.batch // 2}))
    return found
