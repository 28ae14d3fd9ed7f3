"""Whether an encoder-decoder tells captions from the other side, and where its cross-attention looks."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from studio.ml.data.scenes import Kind, Vocabulary, draw
from studio.ml.diffusion.model_folder import parse_config
from studio.ml.evaluation.attending import strongest, watched
from studio.ml.evaluation.classifier import SceneVocabulary, share
from studio.ml.language import other_side
from studio.ml.language.encoder_decoder import EncoderDecoderModel, EncoderDecoderModelConfig, load_encoder_decoder

SEED = 97

Pair = tuple[str, str]


class ParaphraseConfig(EncoderDecoderModelConfig):
    """config.json of an encoder-decoder of captions."""

    vocabulary: SceneVocabulary
    mix: dict[Kind, float]


def pairs(
    vocabulary: Vocabulary, count: int, scenes: int, *, held: bool = False, kind: Kind | None = None
) -> list[Pair]:
    """Fresh texts of so many scenes and what they become; with `held`, of combinations held out from training."""
    made = []
    for i in range(count):
        rng = np.random.default_rng((SEED, scenes, held, i))
        made.append(other_side.both_sides([draw(rng, vocabulary, kind=kind, held=held) for _ in range(scenes)], rng))
    return made


def exact(model: EncoderDecoderModel, asked: Sequence[Pair]) -> NDArray[np.bool_]:
    """Whether each text is rewritten word for word, the likeliest word each time."""
    return np.array([model.rewritten(here) == there for here, there in asked], dtype=np.bool_)


def looks_across(model: EncoderDecoderModel, asked: Sequence[Pair], nouns: Collection[str]) -> dict[str, Tensor]:
    """Share of nouns [H] for which a cross-attention looks most at the very noun it is about to write, by attention.

    Only words that come once in the source count, so that it is known where to look.
    """
    hits: dict[str, list[Tensor]] = {}
    words = {word for noun in nouns for word in noun.split()}
    for here, there in asked:
        source = model.tokenizer.encode(here, start=False, end=True)
        target = model.tokenizer.encode(there, end=True)
        places = [
            (row, source.pieces.index(piece))
            for row, piece in enumerate(target.pieces[1:])
            if source.pieces.count(piece) == 1 and piece in words
        ]
        with torch.no_grad(), watched(model.net) as maps:
            model.net(*(torch.tensor([ids], device=model.device) for ids in (source.ids, target.ids[:-1])))
        for name, weights in maps.items():
            if "cross" in name:
                most = weights[0].argmax(dim=-1)
                hits.setdefault(name, []).extend((most[:, row] == place).float() for row, place in places)
    return {name: torch.stack(found).mean(dim=0) for name, found in hits.items()}


def report(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Tables in Markdown: exact matches with 95 % intervals, where cross-attention looks. `options.count` texts a figure.

    Raises WeightsError.
    """
    config = parse_config(folder, ParaphraseConfig)
    model = load_encoder_decoder(folder)
    vocabulary = Vocabulary(config.vocabulary.nouns, config.vocabulary.backgrounds, config.mix)
    yield f"{options.count:,} fresh texts a figure, fixed seeds, 95 % intervals. Right means the same from the first word to"
    yield "the end."
    yield ""
    yield "| texts | rewritten exactly | interval |"
    yield "|---|---|---|"
    for name, scenes, held in (
        ("one scene", 1, False), ("one scene of a held-out combination", 1, True),
        ("two scenes", 2, False), ("two scenes of held-out combinations", 2, True),
    ):  # fmt: skip
        yield f"| {name} | {share(exact(model, pairs(vocabulary, options.count, scenes, held=held)))} |"
    yield ""
    scores = looks_across(model, pairs(vocabulary, min(options.count, 200), 1, kind="relation"), vocabulary.nouns)
    name, head, score = strongest(scores)
    yield (
        f"Cross-attention: before it writes a noun, `{name}` head {head} looks most at that noun in the source in "
        f"{score:.0%} of cases (captions of a relation)."
    )
