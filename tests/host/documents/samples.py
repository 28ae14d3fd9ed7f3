"""Documents to store: every kind of part, with pixels that compress badly and colours under full transparency."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from studio.host.documents.content import DocumentContent, LayerContent, Pixels, VersionContent


def noise(*shape: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def sample(width: int = 30, height: int = 20, seed: int = 0) -> DocumentContent:
    clear = noise(height, width, 4, seed=seed)
    clear[..., 3] = 0
    return DocumentContent(
        width,
        height,
        (
            LayerContent("Photo — 猫", noise(height, width, 4, seed=seed + 1)),
            LayerContent("", clear, visible=False, opacity=0.3),
        ),
        noise(height, width, 4, seed=seed + 2),
        noise(height, width, seed=seed + 3),
        (
            VersionContent("20261123-1", {"prompt": "a “cat”", "seed": 2**60}, noise(7, 5, 4, seed=seed + 4), True, True, "2026"),
            VersionContent("20261123-2", {}, None),
        ),
        {"mode": "refine", "strength": 0.1 + 0.2, "loras": ["a", None], "nested": {"deep": [1, [2.5]]}},
        {"zoom": 1.5, "centre": [3, 4], "tool": "brush"},
    )


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """The system refuses to make any file of this process larger than `size` bytes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
