"""How well an oracle reads: fresh rendered scenes against what they were rendered from."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studio.ml.data import scenes
from studio.ml.evaluation.judge import judge
from studio.ml.evaluation.metrics import wilson_interval
from studio.ml.evaluation.oracle import Oracle, as_tensor, load_oracle

SEED = 1000
_PARTS = ("nouns", "background", "relation", "size")


@dataclass(frozen=True, eq=False)
class Readings:
    """Of N scenes: pictures [N, H, W, 3], and which parts [N, 4] (nouns, background, relation, size) were read right."""

    pictures: NDArray[np.uint8]
    right: NDArray[np.bool_]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """[N]: scenes with any mistake."""
        return np.logical_not(self.right.all(axis=1))


def read_renders(oracle: Oracle, vocabulary: scenes.Vocabulary, count: int, seed: int = SEED) -> Readings:
    """Let the oracle read `count` fresh scenes, combinations held out from training the drawing models included."""
    rng = np.random.default_rng((seed, 2**40))
    drawn = [scenes.draw(rng, vocabulary, held=None) for _ in range(count)]
    pictures = np.stack([scenes.render(scene, oracle.config.pixels) for scene in drawn])
    device = next(oracle.parameters()).device
    readings = [r for part in as_tensor(pictures).split(256) for r in oracle.read(part.to(device))]
    verdicts = [judge(scene, reading) for scene, reading in zip(drawn, readings, strict=True)]
    return Readings(pictures, np.array([[getattr(v, part) for part in _PARTS] for v in verdicts]))


def report(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Markdown lines: share of scenes read without a mistake, and the shares of the single parts."""
    oracle = load_oracle(folder)
    found = read_renders(oracle, scenes.Vocabulary(oracle.config.nouns, oracle.config.backgrounds), options.count)
    yield "| fresh renders | no mistake | interval | nouns | background | relation | size |"
    yield "|---|---|---|---|---|---|---|"
    hits = options.count - int(found.wrong.sum())
    low, high = wilson_interval(hits, options.count)
    parts = " | ".join(f"{share:.2%}" for share in found.right.mean(axis=0))
    yield f"| {options.count} | **{hits / options.count:.2%}** | {low:.2%} to {high:.2%} | {parts} |"
