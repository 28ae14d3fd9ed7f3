"""Endless captioned emoji scenes: what they may show, how they are drawn, how they are described.

A `Scene` is pure data; `draw` makes it, `render` paints it, `studio.ml.data.captions` words it. A fixed tenth of all
combinations (noun with background; noun, relation, noun) is held out: training never draws them, evaluation asks for them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from studio.ml.data.nouns import BACKGROUNDS, NOUNS
from studio.ml.data.sprites import sprite

Kind = Literal["single", "count", "pair", "relation", "trio"]
Relation = Literal["left of", "right of", "above", "below"]
RELATIONS: tuple[Relation, ...] = ("left of", "right of", "above", "below")
SIZES: dict[str, float] = {"small": 0.34, "": 0.56, "large": 0.82}
"""Share of the picture's side that a lone object takes; "" is the size nobody mentions."""
_SHARE: dict[Kind, float] = {"single": 0.0, "count": 0.40, "pair": 0.42, "relation": 0.42, "trio": 0.38}
_JITTER = 0.08
HELD_OUT_ONE_IN = 10


@dataclass(frozen=True)
class Placed:
    """One object: its noun, centre and side as shares of the picture's side."""

    noun: str
    x: float
    y: float
    side: float


@dataclass(frozen=True)
class Scene:
    """Everything that determines the picture and what may be said of it."""

    kind: Kind
    objects: tuple[Placed, ...]
    background: str
    size: str = ""
    relation: Relation | None = None
    tint: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True)
class Vocabulary:
    """Which nouns, backgrounds and kinds of scene a model learns, and how often each kind comes."""

    nouns: tuple[str, ...] = tuple(NOUNS)
    backgrounds: tuple[str, ...] = tuple(BACKGROUNDS)
    mix: dict[Kind, float] = field(
        default_factory=lambda: {"single": 0.5, "count": 0.12, "pair": 0.08, "relation": 0.25, "trio": 0.05}
    )

    @classmethod
    def of_size(cls, nouns: int, backgrounds: int, mix: dict[Kind, float] | None = None) -> Vocabulary:
        """The first so many nouns and backgrounds. Raises ValueError when there are not that many."""
        if not (2 <= nouns <= len(NOUNS) and 1 <= backgrounds <= len(BACKGROUNDS)):
            raise ValueError(f"between 2 and {len(NOUNS)} nouns and 1 and {len(BACKGROUNDS)} backgrounds are possible")
        chosen = tuple(NOUNS)[:nouns], tuple(BACKGROUNDS)[:backgrounds]
        return cls(*chosen) if mix is None else cls(*chosen, mix)


def alone(placed: Placed, scene: Scene) -> Scene:
    """The scene with one of its objects only: its caption names that object, its size where it was said, and the background."""
    return Scene("single", (placed,), scene.background, size=scene.size, tint=scene.tint)


def held_out(scene: Scene) -> bool:
    """True for combinations that training never sees: a fixed tenth, chosen by a checksum of their names."""
    nouns = [placed.noun for placed in scene.objects]
    if scene.kind == "single":
        return _held_out(nouns[0], scene.background)
    if scene.kind == "relation" and scene.relation is not None:
        # "a left of b" and "b right of a" show the same thing, so both are held out together
        first, relation, second = nouns[0], scene.relation, nouns[1]
        if relation in ("right of", "below"):
            first, second = second, first
            relation = "left of" if relation == "right of" else "above"
        return _held_out(first, relation, second)
    return False


def _held_out(*names: str) -> bool:
    return zlib.crc32("|".join(names).encode()) % HELD_OUT_ONE_IN == 0


def draw(rng: np.random.Generator, vocabulary: Vocabulary, *, kind: Kind | None = None, held: bool | None = False) -> Scene:
    """A random scene. `held` = False: one that training may see, True: a held-out one, None: either."""
    while True:
        chosen = kind or _choose(rng, vocabulary.mix)
        scene = _draw_kind(rng, vocabulary, chosen)
        if held is None or held_out(scene) == held:
            return scene


def _choose(rng: np.random.Generator, mix: dict[Kind, float]) -> Kind:
    kinds = list(mix)
    edges = np.cumsum([mix[kind] for kind in kinds])
    return kinds[int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))]


