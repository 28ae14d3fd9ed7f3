"""A run as the controls hold it: its agent, its settings, and whose settings these were."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from studio.ml.rl.sb3.settings import SB3Settings, refuses
from studio_plugins.rl.offers import Described, Offer
from studio_plugins.rl.source_button import OWN


@dataclass(frozen=True)
class Base:
    """Where settings come from. words: whose they are; note: where the numbers are from.

    steps: their budget, or 0. offered: whether the studio chose them, so that in another world it may choose others.
    """

    words: str
    settings: Any
    note: str = ""
    steps: int = 0
    offered: bool = False


@dataclass(frozen=True)
class Chosen:
    """An agent with its settings; `base` is None where they came from elsewhere, such as the History."""

    agent: str
    settings: Any
    base: Base | None = None

    @property
    def words(self) -> str:
        """Whose settings these are."""
        if self.base is None:
            return "your own"
        return self.base.words if self.settings == self.base.settings else f"{self.base.words}, changed"

    @property
    def untouched(self) -> bool:
        """Whether these are still what the studio offered."""
        return self.base is not None and self.base.offered and self.settings == self.base.settings


def tuned_base(offer: Offer, world: str, settings: Any = None) -> Base | None:
    """Settings known to learn in a world of that title, or None; for the algorithm in `settings`, if it has one."""
    algorithm = getattr(settings, "algorithm", None)
    tuned = offer.tuned if algorithm is None else offer.tunings.get(algorithm)
    return None if tuned is None else Base(f"tuned for {world}", tuned.settings, tuned.note, tuned.steps, offered=True)


def own_base(offer: Offer, _world: str = "", settings: Any = None) -> Base:
    """What the agent begins with where nothing is known of the world; the algorithm in `settings` stays."""
    algorithm = getattr(settings, "algorithm", None)
    return Base(OWN, offer.own if algorithm is None else replace(offer.own, algorithm=algorithm), offered=True)


def begun(offer: Offer, world: str) -> Chosen:
    """An agent with the settings to begin with."""
    base = tuned_base(offer, world) or own_base(offer)
    return Chosen(offer.agent, base.settings, base)


def known(run: Chosen, offer: Offer, world: str) -> Chosen:
    """A run that came from elsewhere, with whose settings it has where these are known."""
    if run.base is not None:
        return run
    for base in (tuned_base(offer, world, run.settings), own_base(offer, world, run.settings)):
        if base is not None and base.settings == run.settings:
            return Chosen(run.agent, run.settings, base)
    return run


def refused(run: Chosen, described: Described) -> str:
    """Why an agent with these settings is not for a world, in words; else empty."""
    if why := described.offer(run.agent).refused:
        return why
    return unfit(run.settings, described)


def unfit(settings: Any, described: Described) -> str:
    """Why an algorithm of Stable-Baselines3 is not for a world's actions; else empty."""
    return refuses(settings.algorithm, described.description.actions) if isinstance(settings, SB3Settings) else ""
