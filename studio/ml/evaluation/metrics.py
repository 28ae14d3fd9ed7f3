"""Figures of merit for sets of pictures: shares with their intervals, Frechet distance, diversity."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]


def wilson_interval(hits: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Confidence interval of a share (Wilson 1927); 95 % by default. Raises ValueError without trials."""
    if trials < 1 or not 0 <= hits <= trials:
        raise ValueError(f"{hits} hits in {trials} trials is no share")
    p = hits / trials
    centre = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    return centre - half, centre + half


def frechet_distance(a: Features, b: Features) -> float:
    """|mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)) of two sets of features [N, F] (Heusel et al. 2017, eq. 6).

    The trace of the square root is the sum of the square roots of the eigenvalues of S_a^(1/2) S_b S_a^(1/2).
    """
    cov_a, cov_b = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0, None)).sum()
    gap = a.mean(axis=0) - b.mean(axis=0)
    return float(gap @ gap + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)


def diversity(groups: Features) -> float:
    """Mean Euclidean distance between pictures of the same prompt: groups [P, K, F] -> mean over prompts and pairs."""
    count = groups.shape[1]
    if count < 2:
        raise ValueError("diversity needs at least two pictures a prompt")
    distances = np.linalg.norm(groups[:, :, None] - groups[:, None, :], axis=-1)
    return float(distances.sum(axis=(1, 2)).mean() / (count * (count - 1)))
