"""Texts longer than a model can read, as windows that follow each other and overlap."""

from __future__ import annotations

from dataclasses import replace

from studio.ml.attention.errors import NotForThisModel, WrongInput
from studio.ml.attention.subject import Subject
from studio.ml.attention.values import Asked


def windows(subject: Subject, asked: Asked, overlap: float = 0.5) -> tuple[Asked, ...]:
    """The text in pieces that fit, each beginning `overlap` of a window before the last one ended; one piece where it
    fits.

    Each is read by itself: no token sees what lies outside of its window. Raises WrongInput for an empty text.
    """
    if not 0 <= overlap < 1:
        raise WrongInput(f"Windows overlap by a share from 0 to less than 1, not {overlap}.")
    reading = subject.whole(asked.text)
    places = [token for token in reading.tokens if token.end > token.start >= 0 and not token.special]
    room = subject.context - sum(token.special for token in reading.tokens) if subject.context is not None else len(
        places
    )
    if subject.context is None or len(reading) <= subject.context:
        return (asked,)
    if room < 1 or not places:
        raise NotForThisModel(
            "This tokenizer does not say where its tokens stand, so the text cannot be cut into windows."
        )
    step = max(1, int(room * (1 - overlap)))
    starts = list(range(0, max(1, len(places) - room), step)) + [len(places) - room]
    # A piece may have a few tokens more than its part of the whole had; its end is cut, and comes again in the next.
    return tuple(
        replace(
            asked, text=asked.text[places[start].start : places[min(start + room, len(places)) - 1].end], fit="start"
        ) for start in starts
    )
