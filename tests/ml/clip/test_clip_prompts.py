from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from studio.ml.clip.model import NoisedClip
from studio.ml.clip.prompts import PromptError, Weighted, encode_weighted, parse
from studio.ml.diffusion.schedule import Schedule
from tests.ml.clip.tiny_clip import network, pictures, tokenizer


def clip() -> NoisedClip:
    return NoisedClip("tiny", network().eval(), tokenizer(), Schedule.named("squaredcos_cap_v2"))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a cat", [("a cat", 1.0)]),
        (" a cat : 2 ", [("a cat", 2.0)]),
        ("a cat:1.0 | a dog:0.5", [("a cat", 1.0), ("a dog", 0.5)]),
        ("a cat|a dog:-.5|a fish:1e-1", [("a cat", 1.0), ("a dog", -0.5), ("a fish", 0.1)]),
        ("at 12:30 : 2", [("at 12:30", 2.0)]),
        ("a cat : 0 | a dog", [("a cat", 0.0), ("a dog", 1.0)]),
    ],
)
def test_parse(text, parts) -> None:
    assert parse(text) == tuple(Weighted(*part) for part in parts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "A prompt is missing"),
        ("a cat | ", "A prompt is missing"),
        (":0.5", "missing before “:0.5”"),
        ("a cat:", "“” in “a cat:” is no weight"),
        ("a picture: a cat", "“a cat” in “a picture: a cat” is no weight"),
        ("a cat:nan", "is no weight"),
        ("a cat:1e999", "is no weight"),
        ("a cat:0", "Every weight is 0"),
        ("a cat | a cat:-1", "cancel each other"),
    ],
)
def test_what_cannot_be_meant_is_told(text, message) -> None:
    with pytest.raises(PromptError, match=message):
        encode_weighted(clip(), [text])


@given(st.lists(st.tuples(st.sampled_from(["a cat", "a dog", "left of"]), st.integers(-8, 8)), min_size=1, max_size=4))
def test_what_is_written_is_read_back(parts) -> None:
    text = " | ".join(f"{prompt} : {weight / 4}" for prompt, weight in parts)
    if all(weight == 0 for _, weight in parts):
        with pytest.raises(PromptError):
            parse(text)
    else:
        assert [(part.text, part.weight * 4) for part in parse(text)] == parts


def test_the_similarity_is_the_weighted_mean_of_the_prompts_similarities() -> None:
    model = clip()
    x, t = pictures(2), torch.tensor([0, 700])
    cat, dog = model.similarity(x, t, model.encode_text(["a cat", "a dog"])).T
    both = model.similarity(x, t, encode_weighted(model, ["a cat : 3 | a dog : -1"]))[:, 0]
    torch.testing.assert_close(both, (3 * cat - dog) / 4)


def test_a_lone_prompt_is_itself_whatever_its_weight() -> None:
    model = clip()
    alone = model.encode_text(["a cat"])
    torch.testing.assert_close(encode_weighted(model, ["a cat", "a cat : 5"]), alone.expand(2, -1))
    torch.testing.assert_close(encode_weighted(model, ["a cat : -0.5"]), -alone)
