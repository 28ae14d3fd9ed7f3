"""Do the attention maps mean something? How much of a word's attention lies on its object, against chance.

`python -m studio.ml.evaluation.attention` prints the table of the Token attention panel's help.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio.ml.data import captions, scenes
from studio.ml.diffusion.attention_capture import attention_layers, traced
from studio.ml.diffusion.attention_maps import AttentionMaps, View
from studio.ml.diffusion.glide import TextToImage, load_text2im
from studio.ml.diffusion.sampling import Sampling
from studio.ml.evaluation.oracle import Oracle, Seen, load_oracle
from studio.resources import resource

ROLES = ("the noun", "its article", "the colour", "“background”", "padding", "the picture itself")
"""Parts of "a cat on a blue background" whose attention is measured; the noun's last word stands for it."""


@dataclass(frozen=True)
class Localisation:
    """Attention inside the object's box over the box's share of the picture: 1 is chance.

    Mean over the pictures in which the oracle found the object, 95 % interval of that mean, and the share of pictures
    above 1.
    """

    role: str
    pictures: int
    mean: float
    low: float
    high: float
    above: float


def localisation(
    model: TextToImage, oracle: Oracle, count: int, sampling: Sampling = Sampling(), scale: float = 3.0
) -> list[Localisation]:
    """For `count` pictures of one object, seeds and prompts fixed; maps averaged over steps, layers and heads."""
    rng = np.random.default_rng(79)
    vocabulary = scenes.Vocabulary(oracle.config.nouns, oracle.config.backgrounds)
    ratios: list[list[float]] = []
    for seed in range(count):
        scene = scenes.draw(rng, vocabulary, kind="single")
        found = _ratios(model, oracle, scene, seed, sampling, scale)
        ratios += [] if found is None else [found]
    return [_summary(role, values) for role, values in zip(ROLES, np.array(ratios).T, strict=True)]


def concentration(shares: NDArray[np.float32], box: Seen) -> float:
    """Share of a map [h, w] inside an object's square, over the square's share of the picture."""
    inside = np.outer(_covered(len(shares), box.y, box.side), _covered(shares.shape[1], box.x, box.side))
    return float((shares * inside).sum() / shares.sum() / inside.mean())


def report(rows: Sequence[Localisation]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield "| attention of | inside its object, of chance | 95 % interval | above chance |"
    yield "|---|---|---|---|"
    for row in rows:
        interval = f"{row.low:.2f} to {row.high:.2f}"
        yield f"| {row.role} | **{row.mean:.2f} ×** | {interval} | {row.above:.0%} of {row.pictures} |"


def _ratios(
    model: TextToImage, oracle: Oracle, scene: scenes.Scene, seed: int, sampling: Sampling, scale: float
) -> list[float] | None:
    """One number per role; None where the oracle does not find the object, so that there is no box."""
    prompt, noun = captions.plain_caption(scene), scene.objects[0].noun
    ids, mask = model.tokenizer.encode(prompt, model.net.text.text_ctx)
    tokens, layers = sum(mask), attention_layers(model.net, model.image_size)
    pairs = list(traced(model.sample([prompt], [seed], scale=scale, sampling=sampling), model.net, layers, tokens))
    box = next((seen for seen in oracle.read(pairs[-1][0].x.float())[0].objects if seen.noun == noun), None)
    if box is None:
        return None
    shares = AttentionMaps(tuple(layers), tokens, tuple(maps for _, maps in pairs)).shares(View())
    return [concentration(shares[row], box) for row in _rows(prompt).values()]


def _rows(prompt: str) -> Mapping[str, int]:
    """Where each role stands among the tokens of a plain caption, whose words are one token each."""
    words = prompt.replace(",", "").split()
    n = len(words)
    return dict(zip(ROLES, (words.index("on") - 1, 0, n - 2, n - 1, n, n + 1), strict=True))


def _covered(n: int, centre: float, side: float) -> NDArray[np.float64]:
    """[n]: how much of each cell of a side lies within side / 2 of the centre."""
    edges = np.arange(n + 1) / n
    width = np.minimum(edges[1:], centre + side / 2) - np.maximum(edges[:-1], centre - side / 2)
    covered: NDArray[np.float64] = np.clip(width, 0, None) * n
    return covered


def _summary(role: str, values: NDArray[np.float64]) -> Localisation:
    mean, error = float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)
    return Localisation(role, len(values), mean, mean - 1.96 * error, mean + 1.96 * error, float((values > 1).mean()))


if __name__ == "__main__":
    base, judge = load_text2im(resource("models", "emoji-base")), load_oracle(resource("models", "emoji-oracle"))
    print("\n".join(report(localisation(base, judge, 50))))
