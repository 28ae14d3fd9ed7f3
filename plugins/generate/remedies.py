"""What a person can do about a run that failed: other settings, each under a few words for a button."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.host.request import RequestError
from studio.models.external import offered_changes
from studio_plugins.generate.request import GenerateRequest

if TYPE_CHECKING:
    from studio.ml.diffusion.external.errors import Offer


def remedies(request: GenerateRequest, offers: Sequence[Offer], kind: str) -> list[tuple[str, GenerateRequest]]:
    """(words, request) of each offer of a public model that a request can express; kind: that of the error."""
    found: list[tuple[str, GenerateRequest]] = []
    for text, changes in offered_changes(offers):
        try:
            found.append((text, request.replace(**changes)))
        except RequestError:
            continue  # a size beyond what the panel takes
    if kind == "out_of_memory" and not offers and request.batch > 1:
        half = request.replace(batch=request.batch // 2)
        found.append((f"Draw {half.batch} at once", half))
    return found
