"""What is read and written for a vote, off the window's thread: the pictures, the votes, the standing."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.export.tables import csv_text
from studio.host.imagemeta import ImageMetadataError, load_rgb, read_metadata
from studio.host.results import ResultRecord, ResultsStore
from studio_plugins.vote.contest import Contest, Pair
from studio_plugins.vote.entries import Entry, entry_of, fields
from studio_plugins.vote.request import VoteRequest
from studio_plugins.vote.standing import Standing, standing, standing_table, votes_table
from studio_plugins.vote.votes import Ballots, Vote, append_undo, append_vote, read_votes

Steps = Generator[Event | Offload, Any, Any]

MOST_PICTURES = 2000
"""The newest pictures that are looked at."""
_PAGE = 25


class NothingToCount(ValueError):
    """A standing without contestants or votes; the message says what is missing."""


@dataclass(frozen=True)
class Survey:
    """The pictures of the store that carry settings, newest first, and in which settings they differ."""

    entries: tuple[Entry, ...]
    fields: tuple[str, ...] = ()
    more: bool = False


@dataclass(frozen=True)
class Ask:
    """The next pair of a contest, after a vote or an undo. `votes` is the file; `cast` and `undo` are written first.

    contest: that of `request` among `entries`, where it was made before.
    """

    request: VoteRequest
    entries: tuple[Entry, ...]
    votes: Path
    contest: Contest | None = None
    cast: Vote | None = None
    undo: Vote | None = None
    again: Pair | None = None


@dataclass(frozen=True)
class Round:
    """A pair with its pixels, uint8 [H, W, 3] each; no pair when all were judged. `ballots` is what the file says now.

    gone: why a picture of the pair cannot be read any more, "" where both are here.
    """

    contest: Contest
    ballots: Ballots
    left_over: int
    pair: Pair | None = None
    left: NDArray[np.uint8] | None = None
    right: NDArray[np.uint8] | None = None
    gone: str = ""


def survey(_request: None, ctx: JobContext) -> Steps:
    """Look through the results store. Returns a Survey; pictures that cannot be read are left out."""
    store: ResultsStore = ctx.services["results"]
    entries: list[Entry] = []
    total, offset = store.count(), 0
    while offset < total and len(entries) < MOST_PICTURES:
        for record in store.records(limit=_PAGE, offset=offset):
            entries += _pictures(record)
        offset += _PAGE
        yield Progress(min(offset, total), total, "looking through the results")
    more = offset < total or len(entries) > MOST_PICTURES
    return Survey(tuple(entries[:MOST_PICTURES]), tuple(fields(entries[:MOST_PICTURES])), more)


def _pictures(record: ResultRecord) -> list[Entry]:
    found = []
    for name, path in record.files.items():
        if name.lower().endswith(".png"):
            try:
                entry = entry_of(record.id, path, read_metadata(path))
            except (ImageMetadataError, OSError):
                continue  # damaged or removed meanwhile: it cannot be shown, so it cannot be judged
            if entry is not None:
                found.append(entry)
    return found


def ask(request: Ask, ctx: JobContext) -> Steps:
    """Write the vote or undo, then find and read the next pair. Returns a Round; raises FileUnwritable."""
    if request.cast is not None:
        append_vote(request.votes, request.cast)
    if request.undo is not None:
        append_undo(request.votes, request.undo)
    contest = request.contest or Contest(request.request, request.entries)
    yield Progress(1, 2, "the next pair")
    ballots = read_votes(request.votes)
    pair = request.again or contest.next(ballots.votes, ballots.lines)
    left_over = contest.left_over(ballots.votes)
    if pair is None:
        return Round(contest, ballots, left_over)
    try:
        return Round(contest, ballots, left_over, pair, load_rgb(pair.left.path), load_rgb(pair.right.path))
    except (ImageMetadataError, OSError) as error:
        return Round(contest, ballots, left_over, gone=f"A picture of the next pair cannot be read any more: {error}")


def tally(shown: Round, ctx: JobContext) -> Steps:
    """The standing of a contest, not kept. Returns a Standing."""
    yield Progress(0, 1, "counting")
    return counted(shown.contest, shown.ballots)[0]


def keep_standing(request: VoteRequest, ctx: JobContext) -> Steps:
    """Keep the standing and its votes as a result. Returns the result's id; raises NothingToCount, FileUnwritable."""
    if not request.votes:
        raise NothingToCount("A standing needs the file of votes: give its path as “votes”.")
    found: Survey = yield from survey(None, ctx)
    contest = Contest(request, found.entries)
    result, votes = counted(contest, read_votes(Path(request.votes)))
    if not votes:
        raise NothingToCount("There is no vote between these contestants yet.")
    files = {
        "standing.csv": csv_text(standing_table(result)).encode(),
        "votes.csv": csv_text(votes_table(votes)).encode(),
    }
    title = f"{' > '.join(row.contestant for row in result.rows)} ({len(votes)} votes)"
    metrics = {row.contestant: round(row.score, 1) for row in result.rows}
    record = yield Offload(ctx.services["results"].add, request.kind, request, files, title=title, metrics=metrics)
    return record.id


def counted(contest: Contest, ballots: Ballots) -> tuple[Standing, list[Vote]]:
    """The standing of a contest and the votes it counts. A contestant may have votes although its pictures are gone."""
    votes = [vote for vote in ballots.votes if contest.counts(vote)]
    return standing(contest.contestants, votes), votes
