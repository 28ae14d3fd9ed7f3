"""Both language models: writing word by word equals reading at once, and what cannot be opened says why."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from studio.ml.diffusion.model_folder import BadModelFolder
from studio.ml.diffusion.weights import CorruptWeights, WrongWeights
from studio.ml.language.causal import CausalModel, load_causal
from studio.ml.language.encoder_decoder import EncoderDecoderModel, load_encoder_decoder
from studio.ml.language.tokenizer import END, START
from studio.ml.language.writing import TextTooLong, likeliest, sampled
from studio.ml.nn.positions import sinusoidal
from studio.ml.nn.stacks import new_cache
from tests.ml.language.tiny_language import WORDS, written


@pytest.fixture
def causal(tmp_path: Path) -> CausalModel:
    return load_causal(written(tmp_path, "causal"))


@pytest.fixture
def paired(tmp_path: Path) -> EncoderDecoderModel:
    return load_encoder_decoder(written(tmp_path, "encoder-decoder"))


def in_turn(*tokens: int) -> Callable[[Tensor], int]:
    """A picker that ignores the logits."""
    left = list(tokens)
    return lambda logits: left.pop(0)


def test_writing_gives_the_logits_of_reading_at_once(causal: CausalModel) -> None:
    steps = list(causal.writing([START, 3, 4], in_turn(5, 6, 3, END)))
    assert [token for token, _ in steps] == [5, 6, 3, END]
    at_once = causal.net(torch.tensor([[START, 3, 4, 5, 6, 3]]))[0, 2:]
    torch.testing.assert_close(torch.stack([logits for _, logits in steps]), at_once, rtol=1e-5, atol=1e-5)


def test_writing_ends_where_the_model_can_read_no_further(causal: CausalModel) -> None:
    cache = new_cache(2)
    steps = list(causal.writing([START], in_turn(*[3] * 20), cache))
    assert len(steps) == 12 and cache[0].own.length == 12
    with pytest.raises(TextTooLong, match="13 tokens are more than the 12"):
        next(causal.writing([START, *[3] * 12]))


def test_logits_are_likelihoods_of_embeddings(causal: CausalModel) -> None:
    net = causal.net
    ids = torch.tensor([[START, 3, 4]])
    hidden = net.layers(net.embedding[ids] + net.places.table[:3])
    torch.testing.assert_close(net(ids), torch.einsum("btw,vw->btv", hidden, net.embedding))


def test_an_answer_gives_the_logits_of_reading_both_at_once(paired: EncoderDecoderModel) -> None:
    source = [3, 4, 6, END]
    steps = list(paired.writing(source, in_turn(5, 6, END)))
    at_once = paired.net(torch.tensor([source]), torch.tensor([[START, 5, 6]]))[0]
    torch.testing.assert_close(torch.stack([logits for _, logits in steps]), at_once, rtol=1e-5, atol=1e-5)
    assert len(list(paired.writing(source, in_turn(*[3] * 20)))) == 12
    with pytest.raises(TextTooLong, match="13 tokens"):
        next(paired.writing([3] * 13))


def test_filling_up_a_source_changes_nothing(paired: EncoderDecoderModel) -> None:
    target = torch.tensor([[START, 5]])
    short, filled = torch.tensor([[3, 4, END]]), torch.tensor([[3, 4, END, 0, 0]])
    torch.testing.assert_close(paired.net(filled, target), paired.net(short, target), rtol=0, atol=1e-6)


def test_embeddings_are_scaled_and_placed_as_in_the_paper(paired: EncoderDecoderModel) -> None:
    expected = 4 * paired.net.embedding[[5, 6]] + sinusoidal(torch.tensor([3, 4]), 16)
    torch.testing.assert_close(paired.net.embedded(torch.tensor([[5, 6]]), start=3)[0], expected)


def test_texts_go_in_and_come_out(causal: CausalModel, paired: EncoderDecoderModel) -> None:
    assert causal.written("A cat", in_turn(6, END)) == "a cat."
    assert paired.rewritten("a cat.", in_turn(3, 5, END)) == "a dog"
    for model in (causal, paired):
        assert (model.name, model.tokenizer.words, len(model.sha256)) == ("tiny", WORDS, 64)
        assert model.nbytes == 4 * sum(parameter.numel() for parameter in model.net.parameters())


def test_drawing_follows_the_probabilities() -> None:
    logits = torch.tensor([0.0, math.log(3), -math.inf])
    pick = sampled(0)
    assert sum(pick(logits) for _ in range(2000)) / 2000 == pytest.approx(0.75, abs=0.04)
    cold = sampled(0, temperature=0.5)
    assert sum(cold(logits) for _ in range(2000)) / 2000 == pytest.approx(0.9, abs=0.03)
    assert [sampled(7)(logits) for _ in range(5)] == [sampled(7)(logits)] * 5 and likeliest(logits) == 1
    with pytest.raises(ValueError, match="above zero"):
        sampled(0, 0.0)


@pytest.mark.parametrize(("kind", "load"), [("causal", load_causal), ("encoder-decoder", load_encoder_decoder)])
def test_what_cannot_be_opened_says_why(tmp_path: Path, kind: str, load: Callable[[Path], object]) -> None:
    with pytest.raises(BadModelFolder, match=r"config\.json cannot be read"):
        load(tmp_path)
    written(tmp_path, kind)
    config = json.loads((tmp_path / "config.json").read_text())
    file = tmp_path / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    with pytest.raises(CorruptWeights, match="damaged"):
        load(tmp_path)
    file.unlink()
    with pytest.raises(BadModelFolder, match="no weights"):
        load(tmp_path)
    file.write_bytes(whole)
    for wrong, error, match in [
        ({"kind": "vision"}, BadModelFolder, "kind"),
        ({"tokenizer": {"words": ["a"]}}, BadModelFolder, "has 4 tokens for a network of 7"),
        ({"tokenizer": {"words": ["a", "a"]}}, BadModelFolder, "twice"),
        ({"network": {**config["network"], "length": 0}}, BadModelFolder, "length"),
        ({"network": {**config["network"], "vocabulary": 8}, "tokenizer": {"words": [*WORDS, "sun"]}}, WrongWeights, "embedding"),
    ]:
        (tmp_path / "config.json").write_text(json.dumps({**config, **wrong}))
        with pytest.raises(error, match=match):
            load(tmp_path)
