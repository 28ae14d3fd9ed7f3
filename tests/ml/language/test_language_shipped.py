"""The shipped language models: small, right, and their heads have something to show."""

from __future__ import annotations

import argparse

import pytest

from studio.ml.data.scenes import Kind, Vocabulary
from studio.ml.evaluation import causal, encoder_decoder
from studio.ml.evaluation.attending import strongest
from studio.ml.evaluation.causal import head_scores, losses, told, told_again
from studio.ml.evaluation.encoder_decoder import exact, looks_across, pairs
from studio.ml.language.causal import CausalModel, load_causal
from studio.ml.language.encoder_decoder import EncoderDecoderModel, load_encoder_decoder
from studio.resources import resource

MIX: dict[Kind, float] = {"single": 0.25, "count": 0.1, "pair": 0.1, "relation": 0.5, "trio": 0.05}
VOCABULARY = Vocabulary.of_size(32, 8, MIX)


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


@pytest.fixture(scope="module")
def captions() -> CausalModel:
    return load_causal(resource("models", "emoji-captions"))


def test_it_is_hardly_more_perplexed_than_the_rules(captions: CausalModel) -> None:
    mine, least = losses(captions, told(VOCABULARY, 150)).perplexities
    assert 0.98 * least < mine < 1.06 * least


def test_it_tells_again_and_answers(captions: CausalModel) -> None:
    assert told_again(captions, told(VOCABULARY, 40)).mean() > 0.85
    said = captions.written("a robot above a sun on a blue background. what is above the sun? the")
    assert said.startswith("a robot above a sun on a blue background. what is above the sun? the robot.")


def test_it_has_induction_heads(captions: CausalModel) -> None:
    _, induction = head_scores(captions, VOCABULARY, count=16)
    assert strongest(induction)[2] > 0.4  # an even look would be 0.06


@pytest.mark.parametrize(
    ("name", "report"), [("emoji-captions", causal.report), ("emoji-paraphrase", encoder_decoder.report)]
)
def test_it_is_measured_by_a_command(name: str, report: object) -> None:
    lines = list(report(resource("models", name), argparse.Namespace(count=12)))  # type: ignore[operator]
    assert sum(line.startswith("| ") for line in lines) >= 3


@pytest.mark.parametrize("name", ["emoji-captions", "emoji-paraphrase"])
def test_its_card_says_what_it_is(name: str) -> None:
    text = card(name)
    for heading in ("## What it is", "## Data", "## Recipe", "## Training", "## Measured quality", "## Licence"):
        assert heading in text
