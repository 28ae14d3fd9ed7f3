"""Words to tokens and back: every token knows its place in the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.ml.data import captions
from studio.ml.data.scenes import Vocabulary
from studio.ml.language import stories
from studio.ml.language.tokenizer import END, PADDING, START, TextTokenizer

VOCABULARY = Vocabulary.of_size(32, 8)
TOKENIZER = TextTokenizer(stories.words(VOCABULARY), captions.phrases(VOCABULARY))


def test_start_end_and_marks_are_tokens() -> None:
    found = TOKENIZER.encode("A cat.", end=True)
    assert found.pieces == ("<start>", "a", "cat", ".", "<end>")
    assert (found.ids[0], found.ids[-1]) == (START, END) and PADDING not in found.ids
    assert found.offsets == ((0, 0), (0, 1), (2, 5), (5, 6), (6, 6))


def test_an_alias_gives_all_its_words_its_own_place() -> None:
    found = TOKENIZER.encode("an apple, a red apple", start=False)
    assert found.pieces == ("an", "red", "apple", ",", "a", "red", "apple")
    assert found.offsets[1:3] == ((3, 8), (3, 8)) and found.offsets[5:] == ((12, 15), (16, 21))


def test_unknown_words_are_left_out_and_named_once() -> None:
    found = TOKENIZER.encode("a zebra and a Zebra!", start=False)
    assert (found.pieces, found.unknown) == (("a", "and", "a"), ("zebra",))


@given(st.lists(st.sampled_from([*TOKENIZER.words, "apple", "zebra", "Ärger", "x1", "-", "  ", "\n", "🐈"]), max_size=12))
def test_offsets_point_at_what_was_read(parts: list[str]) -> None:
    text = " ".join(parts)
    found = TOKENIZER.encode(text, start=False)
    assert len(found) == len(found.offsets) == len(found.pieces)
    assert list(found.offsets) == sorted(found.offsets)
    for piece, (begin, end) in zip(found.pieces, found.offsets, strict=True):
        assert text[begin:end].lower() == piece or piece in TOKENIZER.phrases[text[begin:end].lower()].split()


@given(st.lists(st.sampled_from(TOKENIZER.words), max_size=12))
def test_decoding_gives_a_text_of_the_same_tokens(words: list[str]) -> None:
    ids = [TOKENIZER.encode(word, start=False).ids[0] for word in words]
    assert TOKENIZER.encode(TOKENIZER.decode([START, *ids, END, PADDING]), start=False).ids == tuple(ids)


def test_a_word_may_not_come_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        TextTokenizer(["a", "a"])