def _draw_kind(rng: np.random.Generator, vocabulary: Vocabulary, kind: Kind) -> Scene:
    background = vocabulary.backgrounds[rng.integers(len(vocabulary.backgrounds))]
    tint = tuple(int(v) for v in rng.integers(-6, 7, 3))
    assert len(tint) == 3
    if kind == "single":
        noun = vocabulary.nouns[rng.integers(len(vocabulary.nouns))]
        size = ("", "", "small", "large")[rng.integers(4)]
        side = SIZES[size] * (1 + _JITTER * rng.uniform(-1, 1))
        x, y = _free(rng, side), _free(rng, side)
        return Scene(kind, (Placed(noun, x, y, side),), background, size=size, tint=tint)
    number = 2 if kind in ("pair", "relation") or (kind == "count" and rng.random() < 0.5) else 3
    if kind == "count":
        nouns = [vocabulary.nouns[rng.integers(len(vocabulary.nouns))]] * number
    else:
        nouns = [vocabulary.nouns[i] for i in rng.choice(len(vocabulary.nouns), number, replace=False)]
    relation = RELATIONS[rng.integers(4)] if kind == "relation" else None
    sides = [_SHARE[kind] * (0.92 if number == 3 else 1.0) * (1 + _JITTER * rng.uniform(-1, 1)) for _ in nouns]
    centres = _related(rng, relation, sides) if relation else _apart(rng, sides)
    objects = tuple(Placed(n, x, y, s) for n, (x, y), s in zip(nouns, centres, sides, strict=True))
    return Scene(kind, objects, background, relation=relation, tint=tint)


def _free(rng: np.random.Generator, side: float) -> float:
    """A centre that keeps an object of this side inside the picture."""
    return float(rng.uniform(side / 2, 1 - side / 2))


def _apart(rng: np.random.Generator, sides: list[float]) -> list[tuple[float, float]]:
    """Centres of objects that do not overlap, by trial."""
    while True:
        centres: list[tuple[float, float]] = []
        for side in sides:
            for _ in range(20):
                x, y = _free(rng, side), _free(rng, side)
                if all(max(abs(x - u), abs(y - v)) >= (side + s) / 2 for (u, v), s in zip(centres, sides, strict=False)):
                    centres.append((x, y))
                    break
            else:
                break
        if len(centres) == len(sides):
            return centres


def _related(rng: np.random.Generator, relation: Relation, sides: list[float]) -> list[tuple[float, float]]:
    """Centres of two objects side by side or one above the other, the cross direction nearly aligned."""
    gap = (sides[0] + sides[1]) / 2
    low = rng.uniform(sides[0] / 2, 1 - gap - sides[1] / 2)
    high = rng.uniform(low + gap, 1 - sides[1] / 2)
    centre = float(rng.uniform(0.3, 0.7))
    across = [float(np.clip(centre + rng.uniform(-0.06, 0.06), s / 2, 1 - s / 2)) for s in sides]
    along = (float(low), float(high)) if relation in ("left of", "above") else (1 - float(low), 1 - float(high))
    if relation in ("left of", "right of"):
        return [(along[0], across[0]), (along[1], across[1])]
    return [(across[0], along[0]), (across[1], along[1])]


def on_grid(scene: Scene, pixels: int) -> Scene:
    """The scene with every object moved and sized to whole pixels of a picture of this side.

    `render` at `pixels` shows the same before and after; at k times as many pixels every edge lies on a k-th one, so
    that averaging over k x k pixels leads back to the small picture.
    """

    def snapped(placed: Placed) -> Placed:
        left, top, size = _box(placed, pixels)
        return replace(placed, x=(left + size / 2) / pixels, y=(top + size / 2) / pixels, side=size / pixels)

    return replace(scene, objects=tuple(map(snapped, scene.objects)))


def _box(placed: Placed, pixels: int) -> tuple[int, int, int]:
    """Left, top and side in whole pixels of a picture of side `pixels`, inside it."""
    size = max(2, round(placed.side * pixels))
    left, top = (int(np.clip(round(v * pixels - size / 2), 0, pixels - size)) for v in (placed.x, placed.y))
    return left, top, size


def render(scene: Scene, pixels: int) -> NDArray[np.uint8]:
    """The scene as [pixels, pixels, 3] uint8, RGB."""
    colour = np.clip(np.add(BACKGROUNDS[scene.background], scene.tint), 0, 255)
    canvas = np.empty((pixels, pixels, 3), dtype=np.float32)
    canvas[:] = colour
    for placed in scene.objects:
        left, top, size = _box(placed, pixels)
        stamp = sprite(placed.noun, size)
        area = canvas[top : top + size, left : left + size]
        area *= 1 - stamp[..., 3:]
        area += stamp[..., :3]
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
