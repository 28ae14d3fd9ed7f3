"""Elo scores from pairwise votes, by maximum likelihood (Nichol et al. 2021, arXiv 2112.10741, app. A.1).

With A_ij the number of times i was preferred to j, the scores minimise

    L(sigma) = sum_ij A_ij log(1 + 10^((sigma_j - sigma_i) / 400)),

the negative log-likelihood of Bradley & Terry's model (1952), P(i beats j) = 1 / (1 + 10^((sigma_j - sigma_i) / 400)).
Only differences count; here the scores' mean is `MEAN`. A tie counts as half a win each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MEAN = 1000.0
PER_POINT = math.log(10) / 400
"""k in P = 1 / (1 + exp(-k (sigma_i - sigma_j)))."""
_TOLERANCE = 1e-9
_MOST_STEPS = 200


@dataclass(frozen=True)
class Elo:
    """Scores [N] of mean MEAN, and the half widths [N] of their 95 % intervals (inverse Fisher information).

    virtual_ties: what was added to every pair because the votes alone put no bound on the scores; 0 where they do.
    """

    scores: Floats
    half_widths: Floats
    virtual_ties: float = 0.0


def wins_matrix(contestants: Sequence[str], votes: Iterable[tuple[str, str, float]]) -> Floats:
    """A [N, N] from votes (a, b, points of a: 1 won, 0.5 tie, 0 lost). Raises ValueError for other points."""
    index = {name: i for i, name in enumerate(contestants)}
    wins = np.zeros((len(contestants), len(contestants)))
    for a, b, points in votes:
        if points not in (0, 0.5, 1):
            raise ValueError(f"a vote gives 1, 0.5 or 0 points, not {points}")
        wins[index[a], index[b]] += points
        wins[index[b], index[a]] += 1 - points
    return wins


def elo(wins: Floats) -> Elo:
    """The maximum-likelihood scores of A [N, N].

    Where some contestants never lost a point to some others, the likelihood has no maximum (Ford 1957): the scores
    would run away. One virtual tie is then added to every pair, and the result says so. Raises ValueError unless A is
    square, finite and not negative.
    """
    wins = np.asarray(wins, dtype=np.float64)
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or not np.isfinite(wins).all() or (wins < 0).any():
        raise ValueError("wins must be a square matrix of counts: wins[i, j] is how often i beat j")
    wins = wins * (1 - np.eye(len(wins)))
    ties = 0.0 if bounded(wins) else 1.0
    wins = wins + ties / 2 * (1 - np.eye(len(wins)))
    scores = _maximum(wins)
    covariance = _inverse(_information(scores, wins))
    return Elo(MEAN + scores, 1.96 * np.sqrt(np.diag(covariance)), ties)


def bounded(wins: Floats) -> bool:
    """Whether the likelihood has a maximum: everyone is reached from everyone along "beat" (strongly connected)."""
    reach = (wins > 0) | np.eye(len(wins), dtype=np.bool_)
    for _ in range(max(1, len(wins)).bit_length()):
        reach = (reach.astype(np.float64) @ reach) > 0
    return bool(reach.all())


def probability(scores: Floats) -> Floats:
    """P [N, N] that i beats j."""
    difference = np.subtract.outer(scores, scores)
    return 0.5 * (1 + np.tanh(PER_POINT / 2 * difference))


def negative_log_likelihood(scores: Floats, wins: Floats) -> float:
    """L(sigma)."""
    difference = np.subtract.outer(scores, scores)
    return float((wins * np.logaddexp(0, -PER_POINT * difference)).sum())


def _maximum(wins: Floats) -> Floats:
    """Newton's method on the convex L, with steps halved while they do not descend; scores of mean 0."""
    scores = np.zeros(len(wins))
    value = negative_log_likelihood(scores, wins)
    for _ in range(_MOST_STEPS):
        upset = wins.T * probability(scores)  # A_ji P_ij: i lost although it was expected to win
        gradient = PER_POINT * (upset - upset.T).sum(axis=1)
        step = _inverse(_information(scores, wins)) @ gradient
        if np.abs(step).max(initial=0.0) < _TOLERANCE:
            break
        size = 1.0
        while size > 1e-6 and (lower := negative_log_likelihood(scores - size * step, wins)) > value:
            size /= 2
        scores, value = scores - size * step, lower
    return scores - scores.mean() if len(scores) else scores


def _information(scores: Floats, wins: Floats) -> Floats:
    """Fisher information [N, N]: the Laplacian of k^2 n_ij P_ij (1 - P_ij), n_ij votes between i and j."""
    chance = probability(scores)
    weights = PER_POINT**2 * (wins + wins.T) * chance * (1 - chance)
    information: Floats = np.diag(weights.sum(axis=1)) - weights
    return information


def _inverse(laplacian: Floats) -> Floats:
    """Pseudo-inverse [N, N] of a connected graph's Laplacian; its null space is known: all scores moved alike."""
    n = len(laplacian)
    constant = np.full((n, n), 1 / n) if n else np.zeros((0, 0))
    size = float(np.trace(laplacian)) / n if n > 1 else 1.0
    inverse: Floats = np.linalg.inv(laplacian + size * constant) - constant / size
    return inverse
