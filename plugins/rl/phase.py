"""Whether a learner collects or updates: shares of the last second and a word, so that neither flickers."""

from __future__ import annotations

from collections import deque
from typing import Literal

from studio.ml.rl.learner import Phase

SPAN, RECENT = 1.0, 0.35
"""Seconds over which shares are taken, and over which the present word is decided."""
_CLEAR = 0.8

Word = Literal["collect", "update", "both"]
WORDS: dict[Word, str] = {"collect": "collect", "update": "update", "both": "collect + update"}


class PhaseMeter:
    """Samples of the phase, each at a time in seconds that never runs backwards."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque()

    def note(self, phase: Phase, now: float, collect: float | None = None) -> None:
        """The phase seen now; collect: its exact share since the sample before, where that was counted."""
        share = collect if collect is not None else float(phase == "collect")
        self._samples.append((now, share))
        while self._samples[0][0] <= now - SPAN:
            self._samples.popleft()

    def clear(self) -> None:
        self._samples.clear()

    @property
    def share(self) -> float | None:
        """Share of collecting in the last second; None where nothing was seen."""
        return sum(share for _, share in self._samples) / len(self._samples) if self._samples else None

    @property
    def word(self) -> Word | None:
        """What it does now: one of the two where that is clear, else both in turn."""
        if not self._samples:
            return None
        newest = self._samples[-1][0]
        recent = [share for at, share in self._samples if at > newest - RECENT]
        mean = sum(recent) / len(recent)
        return "collect" if mean >= _CLEAR else "update" if mean <= 1 - _CLEAR else "both"
