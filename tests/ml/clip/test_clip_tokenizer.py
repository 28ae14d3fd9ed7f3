"""CLIP's tokens: against a plain merging of pairs by rank, and files that are not what they should be."""

from __future__ import annotations

import gzip
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.ml.clip.tokenizer import ClipTokenizer, load_clip_tokenizer
from studio.ml.diffusion.bpe import TokenizerCorrupt, TokenizerMissing
from tests.ml.clip.tiny_clip import MERGES, tokenizer, write_merges

BYTES = 256
START, END = 2 * BYTES + len(MERGES), 2 * BYTES + len(MERGES) + 1
RANK = {pair: i for i, pair in enumerate(MERGES)}


def merged(word: str) -> list[str]:
    """The pair of lowest rank is joined until none is left: byte-pair encoding by its definition."""
    pieces = [*word[:-1], word[-1] + "</w>"]
    while True:
        ranked = [(RANK[pair], i) for i, pair in enumerate(zip(pieces, pieces[1:], strict=False)) if pair in RANK]
        if not ranked:
            return pieces
        _, i = min(ranked)
        pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]


def expected(text: str) -> list[int]:
    """Ids of ASCII text: "!" is byte 0 of CLIP's order."""
    ids = {"".join(pair): 2 * BYTES + i for i, pair in enumerate(MERGES)}
    for i in range(ord("!"), ord("~") + 1):
        ids[chr(i)], ids[chr(i) + "</w>"] = i - ord("!"), BYTES + i - ord("!")
    words = re.findall(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+", text.lower())
    return [ids[piece] for word in words for piece in merged(word)]


@given(st.text(st.sampled_from("acdeht rs'12.!CA "), max_size=24))
@settings(max_examples=150, deadline=None)
def test_tokens_are_those_of_merging_by_rank(text: str) -> None:
    ids, used = ClipTokenizer(MERGES).encode(text, 64)
    assert ids[: sum(used)] == [START, *expected(text), END]
    assert len(ids) == len(used) == 64
    assert ids[sum(used) :] == [0] * (64 - sum(used))


def test_entities_spaces_and_accents_are_read_as_one_writes_them() -> None:
    clip = ClipTokenizer(MERGES)
    assert clip.encode("  The\tcat &amp;amp; 12 ", 20) == clip.encode("the cat & 12", 20)
    assert clip.encode("caf\u0065\u0301", 20) == clip.encode("CAF\u00c9", 20)


def test_what_has_no_room_is_cut_before_the_end_and_counted() -> None:
    clip = ClipTokenizer(MERGES)
    cat = expected("cat")[0]
    assert clip.encode("cat cat cat cat", 4) == ([START, cat, cat, END], [True] * 4)
    assert clip.overflow("cat cat cat cat", 4) == 2
    assert clip.overflow("cat", 4) == 0


def test_every_id_has_its_piece() -> None:
    clip = ClipTokenizer(MERGES)
    ids, used = clip.encode("The cat's red", 20)
    assert "".join(clip.piece(token) for token in ids[: sum(used)]) == "the cat 's red "
    assert [clip.piece(token) for token in clip.encode("é", 4)[0][1:3]] == ["\ufffd", "\ufffd "]
    assert clip.piece(clip.start) == clip.piece(clip.size + 5) == ""


def test_the_published_file_is_read_compressed_or_not(tmp_path) -> None:
    file = write_merges(tmp_path)
    packed = load_clip_tokenizer(tmp_path)
    (tmp_path / "bpe_simple_vocab_16e6.txt").write_bytes(gzip.decompress(file.read_bytes()))
    file.unlink()
    plain = load_clip_tokenizer(tmp_path)
    assert packed.size == plain.size == 2 * BYTES + len(MERGES) + 2
    assert packed.encode("the cat", 8) == plain.encode("the cat", 8)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(TokenizerMissing, match=r"bpe_simple_vocab_16e6\.txt\.gz"):
        load_clip_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"heading\nc a\nca t</w>\n")[:-9], gzip.compress(b"heading\nthree pieces here\n"),
     gzip.compress(b"heading\n"), gzip.compress(b"heading\nzz a\n"), gzip.compress(b"\xff\xfe")],
    ids=["foreign", "truncated", "three pieces", "empty", "does not follow", "no text"],
)  # fmt: skip
def test_a_damaged_file_is_refused(tmp_path, content) -> None:
    (tmp_path / "bpe_simple_vocab_16e6.txt.gz").write_bytes(content)
    with pytest.raises(TokenizerCorrupt):
        load_clip_tokenizer(tmp_path)


def test_words_end_in_a_token_of_their_own() -> None:
    words = tokenizer()
    assert words.encode("a kitten on a unicorn", 8) == ([1, 2, 6, 1, 0, 0, 0, 0], [True] * 5 + [False] * 3)
    assert words.encode("", 3) == ([0, 0, 0], [True, False, False])
    assert words.encode("a cat on blue", 3) == ([1, 2, 0], [True] * 3)
    assert words.overflow("a cat on blue", 3) == 2
    assert words.unknown("a unicorn") == ["unicorn"]
