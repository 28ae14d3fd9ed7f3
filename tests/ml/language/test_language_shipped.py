"""The shipped encoder-decoder: small, right, and its cross-attention can be read."""

from __future__ import annotations

import pytest

from studio.ml.data.scenes import Vocabulary
from studio.ml.evaluation.attending import strongest
from studio.ml.evaluation.encoder_decoder import exact, looks_across, pairs
from studio.ml.language.encoder_decoder import EncoderDecoderModel, load_encoder_decoder
from studio.resources import resource

VOCABULARY = Vocabulary.of_size(32, 8)


def card(name: str) -> str:
    folder = resource("models", name)
    assert (folder / "model.safetensors").stat().st_size <= 4_000_000
    return (folder / "MODEL_CARD.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def paraphrase() -> EncoderDecoderModel:
    return load_encoder_decoder(resource("models", "emoji-paraphrase"))


@pytest.mark.parametrize(("scenes", "held"), [(1, True), (2, False)])
def test_it_tells_captions_from_the_other_side(paraphrase: EncoderDecoderModel, scenes: int, held: bool) -> None:
    assert exact(paraphrase, pairs(VOCABULARY, 30, scenes, held=held)).mean() > 0.9
    said = paraphrase.rewritten("A cat left of an apple on a blue background.")
    assert said == "on a blue background, a red apple right of a cat."


def test_some_head_looks_at_the_noun_it_is_about_to_write(paraphrase: EncoderDecoderModel) -> None:
    scores = looks_across(paraphrase, pairs(VOCABULARY, 20, 1, kind="relation"), VOCABULARY.nouns)
    assert strongest(scores)[2] > 0.8  # an even look at a caption of some 12 tokens would be right once in 12


@pytest.mark.parametrize("name", ["emoji-paraphrase"])
def test_its_card_says_what_it_is(name: str) -> None:
    text = card(name)
    for heading in ("## What it is", "## Data", "## Recipe", "## Training", "## Measured quality", "## Licence"):
        assert heading in text
