"""Which models are offered: bundled ones, transformers folders of the library, and folders a person opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from studio.models.catalog import TRANSFORMERS, find_models
from studio_plugins.attention.quick import takes_of
from studio_plugins.attention.request import FIRST
from studio_plugins.attention.results import Opened

KINDS = ("causal", "encoder-decoder", "vision")
_ABILITIES = ("causal", "encoder-decoder", "vision", "encoder", "clip")
TEXTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "emoji-captions": (
            "i see a panda, a butterfly, a house, a rocket. again: a panda, a butterfly, a",
            "first, a cat left of a red apple on a blue background. what is right of the cat?",
            "a large sunflower on a green background. the sunflower is",
        ),
        "emoji-paraphrase": (
            "a cat left of a red apple on a blue background.",
            "a large house on a green background. a rocket above a robot on purple.",
        ),
        "causal": (
            "When Mary and John went to the store, John gave a drink to",
            "The cat sat on the mat. The cat sat on the",
        ),
        "encoder-decoder": ("The house is wonderful and the garden is old.",),
        "encoder": ("The animal did not cross the street because it was too tired.",),
    }
)
PICTURES: Mapping[str, str] = MappingProxyType(
    {
        "emoji:cat:blue": "A cat on blue", "emoji:red apple:white": "A red apple on white",
        "emoji:rocket:black": "A rocket on black", "emoji:sunflower:purple": "A sunflower on purple",
    }
)  # fmt: skip
CAPTIONS = "a cat\na dog\na red apple\na rocket"


@dataclass(frozen=True)
class Offer:
    """A model that can be chosen."""

    id: str
    title: str
    takes: tuple[str, ...]
    kind: str

    @property
    def texts(self) -> tuple[str, ...]:
        """Examples it can read."""
        return TEXTS.get(self.id, TEXTS.get(self.kind, ()))


def offers(opened: Sequence[Opened] = ()) -> list[Offer]:
    """Everything there is, the bundled ones first. Reads small files of the data folder only."""
    found, _problems = find_models(kinds=(*KINDS, TRANSFORMERS))
    own = [Offer(info.id, info.title, takes_of(info.kind), info.kind) for info in found if info.kind in KINDS]
    own.sort(key=lambda offer: (offer.id != FIRST, KINDS.index(offer.kind)))
    public = []
    for info in found:
        kind = next((ability for ability in _ABILITIES if ability in info.abilities), "")
        if info.kind == TRANSFORMERS and kind:
            public.append(Offer(info.id, info.title, takes_of(kind), kind))
    known = {offer.id for offer in (*own, *public)}
    mine = [Offer(o.place, f"{o.title} ({Path(o.place).parent.name})", o.takes, o.kind) for o in opened if o.place not in known]
    return own + public + mine
