"""Time that passes without computing: a job that is slowed down on purpose holds up nobody else."""

from __future__ import annotations

from math import isfinite


class Wait:
    """`yield Wait(seconds)`: the job is not advanced before that time is over; its lane serves the others meanwhile.

    Cancel and pause work at once. Raises ValueError for a time that is negative or no number.
    """

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        if not (isfinite(seconds) and seconds >= 0):
            raise ValueError(f"A job waits for a number of seconds from 0 up, not {seconds}.")
        self.seconds = seconds
