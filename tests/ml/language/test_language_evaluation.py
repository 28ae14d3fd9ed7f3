"""How language models are measured: against closed forms, and heads whose maps are known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from studio.ml.data.scenes import Vocabulary
from studio.ml.evaluation.attending import induction_score, previous_token_score, strongest, watched
from studio.ml.evaluation.causal import batched, losses, told, told_again
from studio.ml.evaluation.encoder_decoder import exact, looks_across, pairs
from studio.ml.language.causal import CausalConfig, CausalModel, CausalNetwork, load_causal
from studio.ml.language.encoder_decoder import EncoderDecoderConfig, EncoderDecoderModel, EncoderDecoderNetwork
from studio.ml.language.other_side import words as paraphrase_words
from studio.ml.language.stories import Story, words
from studio.ml.language.tokenizer import TextTokenizer
from studio.ml.nn.attention import MultiHeadAttention, scaled_dot_product
from tests.ml.language.tiny_language import LAYERS, written

VOCABULARY = Vocabulary.of_size(3, 2)


def guesser() -> CausalModel:
    """A model to which all tokens are equally likely."""
    tokenizer = TextTokenizer(words(VOCABULARY))
    net = CausalNetwork(CausalConfig(length=144, vocabulary=tokenizer.size, transformer=LAYERS))
    torch.nn.init.zeros_(net.embedding)
    return CausalModel("guesser", net.eval().requires_grad_(False), tokenizer)


def test_a_guesser_is_as_perplexed_as_there_are_tokens() -> None:
    model, asked = guesser(), told(VOCABULARY, 70)
    found = losses(model, asked)
    size = model.tokenizer.size
    assert found.perplexities[0] == pytest.approx(size)
    np.testing.assert_allclose(found.model, found.tokens * math.log(size))
    assert found.rules.tolist() == [-story.log_probability for story in asked]
    gap, width = found.divergence
    assert gap == pytest.approx(np.mean(found.tokens * math.log(size) - found.rules))
    assert 0 < width < gap  # nobody beats the rules


def test_held_out_stories_are_asked_for() -> None:
    large = Vocabulary.of_size(32, 8)
    free, held = ({story.text for story in told(large, 40, held=held)} for held in (False, True))
    assert not {text for text in free & held if not text.startswith(("i see", "say"))}


def test_telling_again_is_compared_word_for_word() -> None:
    asked = [Story("a cat on red. again: a cat on red.", 0.0), Story("a dog on red.", 0.0)]
    assert told_again(guesser(), asked).tolist() == [False]  # only one is told again, and a guesser does not know how


def test_batches_are_filled_up() -> None:
    assert batched([[1, 2], [1, 5, 2]]).tolist() == [[1, 2, 0], [1, 5, 2]]


def test_scores_of_heads_whose_maps_are_known() -> None:
    length, period = 8, 4
    before = torch.eye(length).roll(-1, dims=1)  # row i looks at i - 1
    before[0] = torch.eye(length)[0]
    induction = torch.zeros(length, length)
    for i in range(length):
        induction[i, max(0, i - period + 1)] = 1
    uniform = torch.ones(length, length).tril() / torch.arange(1, length + 1)[:, None]
    maps = torch.stack([before, induction, uniform])[None]
    assert previous_token_score(maps)[0] == 1 and previous_token_score(maps)[1] < 0.2
    assert induction_score(maps, period)[1] == 1 and induction_score(maps, period)[0] == 0
    assert induction_score(maps, period)[2].item() == pytest.approx(np.mean([1 / 5, 1 / 6, 1 / 7, 1 / 8]))
    assert strongest({"a": torch.tensor([0.1, 0.2]), "b": torch.tensor([0.3, 0.0])}) == ("b", 0, pytest.approx(0.3))


def test_watching_changes_nothing_and_ends(tmp_path: Path) -> None:
    model = load_causal(written(tmp_path, "causal"))
    ids = torch.tensor([[1, 3, 4, 5]])
    expected = model.net(ids)
    with watched(model.net) as maps:
        torch.testing.assert_close(model.net(ids), expected, rtol=0, atol=1e-6)
    assert list(maps) == ["layers.layers.0.attention", "layers.layers.1.attention"]
    assert all(weights.shape == (1, 2, 4, 4) and (weights.triu(1) == 0).all() for weights in maps.values())
    attentions = [module for module in model.net.modules() if isinstance(module, MultiHeadAttention)]
    assert all(module.attend is scaled_dot_product for module in attentions)


def test_an_untrained_encoder_decoder_is_marked_wrong_and_looks_anywhere() -> None:
    tokenizer = TextTokenizer(paraphrase_words(VOCABULARY))
    torch.manual_seed(0)
    shape = EncoderDecoderConfig(length=48, vocabulary=tokenizer.size, encoder=LAYERS, decoder=LAYERS)
    model = EncoderDecoderModel("tiny", EncoderDecoderNetwork(shape).eval().requires_grad_(False), tokenizer)
    asked = pairs(VOCABULARY, 6, 1, kind="relation")
    assert not exact(model, asked).any()
    scores = looks_across(model, asked, VOCABULARY.nouns)
    assert len(scores) == 2 and all(score.shape == (2,) and score.max() <= 1 for score in scores.values())
    model.rewritten = dict(asked).__getitem__  # type: ignore[method-assign]
    assert exact(model, asked).all()
