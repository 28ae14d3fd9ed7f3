"""The standing of a contest: Elo scores with their intervals, and the tables that are exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.host.export import Table
from studio.ml.evaluation.elo import elo, wins_matrix
from studio_plugins.vote.votes import POINTS, Vote


@dataclass(frozen=True)
class Row:
    """A contestant: its score, the half width of the score's 95 % interval, and how its meetings ended."""

    contestant: str
    score: float
    half_width: float
    won: int
    tied: int
    lost: int

    @property
    def votes(self) -> int:
        return self.won + self.tied + self.lost


@dataclass(frozen=True)
class Standing:
    """The contestants, the best first. virtual_ties: as `studio.ml.evaluation.elo.Elo`."""

    rows: tuple[Row, ...]
    votes: int
    virtual_ties: float


def standing(contestants: Sequence[str], votes: Sequence[Vote]) -> Standing:
    """Scores of these contestants from these votes; all votes must be between them."""
    results = [(vote.left.contestant, vote.right.contestant, POINTS[vote.choice]) for vote in votes]
    found = elo(wins_matrix(contestants, results))
    rows = []
    for name, score, half in zip(contestants, found.scores, found.half_widths, strict=True):
        points = [p for a, _, p in results if a == name] + [1 - p for _, b, p in results if b == name]
        rows.append(Row(name, float(score), float(half), points.count(1), points.count(0.5), points.count(0)))
    return Standing(tuple(sorted(rows, key=lambda row: -row.score)), len(votes), found.virtual_ties)


def standing_table(found: Standing) -> Table:
    """One row a contestant."""
    rows = found.rows
    return Table(
        {
            "contestant": [row.contestant for row in rows],
            "elo": [row.score for row in rows],
            "interval_95_low": [row.score - row.half_width for row in rows],
            "interval_95_high": [row.score + row.half_width for row in rows],
            "won": [row.won for row in rows],
            "tied": [row.tied for row in rows],
            "lost": [row.lost for row in rows],
            "virtual_ties_per_pair": [found.virtual_ties for _ in rows],
        }
    )


def votes_table(votes: Sequence[Vote]) -> Table:
    """One row a vote, in order."""
    columns = {
        "time": [vote.time for vote in votes],
        "question": [vote.question for vote in votes],
        "setting": [vote.field for vote in votes],
        "left": [vote.left.contestant for vote in votes],
        "right": [vote.right.contestant for vote in votes],
        "choice": [vote.choice for vote in votes],
    }
    for name in ("left", "right"):
        columns[f"{name}_picture"] = [f"{getattr(vote, name).record}/{getattr(vote, name).file}" for vote in votes]
    return Table(columns)
