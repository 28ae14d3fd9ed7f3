"""Does a picture show what was asked? Compares an oracle's reading with a scene, point by point."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from studio.ml.data.scenes import SIZES, Scene
from studio.ml.evaluation.oracle import Reading, Seen

_SMALL_BELOW = (SIZES["small"] + SIZES[""]) / 2
_LARGE_ABOVE = (SIZES[""] + SIZES["large"]) / 2


@dataclass(frozen=True)
class Verdict:
    """Which parts of the request the picture shows; parts that were not asked for count as shown."""

    nouns: bool
    background: bool
    relation: bool
    size: bool

    @property
    def all(self) -> bool:
        """True when everything that was asked for is there, and nothing else."""
        return self.nouns and self.background and self.relation and self.size


def judge(scene: Scene, reading: Reading) -> Verdict:
    """Nouns must match in kind and number; relation and size are judged only where the nouns do."""
    nouns = Counter(o.noun for o in reading.objects) == Counter(p.noun for p in scene.objects)
    relation = nouns and (scene.relation is None or _holds(scene, reading.objects))
    size = nouns and (scene.kind != "single" or _size(reading.objects[0]) == scene.size or scene.size == "")
    return Verdict(nouns, reading.background == scene.background, relation, size)


def _holds(scene: Scene, objects: tuple[Seen, ...]) -> bool:
    """Whether the first noun stands to the second as asked; the stated direction must be the larger distance."""
    by_noun = {o.noun: o for o in objects}
    first, second = (by_noun[p.noun] for p in scene.objects)
    dx, dy = second.x - first.x, second.y - first.y
    seen = ("left of" if dx > 0 else "right of") if abs(dx) > abs(dy) else ("above" if dy > 0 else "below")
    return seen == scene.relation


def _size(seen: Seen) -> str:
    return "small" if seen.side < _SMALL_BELOW else "large" if seen.side > _LARGE_ABOVE else ""
