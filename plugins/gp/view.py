"""What is drawn of a belief: bands, samples, prior. It changes no number, so it is no part of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

MOST_SAMPLES, WIDEST = 20, 5.0


@dataclass(frozen=True)
class View:
    """`band`: half the width of the outer band in standard deviations (0: none); `inner`: whether the 1σ band shows
    inside a wider one; `samples`: how many functions are drawn, from `seed`; `moving`: whether they wander through
    sample space; `noisy`: whether the band holds new observations (f + noise) rather than f; `loo`: whether it shows what all other
    points predict of each."""

    band: float = 2.0
    inner: bool = True
    samples: int = 0
    seed: int = 0
    moving: bool = False
    prior: bool = False
    noisy: bool = False
    loo: bool = False

    @property
    def multiples(self) -> tuple[float, ...]:
        """Half-widths of the bands, the outer one first."""
        if self.band <= 0:
            return ()
        return (self.band, 1.0) if self.inner and self.band > 1 else (self.band,)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, stored: Any) -> View:
        """What `to_dict` gave; anything malformed is as usual."""
        usual = asdict(cls())
        if not isinstance(stored, Mapping):
            return cls()
        kept = {
            field.name: stored[field.name]
            for field in fields(cls)
            if type(stored.get(field.name)) in (type(usual[field.name]), int)
        }
        made = cls(**{**usual, **kept})
        within = 0 <= made.band <= WIDEST and 0 <= made.samples <= MOST_SAMPLES and made.seed >= 0
        return made if within else cls()
